// Helper agents: sessions of their own that work for another session of the same person, with no more rights than it has. Which tools they get is toolbox.ts.
import type { Stored } from "../core/events.ts";
import type { Agents } from "../core/ports.ts";
import type { Ask, Item, Principal } from "../core/types.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine, visible } from "../std/text.ts";
import type { Scope } from "./approval.ts";
import { turnJob } from "./jobs.ts";
import { sessionDoc, type SessionDoc, sessionKey, type Team, teamKey, teamOf } from "./sessions.ts";
import type { Steward } from "./steward.ts";
import { isTainted, taintKey } from "./taint.ts";

/** As it stands in `from` of what a senior says to its helper: never a person's id. */
export const seniorOf = (session: string): string => `agent:${session}`;
const MOST_TEXT = 100_000;
const TRIES = 10;

export interface NewAgent {
  name: string;
  details?: string;
  context?: string;
}

/** Makes a helper of that session; the same `call` twice makes one. Resolves to its name. Throws conflict, limit, invalid. */
export async function spawnAgent(
  steward: Steward,
  who: Principal,
  { session, call, name: given, details = "", context = "" }: NewAgent & { session: string; call: string },
): Promise<string> {
  const name = oneLine(visible(given), 60);
  if (name === "") throw new StewardError("invalid", "An agent needs a name");
  if ((await sessionDoc(steward, who, session)).parent !== undefined)
    throw new StewardError("denied", "Permission denied: a helper agent has no helpers");
  for (let tries = 0; tries < TRIES; tries++) {
    const team = await teamOf(steward, who, session);
    const known = find(team, name);
    if (known && known.call === call) return known.name;
    if (known) throw new StewardError("conflict", `Agent ${known.name} already exists`);
    if (team.agents.length >= steward.settings.config().agents.most) throw new StewardError("limit", "Agent limit reached");
    const agent = { name, session: newId("ses"), call, at: steward.now() };
    const brief = [`Your name: ${name}`, ...(details ? [`Details: ${details}`] : []), ...(context ? [`Context: ${context}`] : [])].join(
      "\n",
    );
    if (await enlist(steward, who, { session, team, agent, brief: visible(brief).slice(0, MOST_TEXT) })) return name;
  }
  throw new StewardError("conflict", "Agents are being made from several places at once");
}

const fold = (name: string): string => name.normalize("NFKC").toLowerCase();
const find = (team: Team, name: string): Team["agents"][number] | undefined => team.agents.find((agent) => fold(agent.name) === fold(name));

/** False when the team was changed meanwhile. */
async function enlist(
  steward: Steward,
  { person }: Principal,
  { session, team, agent, brief }: { session: string; team: Team; agent: Team["agents"][number]; brief: string },
): Promise<boolean> {
  const { name, session: id, at } = agent;
  const doc: SessionDoc = { id, title: name, createdAt: at, updatedAt: at, messages: 1, parent: session, agent: name };
  const version = team.version + 1;
  const stored = await steward.store.commit({
    once: `team/${session}/${version}`,
    put: {
      [teamKey(person, session)]: { version, agents: [...team.agents, agent] } satisfies Team,
      [sessionKey(person, id)]: doc,
      ...((await isTainted(steward, session, [])) ? { [taintKey(id)]: true } : {}),
    },
    events: [
      { session: id, event: { type: "session.created", person, title: name } },
      {
        session: id,
        event: {
          type: "message.received",
          id: newId("msg"),
          from: seniorOf(session),
          parts: [{ type: "text", text: brief }],
          key: agent.call,
        },
      },
    ],
  });
  return stored.length > 0;
}

/** The tools' road to helpers, for one call. */
export const agentsFor = (steward: Steward, scope: Scope, call: string): Agents => ({
  spawn: (agent) => spawnAgent(steward, scope.principal, { session: scope.session, call, ...agent }),
  async send(name, message) {
    const helper = find(await teamOf(steward, scope.principal, scope.session), oneLine(visible(name), 60));
    if (!helper) throw new StewardError("not_found", `Agent ${oneLine(visible(name), 60)} not found`);
    const text = visible(message).trim();
    if (text === "" || text.length > MOST_TEXT) throw new StewardError("invalid", `A message has 1 to ${MOST_TEXT} characters`);
    const key = `send/${call}`;
    const said = await tell(steward, scope, { helper: helper.session, key, text });
    const waiting = answerOf(steward, helper, { key, said, signal: scope.signal, asks: (ask) => tellAsk(scope, helper.name, ask) });
    return scope.away ? scope.away(waiting) : waiting;
  },
});

/** The same key twice is one message. Its number in the helper's log; undefined when it was said before. */
async function tell(
  steward: Steward,
  { session, turn, principal, how, log }: Scope,
  { helper, key, text }: { helper: string; key: string; text: string },
): Promise<number | undefined> {
  const { person } = principal;
  const tainted = await isTainted(steward, session, await log());
  const [stored] = await steward.store.commit({
    once: `tell/${helper}/${key}`,
    events: [
      {
        session: helper,
        event: { type: "message.received", id: newId("msg"), from: seniorOf(session), parts: [{ type: "text", text }], key },
      },
    ],
    merge: { [sessionKey(person, helper)]: { asked: turn, updatedAt: steward.now(), snippet: oneLine(text, 120) } },
    add: { [sessionKey(person, helper)]: { messages: 1 } },
    ...(tainted ? { put: { [taintKey(helper)]: true } } : {}),
    jobs: [turnJob(helper, principal, how)],
  });
  return stored?.seq;
}

/** A question of a helper is said in its senior's session too, once, for whoever follows only that. */
async function tellAsk({ turn, log, emit }: Scope, name: string, { id, prompt }: Ask): Promise<void> {
  const item: Item = { id: `itm_${id}`, kind: "notice", level: "warning", text: `Agent ${name} waits for your answer: ${prompt}` };
  const told = (await log()).some(({ event }) => event.type === "item.completed" && event.item.id === item.id);
  if (!told) await emit([{ type: "item.completed", turn, item }]);
}

interface Wanted {
  key: string;
  said: number | undefined;
  signal: AbortSignal;
  /** A question is open. */
  asks(ask: Ask): Promise<void>;
}

/** Waits for the end of the turn that has read the message. */
async function answerOf(
  { store }: Steward,
  helper: { name: string; session: string },
  { key, said, signal, asks }: Wanted,
): Promise<string> {
  const stop = new AbortController();
  const { session } = helper;
  const log: Stored[] = [];
  try {
    const watching = store.watch(AbortSignal.any([signal, stop.signal]))[Symbol.asyncIterator]();
    let next = watching.next();
    for (;;) {
      log.push(...(await store.events(session, { after: log.at(-1)?.seq ?? (said ?? 1) - 1 })));
      const end = endOf(log, key);
      if (end) return spoken(helper.name, log, end);
      for (const ask of openAsks(log)) await asks(ask);
      let notice = await next;
      while (!notice.done && notice.value.session !== undefined && (notice.value.session !== session || notice.value.live))
        notice = await watching.next();
      if (notice.done) break;
      next = watching.next();
    }
  } finally {
    stop.abort();
  }
  if (hasCode(signal.reason, "stale")) throw signal.reason; // the answer is found by the next worker
  throw new StewardError(
    "unavailable",
    signal.aborted ? "Stopped before it had answered" : "It is not known what it answered: ask it again",
  );
}

function openAsks(log: Stored[]): Ask[] {
  const answered = new Set(log.flatMap(({ event }) => (event.type === "ask.answered" ? [event.ask] : [])));
  return log.flatMap(({ event }) => (event.type === "ask.opened" && !answered.has(event.ask.id) ? [event.ask] : []));
}

type End = Stored["event"] & { type: "turn.completed" };

function endOf(log: Stored[], key: string): End | undefined {
  const asked = log.find(({ event }) => event.type === "message.received" && event.key === key)?.seq;
  if (asked === undefined) return undefined;
  const end = log.find(({ event, seq }) => seq > asked && event.type === "turn.completed" && event.seen >= asked)?.event;
  return end?.type === "turn.completed" ? end : undefined;
}

/** What the helper said last in that turn. */
function spoken(name: string, log: Stored[], { turn, stop, error }: End): string {
  if (stop === "failed")
    throw new StewardError(
      error?.code ?? "internal",
      `Agent ${name} failed: ${error?.message ?? "unknown"}`,
      error?.hint ? { hint: error.hint } : {},
    );
  if (stop === "cancelled") throw new StewardError("unavailable", `Agent ${name} was stopped`);
  const items = log.flatMap(({ event }) => (event.type === "item.completed" && event.turn === turn ? [event.item] : []));
  const texts = (some: typeof items): string => some.flatMap((item) => (item.kind === "text" ? [item.text] : [])).join("\n\n");
  return texts(items.slice(items.findLastIndex(({ kind }) => kind === "step") + 1)) || texts(items);
}
