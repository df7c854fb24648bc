// The model's side of tasks, for one call: what its session may start, tell, wait for and stop. Who speaks is set here.
import type { SubagentWish, Subagents } from "../core/ports.ts";
import type { Scope } from "../run/approval.ts";
import { ownDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { isTainted } from "../run/taint.ts";
import { type TaskDoc, taskKey } from "../run/tasks.ts";
import type { Stored } from "../core/events.ts";
import { messagesAfter } from "../core/history.ts";
import { StewardError } from "../std/error.ts";
import { clip, oneLine, visible } from "../std/text.ts";
import { send } from "./bus.ts";
import { resumeTask, stopTask, untilTrue } from "./control.ts";
import { around, channelIn, foreignOf, isOpen, named, taskDoc, taskDocs, treeOf } from "./docs.ts";
import { listen } from "./ears.ts";
import { hopsOf, type Sender } from "./limits.ts";
import { type Starter, startTask } from "./start.ts";
import { runTeam } from "./teams.ts";
import { runMark } from "./telling.ts";
import { info } from "./view.ts";

const MOST_TEXT = 24_000;
const LOOK_BACK = 300;

interface Hand {
  steward: Steward;
  scope: Scope;
  call: string;
  task: TaskDoc | undefined;
}

export const handOf = (steward: Steward, scope: Scope, call: string): Subagents => ({
  async act(wish) {
    const { task } = await ownDoc(steward, scope.principal, scope.session);
    const all = await taskDocs(steward, scope.principal);
    const hand: Hand = { steward, scope, call, task: all.find(({ id }) => id === task) };
    return acts[wish.do](hand, wish, all);
  },
});

type Act = (hand: Hand, wish: SubagentWish, all: TaskDoc[]) => Promise<object>;
/** Ids of calls are an engine's own, so each counts within its turn. */
const keyOf = ({ scope: { session, turn }, call }: Hand): string => `${session}/${turn}/${call}`;
/** Steward's own words, not those of another. */
const own = (output: object): object => ({ own: true, ...output });

const acts: Record<SubagentWish["do"], Act> = {
  async start(hand, { name, text = "", engine, model, dollars, wait }) {
    const { steward, scope } = hand;
    const from = await starter(hand);
    const doc = await startTask(steward, scope.principal, {
      ...{
        by: hand.task === undefined && scope.principal.via === "schedule" ? "schedule" : "agent",
        name,
        text,
        engine,
        model,
        from,
        key: keyOf(hand),
        preface: PREFACE,
      },
      ...(dollars === undefined ? {} : { budget: { dollars } }),
    });
    return wait ? results(hand, [doc.id]) : own({ started: doc.name });
  },
  async team(hand, { name = "", text = "", wait }) {
    const { steward, scope } = hand;
    const doc = await runTeam(steward, scope.principal, { team: name, goal: text, key: keyOf(hand), from: await starter(hand) });
    return wait ? results(hand, [doc.id]) : own({ started: doc.name });
  },
  async send(hand, { name = "", text = "" }) {
    const to = await send(hand.steward, await senderOf(hand), { to: name, text, key: keyOf(hand) });
    return own({ sent: to });
  },
  join: (hand, { name = "" }) => heard(hand, name, true),
  leave: (hand, { name = "" }) => heard(hand, name, false),
  async list({ steward, scope, task }, _wish, all) {
    const some = around(all, { session: scope.session, task });
    const shown = await Promise.all(some.slice(-30).map((doc) => info(steward, scope.principal, doc)));
    return { subagents: shown.map(({ name, state, progress }) => ({ name, state, ...(progress ? { progress } : {}) })) };
  },
  wait: (hand, { name }, all) =>
    results(
      hand,
      name === undefined
        ? all.filter((one) => one.from === hand.scope.session && isOpen(one) && !one.stays).map(({ id }) => id)
        : [mine(hand, all, name).id],
    ),
  async stop(hand, { name = "" }, all) {
    const doc = mine(hand, all, name);
    await stopTask(hand.steward, hand.scope.principal, { id: doc.id, by: hand.task?.name ?? "Steward", quiet: true });
    return own({ stopped: doc.name });
  },
  async resume(hand, { name = "", text, wait }, all) {
    const doc = mine(hand, all, name);
    await resumeTask(hand.steward, hand.scope.principal, { id: doc.id, text, key: keyOf(hand), sender: await senderOf(hand) });
    return wait ? results(hand, [doc.id]) : own({ resumed: doc.name });
  },
};

const PREFACE =
  "You are a subagent. What you say last is your result and goes to who started you. To say something before, use the tool task (send, name: lead). Your task:";

async function starter(hand: Hand): Promise<Starter> {
  const { steward, scope } = hand;
  const log = await scope.log();
  const { session, turn, principal } = scope;
  const hops = await hopsOf(steward, session, principal.person);
  return { session, turn, hops, origin: originOf(hand), foreign: foreignOf(hand.task), tainted: await isTainted(steward, session, log) };
}

/** The turn that pays for what this one leads to: that with which it is counted itself, else this one. */
function originOf({ scope: { session, turn, how }, task }: Hand): NonNullable<TaskDoc["origin"]> {
  const { of = { session, turn }, ...ceiling } = how?.ceiling ?? {};
  return task?.origin ?? { ...of, ...(Object.keys(ceiling).length > 0 ? { ceiling } : {}) };
}

async function senderOf(hand: Hand): Promise<Sender> {
  const { steward, scope, task } = hand;
  const { session, principal } = scope;
  const name = task?.name ?? "Steward";
  const root = task === undefined ? session : treeOf(task);
  const hops = await hopsOf(steward, session, principal.person);
  return { principal, session, name, root, origin: originOf(hand), hops, ...(task ? { task } : {}) };
}

async function heard({ steward, scope, task }: Hand, name: string, on: boolean): Promise<object> {
  const channel = channelIn(foreignOf(task), name);
  return own({ channels: await listen(steward, scope.principal, { session: scope.session, channel, on }) });
}

/** What this session, or what it belongs to, started. */
function mine({ scope, task }: Hand, all: TaskDoc[], name: string): TaskDoc {
  const found = named(
    around(all, { session: scope.session, task }).filter(({ from }) => from === scope.session),
    name,
  );
  if (!found) throw new StewardError("not_found", `Agent ${oneLine(visible(name), 60)} not found`);
  return found;
}

/** Until all are over, or somebody has something to say to this session. A result that this brings is told no other way. */
async function results({ steward, scope, call }: Hand, ids: string[]): Promise<object> {
  const { principal, session, turn, signal } = scope;
  const { person } = principal;
  if (ids.length === 0) return own({ waited: "Nothing is at work" });
  const docs = (): Promise<TaskDoc[]> => Promise.all(ids.map((id) => taskDoc(steward, principal, id)));
  const wanted = { session, turn, call };
  const open = (await docs()).filter(isOpen);
  if (open.length > 0) await steward.store.commit({ merge: Object.fromEntries(open.map(({ id }) => [taskKey(person, id), { wanted }])) });
  const read = (await scope.log()).at(-1)?.seq ?? 0;
  const news = async (): Promise<boolean> => messagesAfter(await steward.store.events(session, { after: read }), read).length > 0;
  const waiting = untilTrue(steward, signal, async () => (await docs()).every((doc) => !isOpen(doc)) || (await news()));
  await (scope.away ? scope.away(waiting) : waiting);
  if (signal.aborted)
    throw signal.reason instanceof StewardError ? signal.reason : new StewardError("unavailable", "Stopped before it was ready");
  const now = await docs();
  const told = unread(await steward.store.events(session, { last: LOOK_BACK }), turn);
  const comes = (doc: TaskDoc): boolean => told.some((key) => key.startsWith(`result/${doc.id}/${doc.run}~`));
  const over = now.filter((doc) => !isOpen(doc));
  const room = Math.floor(MOST_TEXT / Math.max(1, over.length));
  return {
    results: over.map((doc) => ({
      ...{ name: doc.name, state: doc.state, id: runMark(doc) },
      text: comes(doc) ? "(It comes as a message.)" : clip(doc.result?.text ?? "", room),
      ...(doc.result?.error ? { error: doc.result.error } : {}),
      ...(doc.result?.files.length ? { files: doc.result.files } : {}),
    })),
    ...(over.length < now.length
      ? { atWork: now.filter(isOpen).map(({ name }) => name), note: "A message came: read it, then wait again." }
      : {}),
  };
}

/** Keys of messages that came since the turn made its calls: it reads them next. One that ended just when it was asked for is told so. */
function unread(log: Stored[], turn: string): string[] {
  const seen = log.flatMap(({ event }) =>
    event.type === "item.completed" && event.turn === turn && event.item.kind === "step" ? [event.item.seen] : [],
  );
  return messagesAfter(log, seen.at(-1) ?? Infinity).flatMap(({ event }) => (event.type === "message.received" ? [event.key ?? ""] : []));
}
