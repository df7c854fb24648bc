// When the chosen one can't answer: who is next in the chain, who rests and until when. The turn walks it.
import { createHash } from "node:crypto";
import { dateText } from "../core/history.ts";
import type { Outcome } from "../core/ports.ts";
import type { Failure, Item, Usage } from "../core/types.ts";
import type { Reason } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { breach, type Choice } from "./choice.ts";
import { keep, type Running } from "./running.ts";
import { type Named, sum } from "./settle.ts";
import { type Steward, zoneOf } from "./steward.ts";

/** An engine and the model that it asks, as "provider/name". */
export type Candidate = Pick<Choice, "engine" | "model">;
export interface Rest {
  model: string;
  /** Epoch milliseconds. */
  until: number;
  why: string;
  /** Something was too long there, so it rests only for that. */
  window?: true;
}

const PREFIX = "rest/";
const MINUTE_MS = 60_000;
/** An outage is over sooner than a quota is filled. */
const SHORT: Partial<Record<Reason, number>> = { rate: MINUTE_MS, outage: MINUTE_MS, program: MINUTE_MS };

/** Why another may answer where this one failed; undefined for what would fail anywhere. */
export const reasonOf = ({ reason, code }: Failure): Reason | undefined => reason ?? (code === "unavailable" ? "outage" : undefined);

/** The chosen one, then the chain of the configuration; each once, and none that a pin forbids: `refused` says why the chosen one is not among them. */
export async function candidates(steward: Steward, choice: Choice): Promise<{ all: Candidate[]; refused?: Failure }> {
  const { engine, model } = choice;
  const { failover, engines } = steward.settings.config();
  const chain = failover.chain.length > 0 ? failover.chain.map((entry) => parsed(entry, engine)) : otherProgram(engine, engines);
  const each = [{ engine, model }, ...chain].filter((one, at, list) => list.findIndex((other) => same(one, other)) === at);
  const breaches = await Promise.all(each.map((one) => breach(steward, choice, one)));
  const [refused] = breaches;
  return { all: each.filter((_, at) => breaches[at] === undefined), ...(refused ? { refused } : {}) };
}

const same = (one: Candidate, other: Candidate): boolean => one.engine === other.engine && one.model === other.model;

function parsed(entry: string, chosen: string): Candidate {
  const [, engine = chosen, model = entry] = /^(?:([a-z][a-z0-9-]*):)?([a-z][a-z0-9-]*\/.+)$/.exec(entry) ?? [];
  return { engine, model };
}

/** Without a chain, Claude Code and OpenCode stand in for each other when the other has a model of its own. */
function otherProgram(engine: string, engines: Record<string, Record<string, unknown>>): Candidate[] {
  const other = { claude: "opencode", opencode: "claude" }[engine];
  const model = other && engines[other]?.["model"];
  return other && typeof model === "string" ? [{ engine: other, model }] : [];
}

/** What is too long there rests only until it is shorter, and never longer than its turn: the next may have nothing of it. */
const windowOf = ({ session, state, window }: Running): string => [session, state.from, state.seen, window].join("/");

/** One account and one model there; a new key is another account. `within`: a window, for what was too long in it; an engine, for what its program failed of by itself. */
async function restKey(steward: Steward, model: string, within: string): Promise<string> {
  const account = await steward.models.account(model);
  return `${PREFIX}${createHash("sha256")
    .update(JSON.stringify([account, model, within]))
    .digest("hex")
    .slice(0, 32)}`;
}

/** Leaves it alone until it said it is back, or for a while. */
export async function letRest(
  steward: Steward,
  { engine, model }: Candidate,
  { failure, window }: { failure: Failure; window: string },
): Promise<void> {
  const reason = reasonOf(failure);
  if (reason === undefined) return;
  const now = steward.now();
  const pause = SHORT[reason] ?? steward.settings.config().failover.restMinutes * MINUTE_MS;
  const until = failure.retryAt !== undefined && failure.retryAt > now + 5000 ? failure.retryAt : now + pause;
  const alone = engine !== "loop" && (failure.reason === undefined || reason === "program");
  const long = reason === "context";
  const key = await restKey(steward, model, long ? window : alone ? engine : "");
  const rest: Rest = { model, until, why: oneLine(failure.message, 200), ...(long ? { window: true } : {}) };
  await steward.store.commit({ put: { [key]: rest } });
  steward.log("warning", "A model rests", { model, reason, until: new Date(until).toISOString(), error: failure.message });
}

/** Why this one may not be asked now. */
export async function restOf(steward: Steward, { engine, model }: Candidate, window?: string): Promise<Rest | undefined> {
  for (const within of ["", engine, ...(window === undefined ? [] : [window])]) {
    const rest = (await steward.store.get(await restKey(steward, model, within))) as Rest | undefined;
    if (rest && rest.until > steward.now()) return rest;
  }
  return undefined;
}

/** The model of the first who may be asked and does not rest: for what is asked beside the turn. What the turn was too long for counts: it is asked for less. */
export async function awake(steward: Steward, choice: Choice): Promise<string | undefined> {
  for (const one of (await candidates(steward, choice)).all) if (!(await restOf(steward, one))) return one.model;
  return undefined;
}

/** All that rest now for whatever they are asked, soonest back first. What is over is dropped. */
export async function resting(steward: Steward): Promise<Rest[]> {
  const all = (await steward.store.list(PREFIX)).map(({ key, value }) => ({ key, rest: value as Rest }));
  const over = all.filter(({ rest }) => rest.until <= steward.now()).map(({ key }) => key);
  if (over.length > 0) await steward.store.commit({ drop: over });
  return all.flatMap(({ key, rest }) => (over.includes(key) || rest.window ? [] : [rest])).sort((a, b) => a.until - b.until);
}

export const nameOf = ({ engine, model }: Candidate): string => (engine === "loop" ? model : `${engine} (${model})`);

/** One line for the person: what failed and who goes on. */
const handedOn = (why: string, to: Candidate): string => `${plain(why)}: ${nameOf(to)} answers instead.`;
const plain = (why: string): string => why.replace(/[.\s]+$/, "");

/** One clear failure for all that were asked or rest; it is not tried again by itself. */
async function nobody(steward: Steward, all: Candidate[], window: string): Promise<Failure> {
  const rests = await Promise.all(all.map((one) => restOf(steward, one, window)));
  const reasons = rests.flatMap((rest, at) => {
    if (!rest) return [];
    const until = rest.window ? "" : `, rests until ${dateText(rest.until, zoneOf(steward))}`;
    return [`${nameOf(all[at]!)}: ${plain(rest.why)}${until}`];
  });
  const first = rests.some((rest) => rest?.window) ? "Send less at once" : "Wait until then";
  return {
    code: "limit",
    message: `Nobody can answer now. ${reasons.join("; ")}.`,
    hint: `${first}, or choose another: /model and /engine show what there is.`,
  };
}

interface Walk {
  turn: string;
  choice: Choice;
  attempt(named: Named): Promise<Outcome>;
}

/** Asks one after the other until one answers, or fails of what would fail anywhere. What was done stays done: the next goes on from the log. */
export async function walk(running: Running, { turn, choice, attempt }: Walk): Promise<{ named: Named; outcome: Outcome }> {
  const { steward, hold } = running;
  const window = windowOf(running);
  const { all, refused } = await candidates(steward, choice);
  const named = (one: Candidate): Named => ({ turn, engine: one.engine, model: one.model });
  if (all.length === 0)
    return { named: named(choice), outcome: { stop: "failed", seen: running.seen, ...(refused ? { error: refused } : {}) } };
  if (all.length === 1 && !refused) return { named: named(all[0]!), outcome: await attempt(named(all[0]!)) };
  const until = steward.now() + steward.settings.config().failover.seconds * 1000;
  const failed: { why?: string; usage?: Usage; seen: number; reason?: "context" } = {
    seen: running.seen,
    ...(refused ? { why: refused.message } : {}),
  };
  for (const one of all) {
    const rest = await restOf(steward, one, window);
    if (rest) {
      failed.why ??= rest.why;
      if (rest.window) failed.reason = "context";
      continue;
    }
    if (failed.why !== undefined) await tell(running, turn, handedOn(failed.why, one));
    const outcome = await attempt(named(one));
    const usage = sum(failed.usage, outcome.usage);
    const told = { ...outcome, ...(usage ? { usage } : {}) };
    const { error } = outcome;
    if (outcome.stop !== "failed" || !error || reasonOf(error) === undefined || hold.abort.signal.aborted)
      return { named: named(one), outcome: told };
    await letRest(steward, one, { failure: error, window });
    const { reason } = error;
    Object.assign(failed, { why: error.message, seen: outcome.seen }, usage ? { usage } : {}, reason === "context" ? { reason } : {});
    if (steward.now() > until) break;
  }
  const { usage, seen, reason } = failed;
  const error = { ...(await nobody(steward, all, window)), ...(reason ? { reason } : {}) };
  return { named: named(all[0]!), outcome: { stop: "failed", seen, error, ...(usage ? { usage } : {}) } };
}

/** Also clears what had been streamed but not kept. Once a turn, however often it begins anew. */
async function tell(running: Running, turn: string, text: string): Promise<void> {
  const log = await running.log.read();
  const known = log.some(
    ({ event }) => event.type === "item.completed" && event.turn === turn && event.item.kind === "notice" && event.item.text === text,
  );
  if (known) return;
  const item: Item = { id: newId("itm"), kind: "notice", level: "warning", text };
  await keep(running, { events: [{ type: "item.completed", turn, item }] });
}
