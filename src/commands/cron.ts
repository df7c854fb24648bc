// /cron: schedules, from any chat.
import type { Reply } from "../run/asides.ts";
import { zoneOf } from "../run/steward.ts";
import { addSchedule, BY_HAND, removeSchedule, runNow, turnSchedule } from "../schedules/change.ts";
import { historyOf } from "../schedules/history.ts";
import { momentText, wholeText, whenText } from "../schedules/said.ts";
import { type Run, type Schedule, scheduleOf, schedulesOf } from "../schedules/state.ts";
import { readWhen } from "../schedules/words.ts";
import { oneLine, revealed } from "../std/text.ts";
import { type Command, type Given, list, type Place } from "./command.ts";

const MOST = 20;
const VERBS = ["list", "add", "show", "history", "remove", "pause", "resume", "run"];

export const cron: Command = {
  name: "cron",
  about: "Schedules: what is done later or again and again",
  forms: [
    { text: "cron [list]", about: "which there are, and when each is due" },
    {
      text: 'cron add "WHEN" WHAT',
      about: 'the agent does that then: "every weekday at 9", "in 20 minutes", "0 9 * * 1-5"; the result comes into this conversation',
    },
    { text: "cron show ID", about: "what it does" },
    { text: "cron history ID", about: "how its due times ended" },
    { text: "cron pause ID", about: "for a while" },
    { text: "cron resume ID [yes]", about: "it goes on; one that waits for you to look at it is shown first, and runs after yes" },
    { text: "cron run ID", about: "once now, also what was missed" },
    { text: "cron remove ID", about: "takes one away; /undo brings it back" },
  ],
  values: async ({ steward, who }) => [...VERBS, ...(await schedulesOf(steward, who)).slice(0, MOST).map(({ id }) => id)],
  async read(given, place) {
    const [verb = "list", id, ...more] = given.words;
    const what = verb.toLowerCase();
    if (what === "list" && id === undefined) return () => all(place);
    if (what === "add") return adds(given, place);
    const yes = what === "resume" && more.length === 1 && more[0]!.toLowerCase() === "yes";
    if (!VERBS.includes(what) || what === "list" || id === undefined || (more.length > 0 && !yes)) return undefined;
    if (!given.slash && !(await schedulesOf(place.steward, place.who)).some((doc) => doc.id === id)) return undefined;
    return async () => ({ text: yes ? await turn(place, id, true) : await act(place, what, id) });
  },
};

/** Without a slash only what can be read as a time is a command. */
function adds({ rest, slash }: Given, place: Place): (() => Promise<Reply>) | undefined {
  const [, when, what] = /^add\s+["“]([^"”]+)["”]\s+(\S[\s\S]*)$/i.exec(rest) ?? [];
  if (when === undefined || what === undefined) return undefined;
  const { steward, who, session } = place;
  const clock = { now: steward.now(), zone: zoneOf(steward) };
  if (!slash && !reads(when, clock)) return undefined;
  return async () => {
    const trigger = readWhen(when, clock);
    const doc = await addSchedule(
      steward,
      who,
      { trigger, action: { prompt: what }, deliver: { to: "session", session } },
      { ...BY_HAND, session },
    );
    return { text: `Scheduled: ${line(place, doc)}` };
  };
}

function reads(when: string, clock: { now: number; zone: string }): boolean {
  try {
    return Boolean(readWhen(when, clock));
  } catch {
    return false;
  }
}

async function all(place: Place): Promise<Reply> {
  const docs = (await schedulesOf(place.steward, place.who)).toSorted((a, b) => (a.next ?? Infinity) - (b.next ?? Infinity));
  if (docs.length === 0) return { text: 'Nothing is scheduled. /cron add "every weekday at 9" WHAT does that, or just say it.' };
  const more = docs.length > MOST ? `\n\nAnd ${docs.length - MOST} more: the page Schedules shows all.` : "";
  return { text: `${list(docs.slice(0, MOST).map((doc) => line(place, doc)))}${more}` };
}

function line({ steward }: Place, doc: Schedule): string {
  const zone = zoneOf(steward);
  const state = doc.held ? ", waits until you resume it" : doc.finished ? ", finished" : doc.enabled ? "" : ", paused";
  const next = doc.next === undefined ? "" : `, next ${momentText(doc.next, zone)}`;
  return `${doc.id} ${whenText(doc.trigger, zone)}${"at" in doc.trigger ? "" : next}${state}: ${oneLine(doc.name, 60)}`;
}

async function act(place: Place, what: string, id: string): Promise<string> {
  const { steward, who, session } = place;
  const doc = await scheduleOf(steward, who, id);
  if (what === "resume" && doc.held) return `${seen(place, doc)}\n\n/cron resume ${id} yes lets it run, /cron remove ${id} takes it away.`;
  if (what === "pause" || what === "resume") return turn(place, id, what === "resume");
  if (what === "remove") {
    await removeSchedule(steward, who, id, { ...BY_HAND, session });
    return `Removed: ${oneLine(doc.name, 60)}. /undo brings it back.`;
  }
  if (what === "run") {
    const asked = (await historyOf(steward, doc, { limit: 5 })).find(({ asks }) => asks);
    await runNow(steward, who, id, asked?.due);
    return `It runs now: ${oneLine(doc.name, 60)}.`;
  }
  const rows = await historyOf(steward, doc, { limit: 10 });
  const text = Object.values(doc.action).join(" ");
  const head = `${line(place, doc)}${what === "show" ? `\n\n${oneLine(text, 1000)}` : ""}`;
  return rows.length === 0 ? `${head}\n\nNothing was due yet.` : `${head}\n\n${list(rows.map((row) => rowText(place, row)))}`;
}

async function turn(place: Place, id: string, on: boolean): Promise<string> {
  const { steward, who, session } = place;
  return `${on ? "Goes on" : "Paused"}: ${line(place, await turnSchedule(steward, who, id, { ...BY_HAND, session, on }))}`;
}

/** All of it, as it will run. */
const seen = ({ steward }: Place, doc: Schedule): string =>
  `The agent made this after reading what others may have written, or with nobody there:\n\n${revealed(wholeText(doc, zoneOf(steward)))}`;

function rowText({ steward }: Place, { due, to, count, outcome, reason, said }: Run): string {
  const zone = zoneOf(steward);
  const when = count && to ? `${momentText(due, zone)} to ${momentText(to, zone)}, ${count} times` : momentText(due, zone);
  return `${when}: ${outcome}${reason || said ? ` (${oneLine(reason ?? said ?? "", 120)})` : ""}`;
}
