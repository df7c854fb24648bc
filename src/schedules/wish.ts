// What the agent wishes of schedules: made, listed, paused, resumed, taken away, each undoable. It plans only for the person it works for.
import { saidByPerson, type Scope } from "../run/approval.ts";
import type { Need } from "../run/identity.ts";
import type { Journal } from "../run/journal.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { isTainted } from "../run/taint.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { addSchedule, type Maker, removeSchedule, turnSchedule } from "./change.ts";
import { alerting, HELD } from "./report.ts";
import { momentText, wholeText, whenText } from "./said.ts";
import { type Action, type Schedule, scheduleKey, scheduleOf, schedulesOf } from "./state.ts";
import { readWhen } from "./words.ts";

const TOOL = "schedule_task";
const MOST_TOLD = 50;
const textOf = (value: unknown): string | undefined => (typeof value === "string" && value.trim() !== "" ? value.trim() : undefined);

export async function wish(steward: Steward, scope: Scope, journal: Journal, input: Record<string, unknown>): Promise<unknown> {
  const { principal: who, session, turn } = scope;
  const maker: Maker = { source: "agent", session, turn, tool: TOOL, ids: journal.ids };
  const id = textOf(input["id"]);
  const action = textOf(input["action"]) ?? (id === undefined && input["when"] === undefined ? "list" : "add");
  if (action === "list") return list(steward, await schedulesOf(steward, who));
  if (action === "add") return told(steward, await add(steward, scope, { input, maker }));
  if (id === undefined) throw new StewardError("invalid", `${action} takes the id of one`, { hint: "action list shows them." });
  if (action === "cancel") {
    const doc = await scheduleOf(steward, who, id);
    await removeSchedule(steward, who, id, maker);
    return { cancelled: id, name: doc.name };
  }
  if (action !== "pause" && action !== "resume") throw new StewardError("invalid", "action is add, list, cancel, pause or resume");
  return told(steward, await turnSchedule(steward, who, id, { ...maker, on: action === "resume" }));
}

/** Whether nobody is there who sees what is planned, or it has a ceiling of its own: in a run of a schedule, in a task, for an agent of another system, and for their helpers. */
async function isAlone({ store }: Steward, { principal: { person, via }, session, senior, how }: Scope): Promise<boolean> {
  if (via === "schedule" || how?.ceiling) return true;
  const doc = (await store.get(sessionKey(person, senior ?? session))) as SessionDoc | undefined;
  return doc?.task !== undefined;
}

const AFTER = "After reading what others may have written, Steward wants to";

/** What would change the person's plans asks once words of others were read; so does what nobody sees going on. */
export async function needsOf(
  steward: Steward,
  scope: Scope,
  { tool, input }: { tool: string; input: Record<string, unknown> },
): Promise<Need[]> {
  if (tool !== TOOL) return [];
  const [id, action = ""] = [textOf(input["id"]), textOf(input["action"])];
  if (id === undefined || !["cancel", "pause", "resume"].includes(action)) return [];
  const doc = (await steward.store.get(scheduleKey(scope.principal.person, id))) as Schedule | undefined;
  if (!doc || doc.held) return [];
  const tainted = await isTainted(steward, scope.session, await scope.log());
  if (!tainted && !(action === "resume" && (await isAlone(steward, scope)))) return [];
  const prompt = `${tainted ? AFTER : "With nobody there, Steward wants to"} ${action} the schedule “${oneLine(doc.name, 60)}” (${id})`;
  return [{ scope: `schedule:${id}:${action}`, lasts: "once", prompt, shows: wholeText(doc, zoneOf(steward)) }];
}

const words = (text: string): string => oneLine(text, Infinity).toLowerCase();

/** Its result comes back into the session in which it was wished for. */
async function add(steward: Steward, scope: Scope, { input, maker }: { input: Record<string, unknown>; maker: Maker }): Promise<Schedule> {
  const { principal: who, session, senior } = scope;
  const when = textOf(input["when"]);
  const [prompt, remind] = [textOf(input["prompt"]), textOf(input["remind"])];
  if (when === undefined) throw new StewardError("invalid", "when is missing");
  if ((prompt === undefined) === (remind === undefined))
    throw new StewardError("invalid", "Either prompt (the agent does it) or remind (the person is told)");
  const trigger = readWhen(when, { now: steward.now(), zone: zoneOf(steward) });
  const action: Action = prompt === undefined ? { tell: remind! } : { prompt };
  const log = await scope.log();
  const alone = await isAlone(steward, scope);
  const holds = alone || (await isTainted(steward, session, log));
  const agreed = !holds && (await saidByPerson(steward, scope, log)).some((text) => words(text).includes(words(prompt ?? remind!)));
  const doc = await addSchedule(
    steward,
    who,
    { trigger, action, name: textOf(input["name"]) ?? "", deliver: { to: "session", session: senior ?? session } },
    { ...maker, holds, agreed },
  );
  if (alone) await steward.store.commit(await alerting(steward, who.person, { cause: HELD, text: heldText(steward, doc) }));
  return doc;
}

const heldText = (steward: Steward, doc: Schedule): string =>
  `The agent has scheduled something while nobody was there. It runs only when you resume it (/cron resume ${doc.id}), and so does what else waits:\n\n${wholeText(doc, zoneOf(steward))}`;

function told(steward: Steward, doc: Schedule): Record<string, unknown> {
  const zone = zoneOf(steward);
  const { id, name, trigger, next, enabled, held, finished } = doc;
  return {
    ...{ id, name, when: whenText(trigger, zone) },
    ...(next === undefined ? {} : { next: momentText(next, zone) }),
    ...(enabled ? {} : { paused: true }),
    ...(finished ? { finished: true } : {}),
    ...(held
      ? {
          held: "It was made after reading what others may have written, or with nobody there: it runs once the person has resumed it on the page Schedules",
        }
      : {}),
  };
}

/** What others may have written stands in no list before the person has seen it. */
function list(steward: Steward, all: Schedule[]): unknown {
  const first = all.toSorted((a, b) => (a.next ?? Infinity) - (b.next ?? Infinity)).slice(0, MOST_TOLD);
  const shown = first.map((doc) => {
    const does = Object.values(doc.action)[0] as string;
    return doc.held ? { ...told(steward, doc), name: "(not seen yet)" } : { ...told(steward, doc), does: oneLine(does, 120) };
  });
  return { schedules: shown, ...(all.length > shown.length ? { more: all.length - shown.length } : {}) };
}
