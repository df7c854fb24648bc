// What a turn of a session would send now, part by part, in tokens: the same functions that make the turn, but nothing is run or kept.
import { toMessages } from "../core/history.ts";
import type { Message } from "../core/ports.ts";
import type { FilePart, Principal } from "../core/types.ts";
import { choiceOf } from "../run/choice.ts";
import { allowanceOf, readWindow, sections, turnKey, type TurnState } from "../run/context.ts";
import { sizeOf } from "../run/finding.ts";
import { memoryFor } from "../run/json-memory.ts";
import { sessionDoc } from "../run/sessions.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { offered, specOf } from "../run/toolbox.ts";
import { tokens } from "../std/text.ts";

export interface Sent {
  engine: string;
  model: string;
  /** In the order in which they are sent; with the text where it is short enough to read. */
  parts: { name: string; kind: "instructions" | "tools" | "history" | "attachments"; tokens: number; text?: string }[];
  tools: { name: string; tokens: number }[];
  /** All of it. */
  tokens: number;
  /** Tokens of history that a request holds at most. */
  window: number;
}
/** What a picture costs, roughly: providers count by its size in pixels. */
const PICTURE = 1200;

/** Without a session: of a new one. Throws not_found. */
export async function sent(steward: Steward, who: Principal, session?: string): Promise<Sent> {
  const doc = session === undefined ? undefined : await sessionDoc(steward, who, session);
  const { engine, model } = await choiceOf(steward, who, session);
  const state =
    session === undefined ? undefined : (((await steward.store.get(turnKey(session))) as TurnState | undefined) ?? { from: 0, seen: 0 });
  const log = session === undefined || !state ? [] : (await readWindow(steward, session, state)).log;
  const windowFrom = log[0]?.at ?? steward.now();
  const helper = doc?.parent !== undefined;
  const memory = await memoryFor(steward, who, { session: session ?? "", windowFrom });
  const instructions = await sections(steward, who, { session: session ?? "", model, windowFrom, memory, helper });
  const tools = (await offered(steward, { helper, memory: memory !== undefined, who }))
    .map(specOf)
    .map((spec) => ({ name: spec.name, tokens: sizeOf(spec) }));
  const messages = toMessages(log, { zone: zoneOf(steward) });
  const files = messages
    .flatMap((message) => (message.role === "user" ? message.parts : []))
    .filter((part): part is FilePart => part.type === "file");
  const parts: Sent["parts"] = [
    ...instructions.map(({ name, text }) => ({ name, kind: "instructions" as const, tokens: tokens(text), text })),
    { name: `tools (${tools.length})`, kind: "tools", tokens: sum(tools) },
    {
      name: `history (${messages.length} messages)`,
      kind: "history",
      tokens: messages.reduce((all, message) => all + tokensOf(message), 0),
    },
    {
      name: `attachments (${files.length})`,
      kind: "attachments",
      tokens: files.reduce((all, { mime }) => all + (mime.startsWith("image/") ? PICTURE : 30), 0),
    },
  ];
  return { engine, model, parts, tools, tokens: sum(parts), window: await allowanceOf(steward, model) };
}

const sum = (all: { tokens: number }[]): number => all.reduce((total, one) => total + one.tokens, 0);

function tokensOf(message: Message): number {
  if (message.role === "tool") return tokens(message.result) + 10;
  if (message.role === "user") return message.parts.reduce((all, part) => all + (part.type === "text" ? tokens(part.text) : 0), 4);
  return tokens(message.text) + (message.calls.length > 0 ? tokens(JSON.stringify(message.calls)) : 0) + 4;
}
