// Commands about what works in the background: subagents, tasks.
import type { TaskInfo } from "../core/api-tasks.ts";
import type { Reply } from "../run/asides.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { type Command, list, type Place } from "./command.ts";
import { ago } from "./words.ts";

const isOver = ({ state, helper }: TaskInfo): boolean => state !== "waiting" && state !== "running" && !helper;

/** Those that this session started, and what they started; helper agents of it. */
export const subagents: Command = {
  name: "subagents",
  about: "Subagents of this session",
  forms: [
    { text: "subagents", about: "which are at work, and what they do" },
    { text: "subagents stop NAME", about: "stops that one, and what it started" },
  ],
  async read({ words: [verb, ...more], rest, slash }, place) {
    if (verb === undefined || (verb.toLowerCase() === "list" && more.length === 0))
      return async () => {
        const shown = (await ofSession(place)).filter((task) => !isOver(task));
        return {
          text: shown.length === 0 ? "This session has no subagents at work." : `${told(shown, place)}\n\n/subagents stop NAME stops one.`,
        };
      };
    if (verb.toLowerCase() !== "stop" || more.length === 0) return undefined;
    return onOne(place, { name: rest.slice(verb.length).trim(), slash, among: await ofSession(place) }, stop);
  },
};

export const tasks: Command = {
  name: "tasks",
  about: "What works in the background",
  forms: [
    { text: "tasks", about: "what is at work, and what was ready last" },
    { text: "tasks run WHAT", about: "works on that in the background, and tells the result here" },
    { text: "tasks show NAME", about: "its state and its result" },
    { text: "tasks stop NAME", about: "stops it, and what it started" },
    { text: "tasks resume NAME", about: "goes on with one that stopped or failed" },
    { text: "tasks team NAME GOAL", about: "gives a team of the configuration a goal" },
  ],
  values: async () => ["run", "show", "stop", "resume", "team"],
  async read({ words: [verb, ...more], rest, slash }, place) {
    const { steward, who, session } = place;
    const text = rest.slice(verb?.length ?? 0).trim();
    const what = verb?.toLowerCase();
    if (what === undefined || (what === "list" && more.length === 0)) return () => newest(place);
    if (what === "run" && slash && more.length > 0) return async () => started(await steward.tasks.start(who, { text, session }));
    if (what === "team" && slash && more.length > 1)
      return async () => started(await steward.tasks.team(who, { team: more[0]!, goal: text.slice(more[0]!.length).trim(), session }));
    if (more.length === 0 || !["show", "stop", "resume"].includes(what)) return undefined;
    const one = { name: text, slash, among: await steward.tasks.list(who) };
    return onOne(place, one, what === "stop" ? stop : what === "show" ? show : resume);
  },
};

const started = ({ name, id }: TaskInfo): Reply => ({ text: `${name} is at work (${id}). Its result comes here.` });

async function ofSession({ steward, who, session }: Place): Promise<TaskInfo[]> {
  const all = await steward.tasks.list(who);
  const found = all.filter(({ from }) => from === session);
  for (let at = 0; at < found.length; at++) found.push(...all.filter(({ parent }) => parent !== undefined && parent === found[at]!.id));
  return [...new Set(found)];
}

async function newest(place: Place): Promise<Reply> {
  const all = await place.steward.tasks.list(place.who);
  const open = all.filter((task) => !isOver(task));
  const over = all.filter(isOver).slice(-5);
  if (all.length === 0) return { text: "There are no tasks. /tasks run WHAT begins one." };
  return {
    text: [
      ...(open.length > 0 ? [told(open, place)] : ["Nothing is at work."]),
      ...(over.length > 0 ? [`Ready before:\n\n${told(over, place)}`] : []),
    ].join("\n\n"),
  };
}

const told = (some: TaskInfo[], { steward }: Place): string =>
  list(
    some.map(({ id, name, state, asks, progress, at, endedAt, cost, helper }) => {
      const how = asks > 0 ? "waits for your answer" : helper && state === "done" ? "idle" : state;
      const more = [...(cost > 0 ? [`$${cost.toFixed(2)}`] : []), ago(endedAt ?? at, steward.now())];
      return `${name}: ${how}${progress ? ` – ${oneLine(progress, 60)}` : ""} (${[...more, id].join(", ")})`;
    }),
  );

type Doing = (place: Place, task: TaskInfo) => Promise<Reply>;

/** By name or id, the newest first. Without a slash, only what there is. */
function onOne(
  place: Place,
  { name, slash, among }: { name: string; slash: boolean; among: TaskInfo[] },
  act: Doing,
): (() => Promise<Reply>) | undefined {
  const found =
    among.findLast((one) => one.id === name || one.session === name) ??
    among.findLast((one) => one.name.toLowerCase() === name.toLowerCase());
  if (!found && !slash) return undefined;
  return async () => {
    if (!found) throw new StewardError("not_found", `There is no subagent ${oneLine(name, 60)} here`, { hint: "/tasks lists all." });
    return act(place, found);
  };
}

const stop: Doing = async ({ steward, who }, { id, name, state }) => {
  if (state !== "waiting" && state !== "running") return { text: `${name} is not running.` };
  await steward.tasks.stop(who, id);
  return { text: `Stopped ${name}.` };
};

const resume: Doing = async ({ steward, who }, { id, name }) => {
  await steward.tasks.resume(who, id, {});
  return { text: `${name} goes on.` };
};

const show: Doing = async (place, task) => {
  const { result, engine, model, session } = task;
  const lines = [
    told([task], place),
    `${engine} · ${model}, session ${session}`,
    ...(result?.error ? [result.error] : []),
    ...(result?.text ? [result.text] : []),
  ];
  return { text: lines.join("\n\n") };
};
