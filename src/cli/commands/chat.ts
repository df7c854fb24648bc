// steward chat: one request and its answer, or a conversation when no message is given.
import type { Client } from "../../client/client.ts";
import type { Ask, Item } from "../../core/types.ts";
import { hasCode, StewardError } from "../../std/error.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { currentOf, reach, sessionOf, withClient } from "../connect.ts";
import { DONE, exitCodes, INTERRUPTED, UNANSWERED } from "../exit.ts";
import { readAll, readTyped } from "../input.ts";
import { paint } from "../output.ts";
import { choices, howToAnswer, questionLines, readAnswer } from "../question.ts";
import { openScreen, type Screen } from "../screen.ts";
import { openTeller } from "../tell.ts";
import { type Ended, say, type Watcher } from "../turn.ts";

export const chat: Command = {
  usage: ['chat "MESSAGE" [--session ID | --new] [--model P/N] [--json] [--no-stream]', "chat -", "chat"],
  about:
    "Says something and shows what Steward does and answers; without a message, a conversation. Text goes to standard output, tools and questions to standard error.",
  options: {
    session: { value: "ID", short: "s", help: "the session to speak in; without it the current one" },
    new: { short: "n", help: "in a new session" },
    model: { value: "P/N", short: "m", help: "the session's model from now on; default goes back" },
    json: { help: "one JSON document at the end" },
    "no-stream": { help: "show text when it is whole" },
  },
  examples: [
    ['steward chat "list the files on my Desktop"', "one request"],
    ['git diff | steward chat "explain this:" -', "with standard input added"],
    ["steward chat --new", "a new conversation"],
    ['steward chat --json "how much disk is free?"', "for programs"],
  ],
  async run(given) {
    const { host, flags, args } = given;
    if (flags.has("new") && flags.has("session")) throw usageError("--new and --session exclude each other");
    const text = await messageOf(given);
    if (text !== undefined) return once(given, text);
    if (flags.has("json")) throw usageError("--json needs a message");
    if (args.length === 0 && host.stdin.isTTY && host.stdout.isTTY) return talk(given);
    throw usageError("The message is empty", 'Write it behind: steward chat "…"');
  },
};

/** The words, with standard input in the place of "-" (or as the whole, when it is a pipe). Undefined: a conversation is meant. */
async function messageOf({ host: { stdin, stdout }, args }: Given): Promise<string | undefined> {
  if (args.length === 0 && stdin.isTTY && stdout.isTTY) return undefined;
  const wants = args.length === 0 || args.includes("-");
  const piped = wants ? (await readAll(stdin)).trimEnd() : "";
  const text = args.length === 0 ? piped : args.map((word) => (word === "-" ? (args.length > 1 ? `\n${piped}` : piped) : word)).join(" ");
  if (text.trim() === "") throw usageError("The message is empty", 'Write it behind: steward chat "…"');
  return text;
}

async function talk(given: Given): Promise<number> {
  const connection = await reach(given.host, true);
  const { dialog } = await import("../dialog.ts");
  try {
    return await dialog(given.host, connection, await chosen(connection.client, given));
  } finally {
    await connection.close();
  }
}

async function chosen(client: Client, { flags }: Given): Promise<string> {
  const named = flags.text("session");
  const session = flags.has("new")
    ? (await client.call("sessions.make", { body: {} })).id
    : named === undefined
      ? await currentOf(client)
      : await sessionOf(client, named);
  const model = flags.text("model");
  if (model !== undefined)
    await client.call("sessions.change", { params: { id: session }, body: { model: model === "default" ? null : model } });
  return session;
}

async function once(given: Given, text: string): Promise<number> {
  const { host, out, flags } = given;
  return withClient(
    host,
    async (client) => {
      const session = await chosen(client, given);
      const leaving = new AbortController();
      const kept = collector();
      const screen = openScreen({ ...host, live: !flags.has("no-stream") && !flags.has("json") });
      const asked = questions(given, { client, screen, leave: () => leaving.abort() });
      const teller = flags.has("json") ? undefined : openTeller(screen);
      const stopped = cancelOnSignal(client, session);
      try {
        const ended = await say(
          { client, session, leaving: leaving.signal, watcher: both({ ...teller, ...asked.watcher }, kept.watcher) },
          text,
        );
        if (ended) teller?.ended(ended);
        if (flags.has("json")) out.json({ session, ...kept.read(), ...(ended ?? { stop: "asked", asks: asked.open }) });
        return ended ? codeOf(ended) : UNANSWERED;
      } finally {
        stopped();
        asked.close();
      }
    },
    true,
  );
}

function codeOf({ stop, error }: Ended): number {
  if (stop === "cancelled") return INTERRUPTED;
  if (error) return exitCodes[error.code];
  return stop === "limit" ? exitCodes.limit : stop === "failed" ? exitCodes.internal : DONE;
}

/** The first Ctrl-C stops the turn, the second leaves at once. Returns how to stop listening. */
function cancelOnSignal(client: Client, session: string): () => void {
  const state = { count: 0 };
  const cancel = (): void => {
    if (++state.count > 1) process.exit(INTERRUPTED);
    void client.call("sessions.cancel", { params: { id: session } }).catch(() => process.exit(INTERRUPTED));
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, cancel);
  return () => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, cancel);
  };
}

interface Questions {
  watcher: Watcher;
  /** Those that nobody here could answer. */
  open: Ask[];
  close(): void;
}

/** Asked in the terminal when there is one, one after the other; else shown with the way to answer, and the command ends. */
function questions({ host, flags }: Given, { client, screen, leave }: { client: Client; screen: Screen; leave: () => void }): Questions {
  const waiting = new Map<string, AbortController>();
  const able = host.stdin.isTTY && host.stderr.isTTY && !flags.has("json");
  const open: Ask[] = [];
  const line = { tail: Promise.resolve() };
  const pose = async (ask: Ask, signal: AbortSignal): Promise<void> => {
    for (const text of signal.aborted ? [] : questionLines(ask)) screen.note(text);
    while (!signal.aborted) {
      const typed = await readTyped(host, "> ", signal);
      const reply = readAnswer(ask, typed, Date.now());
      if (reply) await client.call("asks.answer", { params: { id: ask.id }, body: reply });
      if (reply) return;
      screen.note(`Answers: ${choices(ask)}`);
    }
  };
  const giveUp = (ask: Ask, error: unknown): void => {
    if (waiting.get(ask.id)?.signal.aborted || hasCode(error, "conflict")) return;
    if (!hasCode(error, "denied")) screen.note(error instanceof StewardError ? error.message : String(error));
    screen.note(howToAnswer(ask, Date.now()));
    open.push(ask);
    leave();
  };
  return {
    open,
    watcher: {
      ask(ask) {
        if (waiting.has(ask.id) || open.some(({ id }) => id === ask.id)) return;
        if (!able) {
          if (!flags.has("json"))
            for (const text of [...questionLines(ask).slice(0, -1), howToAnswer(ask, Date.now())])
              host.stderr.write(`${paint(text, false)}\n`);
          open.push(ask);
          return leave();
        }
        const answered = new AbortController();
        waiting.set(ask.id, answered);
        screen.state("");
        line.tail = line.tail.then(() => pose(ask, answered.signal)).catch((error: unknown) => giveUp(ask, error));
      },
      answered: (id) => waiting.get(id)?.abort(),
    },
    close: () => {
      for (const one of waiting.values()) one.abort();
    },
  };
}

/** What a program wants to know of the turn. */
function collector() {
  const texts: string[] = [];
  const tools: {
    tool: string;
    input: unknown;
    success?: boolean;
    output?: unknown;
    error?: string | null;
    ms?: number;
    undo?: string[];
  }[] = [];
  const item = (one: Item): void => {
    if (one.kind === "text") texts.push(one.text);
    if (one.kind !== "tool") return;
    const { success, output, error, ms, undo } = one.result ?? {};
    tools.push({
      tool: one.call.tool,
      input: one.call.input,
      ...(one.result ? { success: success!, output, error: error ?? null } : {}),
      ...(ms === undefined ? {} : { ms }),
      ...(undo ? { undo } : {}),
    });
  };
  return { watcher: { item } satisfies Watcher, read: () => ({ text: texts.join("\n\n"), tools }) };
}

const both = (first: Watcher, second: Watcher): Watcher => ({
  ...first,
  item(one) {
    first.item?.(one);
    second.item?.(one);
  },
});
