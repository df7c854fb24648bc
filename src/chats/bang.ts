// OS-Agent's commands in Discord: `!exec` and its kin, and the answers to what a running one asks. Who may speak was decided before; each is a job, so it is durable, and it runs once. What they do is bang-work.ts.
import { createHash } from "node:crypto";
import type { Inbound } from "../core/channel.ts";
import type { Address, Principal } from "../core/types.ts";
import { countMessage } from "../run/allowance.ts";
import { chatKey } from "../run/inbox.ts";
import { homeKey, laneOf, sending } from "../run/outbox.ts";
import { usedBy } from "../run/returns.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { inLane } from "../std/lanes.ts";
import type { Admitted } from "./admission.ts";

export const BANGS = ["exec", "run", "ls", "read", "write", "delete", "notify", "restartvm", "reset", "shutdown"] as const;
export type Bang = (typeof BANGS)[number];
/** These wait for none that runs. */
const AT_ONCE: readonly Bang[] = ["restartvm", "shutdown"];

export interface BangData {
  principal: Principal;
  /** The platform's id of whoever typed it: only they answer what it asks. */
  from: string;
  /** The owner typed it. */
  owner: boolean;
  session: string;
  to: Address;
  key: string;
  id: string;
  name: Bang;
  rest: string;
}
/** What a running command waits for. */
export interface Awaited {
  shell: string;
  principal: Principal;
}

/** Whether people know OS-Agent's bot from there. */
export const speaksOsAgent = ({ settings }: Steward, channel: string): boolean =>
  (settings.config().channels[channel]?.kind ?? channel) === "discord";

export function bangIn(text: string): { name: Bang; rest: string } | undefined {
  const [, name = "", rest = ""] = /^!([a-z]+)(?:\s+([\s\S]*))?$/.exec(text.trim()) ?? [];
  const known = BANGS.find((one) => one === name);
  return known && { name: known, rest };
}

export const awaitedKey = (to: Address, from: string): string => `bang-waits/${laneOf(to)}/${encodeURIComponent(from)}`;

/** In a room these are meant without a mention: a command, and the answer to one's question. */
export async function isBangTalk(steward: Steward, { to, from, kind, text, forwarded = false }: Inbound): Promise<boolean> {
  if (kind !== "message" || forwarded || !speaksOsAgent(steward, to.channel)) return false;
  return bangIn(text) !== undefined || (await steward.store.get(awaitedKey(to, from))) !== undefined;
}

/** True when it was one of them; then it is durable. The same message twice is one. `!reset` is Steward's own `/clear`. */
export async function takeBang(
  steward: Steward,
  { to, from, key, kind, text, forwarded = false }: Inbound,
  { admitted: { who, writer }, session }: { admitted: Admitted; session: string },
): Promise<boolean> {
  if (kind !== "message" || forwarded || !speaksOsAgent(steward, to.channel)) return false;
  const found = bangIn(text);
  const once = chatKey(to, key);
  if (!found) return answered(steward, { to, from, text, once });
  if (found.name === "reset") return false;
  countMessage(steward, who);
  const principal: Principal = { person: who.person, role: who.role, via: "osAgent" };
  const data: BangData = {
    ...{ principal, from, owner: (writer ?? who).role === "owner", session, to, key: once, ...found },
    id: `bang_${createHash("sha256")
      .update(JSON.stringify([who.person, once]))
      .digest("hex")
      .slice(0, 24)}`,
  };
  const lane = `bang/${laneOf(to)}${AT_ONCE.includes(found.name) ? "/now" : ""}`;
  await steward.store.commit({
    once: data.id,
    put: { [homeKey(session)]: to, ...usedBy(steward, who.person, session) },
    jobs: [{ id: newId("job"), kind: "bang", lane, data }],
  });
  return true;
}

const TYPED = "bang-typed/";
const KEPT_MS = 2 * 86_400_000;

interface Typing {
  to: Address;
  from: string;
  text: string;
  once: string;
}

/** One after the other in a chat, so that the same message twice is typed once. */
const answered = (steward: Steward, typing: Typing): Promise<boolean> =>
  inLane(steward.lanes, `${TYPED}${laneOf(typing.to)}`, () => typed(steward, typing));

/** The terminal is looked for first: while that fails nothing is noted, and the message comes again. What was typed can't be taken back, so it is noted just before. */
async function typed(steward: Steward, { to, from, text, once }: Typing): Promise<boolean> {
  const { store, now } = steward;
  const mark = `${TYPED}${once}`;
  if (await store.get(mark)) return true;
  const key = awaitedKey(to, from);
  const awaited = (await store.get(key)) as Awaited | undefined;
  if (!awaited) return false;
  const { shell: id, principal } = awaited;
  const computer = await steward.computers.own(principal.person);
  const shell = await computer.shell({ id, columns: 120, rows: 40, existing: true, script: true }).catch(unlessGone);
  const old = (await store.list(TYPED)).filter(({ value }) => ((value as { at?: number }).at ?? 0) < now() - KEPT_MS);
  // Not to the agent: it may be a password.
  const gone = shell
    ? undefined
    : sending({ person: principal.person, to, text: "Nothing waits for this any more; it was not typed." }, now());
  await store.commit({ ...gone, put: { [mark]: { at: now() }, ...gone?.put }, drop: [key, ...old.map((one) => one.key)] });
  shell?.write(`${text}\n`);
  return true;
}

function unlessGone(error: unknown): undefined {
  if (!hasCode(error, "not_found")) throw error;
}

/** Where uploads lie, as OS-Agent's bot says it. */
export async function reported(
  steward: Steward,
  { person }: Principal,
  { to, key, placed }: { to: Address; key: string; placed: string[] },
): Promise<void> {
  const sent = sending({ person, to, text: `Uploaded:\n${placed.map((one) => `\`${one}\``).join("\n")}` }, steward.now());
  await steward.store.commit({ once: `uploaded/${person}/${chatKey(to, key)}`, ...sent });
}
