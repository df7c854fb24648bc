// steward cron: what is done later or again and again.
import type { Client } from "../../client/client.ts";
import type { GivenBody } from "../../core/api.ts";
import type { ScheduleInfo, ScheduleRun } from "../../core/api-schedules.ts";
import { StewardError } from "../../std/error.ts";
import { oneLine, revealed } from "../../std/text.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { saysThatItWaits, withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { agrees } from "../input.ts";
import { bold, dim, table, yellow } from "../output.ts";
import { moment } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const cron: Command = {
  usage: [
    "cron [list] [--search WORDS] [--limit N] [--json]",
    'cron add "WHEN" PROMPT [--name NAME] [--to session:ID|channel:NAME/CHAT|log] [--in SESSION] [--missed skip|ask|MINUTES]',
    'cron add "WHEN" --script COMMAND | --tell TEXT',
    "cron show ID [--json]",
    "cron remove ID [--json]",
    "cron pause ID [--json]",
    "cron resume ID [--yes] [--json]",
    "cron run ID [--json]",
    "cron history ID [--limit N] [--json]",
    'cron next "WHEN" [--json]',
    "cron calendar [--days N] [--json]",
  ],
  about:
    "What is done by itself: a prompt for the agent, a script in your computer, or a reminder. WHEN is said in words or as a cron expression of five fields (six with seconds). Each due time ends as ran, failed, missed or skipped; missed ones are reported once. steward undo takes a change back.",
  options: {
    name: { help: "add: how it is called", value: "NAME" },
    script: { help: "add: a command in your computer instead of a prompt; no model is asked", value: "COMMAND" },
    tell: { help: "add: a reminder, only told", value: "TEXT" },
    to: { help: "add: where the result goes (to you)", value: "PLACE" },
    in: { help: "add: each run goes on in this session instead of a fresh one", value: "SESSION" },
    missed: { help: "add: skip, ask, or minutes in which a missed time is made up for (60)", value: "HOW" },
    overlap: { help: "add: skip, wait or parallel, when the run before has not ended (skip)", value: "HOW" },
    retries: { help: "add: how often a failed run is tried again (2)", value: "N" },
    runs: { help: "add: ends after so many runs", value: "N" },
    tokens: { help: "add: the most that one run may use", value: "N" },
    model: { help: "add: who answers", value: "PROVIDER/NAME" },
    search: { help: "list: only those with these words", value: "WORDS" },
    limit: { help: "list, history: how many at most (50)", value: "N" },
    days: { help: "calendar: how many days (7)", value: "N" },
    yes: { short: "y", help: "resume: do not ask whether one that waits for you may run" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "add", "show", "remove", "pause", "resume", "run", "history", "next", "calendar"],
  examples: [
    ['steward cron add "every weekday at 9" "What is in my inbox folder?"', "asks the agent, and tells you"],
    ['steward cron add "in 20 minutes" --tell "the oven"', "reminds you"],
    ['steward cron add "*/15 * * * *" --script "./backup.sh" --to log', "runs a command without a model"],
    ["steward cron history 3f9a12bc", "how each due time ended"],
    ['steward cron next "every first monday of the month at 9"', "what Steward makes of words"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`cron has no "${verb}"`, "steward help cron shows what it takes.");
    return withClient(given.host, async (client, connection) => {
      const code = await run({ ...given, args }, client);
      if (["add", "resume", "run"].includes(verb)) saysThatItWaits(given.out, connection);
      return code;
    });
  },
};

const verbs: Record<string, Run> = {
  list: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("list takes nothing more");
    const [q, limit] = [flags.text("search"), flags.number("limit", { min: 1, max: 200 })];
    const found = await client.call("schedules.list", { query: { ...(q ? { q } : {}), ...(limit ? { limit: String(limit) } : {}) } });
    if (flags.has("json")) out.json(found);
    else if (found.total === 0) out.line('Nothing is scheduled. steward cron add "every weekday at 9" "PROMPT" does that.');
    else {
      table(out, ["id", "when", "next", "state", "what"], found.schedules.map(lineOf));
      if (found.total > found.schedules.length)
        out.line(dim(`${found.total - found.schedules.length} more; --limit and --search show others`));
    }
    return DONE;
  },
  add: async (given, client) => {
    const { schedule } = await client.call("schedules.add", { body: wanted(given) });
    if (given.flags.has("json")) given.out.json({ schedule });
    else
      given.out.line(
        `${bold(schedule.id)} ${schedule.when}${schedule.next === undefined ? "" : `, next ${moment(schedule.next)}`}: ${schedule.name}`,
      );
    return DONE;
  },
  show: async (given, client) => {
    const { schedule } = await client.call("schedules.get", { params: { id: one(given) } });
    if (given.flags.has("json")) given.out.json({ schedule });
    else show(given, schedule);
    return DONE;
  },
  remove: async (given, client) => {
    const done = await client.call("schedules.remove", { params: { id: one(given) } });
    if (given.flags.has("json")) given.out.json(done);
    else given.out.line(`Removed. steward undo ${done.undo} brings it back.`);
    return DONE;
  },
  pause: (given, client) => turn(given, client, false),
  resume: (given, client) => turn(given, client, true),
  run: async (given, client) => {
    const id = one(given);
    const { schedule } = await client.call("schedules.get", { params: { id } });
    const missed = schedule.newest?.asks ? { missed: schedule.newest.due } : {};
    const done = await client.call("schedules.run", { params: { id }, body: missed });
    if (given.flags.has("json")) given.out.json(done);
    else given.out.line(`It runs now. steward cron history ${id} shows how it ended.`);
    return DONE;
  },
  history: async (given, client) => {
    const limit = given.flags.number("limit", { min: 1, max: 200 });
    const { runs } = await client.call("schedules.history", { params: { id: one(given) }, query: limit ? { limit: String(limit) } : {} });
    if (given.flags.has("json")) given.out.json({ runs });
    else if (runs.length === 0) given.out.line("Nothing was due yet.");
    else table(given.out, ["due", "outcome", "session", "what came of it"], runs.map(runLine));
    return DONE;
  },
  next: async ({ out, flags, args }, client) => {
    const [when, ...more] = args;
    if (when === undefined || more.length > 0) throw usageError('next takes one text, such as "every weekday at 9"');
    const found = await client.call("schedules.preview", { body: { when } });
    if (found.problem !== undefined) throw new StewardError("invalid", found.problem);
    if (flags.has("json")) out.json(found);
    else {
      out.line(`${bold(found.text)} ${dim(found.zone)}`);
      for (const at of found.next) out.line(moment(at));
    }
    return DONE;
  },
  calendar: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("calendar takes nothing more");
    const days = flags.number("days", { min: 1, max: 60 }) ?? 7;
    const now = Date.now();
    const found = await client.call("schedules.calendar", { query: { from: String(now), to: String(now + days * 86_400_000) } });
    if (flags.has("json")) out.json(found);
    else if (found.entries.length === 0) out.line("Nothing will run then.");
    else {
      for (const { at, name, times } of found.entries)
        out.line(`${moment(at)}  ${oneLine(name, 80)}${times ? dim(` and ${times - 1} more times that day`) : ""}`);
      if (found.more) out.line(dim("More than can be shown at once comes later; --days shows fewer days"));
    }
    return DONE;
  },
};

function one({ args }: Given): string {
  const [id, ...more] = args;
  if (id === undefined || more.length > 0) throw usageError("It takes the id of one schedule", "steward cron list shows them.");
  return id;
}

async function turn(given: Given, client: Client, enabled: boolean): Promise<number> {
  const id = one(given);
  if (enabled && !given.flags.has("yes")) {
    const { schedule } = await client.call("schedules.get", { params: { id } });
    if (schedule.held && !(await seen(given, schedule))) return DONE;
  }
  const { schedule } = await client.call("schedules.change", { params: { id }, body: { enabled } });
  if (given.flags.has("json")) given.out.json({ schedule });
  else given.out.line(enabled ? `Goes on${schedule.next === undefined ? "" : `: next ${moment(schedule.next)}`}.` : "Paused.");
  return DONE;
}

/** Whoever says yes has all of it before them. */
async function seen(given: Given, schedule: ScheduleInfo): Promise<boolean> {
  if (!given.host.stdin.isTTY)
    throw usageError(
      "It waits until you have seen it, and there is nobody to ask",
      `steward cron show ${schedule.id} shows it; --yes lets it run.`,
    );
  show(given, schedule);
  return agrees(given.host, "Shall it run?");
}

export const stateOf = ({ enabled, held, finished, newest }: ScheduleInfo): string => {
  if (held) return "waits for you";
  if (finished) return "finished";
  if (!enabled) return "paused";
  return newest ? newest.outcome : "on";
};
export const lineOf = (schedule: ScheduleInfo): string[] => [
  schedule.id,
  schedule.when,
  schedule.next === undefined ? "" : moment(schedule.next),
  stateOf(schedule),
  oneLine(schedule.name, 60),
];
const runLine = ({ due, to, count, outcome, session = "", reason, said = "" }: ScheduleRun): string[] => [
  count && to ? `${moment(due)} to ${moment(to)} (${count})` : moment(due),
  outcome,
  session,
  oneLine(reason ?? said, 80),
];

function show({ out }: Given, schedule: ScheduleInfo): void {
  const { id, name, when, next, action, deliver, sums, held } = schedule;
  out.line(`${bold(name)} ${dim(id)}`);
  out.line(`${when}${next === undefined ? "" : `, next ${moment(next)}`} (${stateOf(schedule)})`);
  const [kind, text] = Object.entries(action)[0] as [string, string];
  out.line(`${kind}: ${held ? revealed(text) : text}`);
  out.line(
    dim(
      `result: ${deliver.to === "session" ? `session ${deliver.session}` : deliver.to === "channel" ? `${deliver.address.channel}/${deliver.address.chat}` : deliver.to}`,
    ),
  );
  out.line(dim(`${sums.ran} ran, ${sums.failed} failed, ${sums.missed} missed, ${sums.skipped} skipped`));
  if (held)
    out.line(
      yellow(
        `The agent made it after reading what others may have written, or with nobody there. steward cron resume ${id} lets it run, steward cron remove ${id} takes it away.`,
      ),
    );
}

function wanted({ args, flags }: Given): GivenBody<"schedules.add"> {
  const [when, ...words] = args;
  const [script, tell, prompt] = [flags.text("script"), flags.text("tell"), words.join(" ").trim()];
  const given = [script, tell, prompt || undefined].filter((text) => text !== undefined);
  if (when === undefined || given.length !== 1)
    throw usageError(
      "add takes WHEN, and a prompt or --script or --tell",
      'Such as: steward cron add "every weekday at 9" "Tell me what is due today"',
    );
  const action = script !== undefined ? { script } : tell !== undefined ? { tell } : { prompt };
  const [retries, maxRuns, tokens] = [
    flags.number("retries", { min: 0, max: 10 }),
    flags.number("runs", { min: 1, max: 1_000_000 }),
    flags.number("tokens", { min: 1, max: 100_000_000 }),
  ];
  return {
    ...{ when, action },
    ...(flags.has("name") ? { name: flags.text("name")! } : {}),
    ...(flags.has("to") ? { deliver: placeOf(flags.text("to")!) } : {}),
    ...(flags.has("in") ? { session: flags.text("in")! } : {}),
    ...(flags.has("missed") ? { onMissed: missedOf(flags.text("missed")!) } : {}),
    ...(flags.has("overlap") ? { overlap: oneOf(flags.text("overlap")!, ["skip", "wait", "parallel"] as const) } : {}),
    ...(flags.has("model") ? { model: flags.text("model")! } : {}),
    ...(retries === undefined ? {} : { retries }),
    ...(maxRuns === undefined ? {} : { maxRuns }),
    ...(tokens === undefined ? {} : { ceiling: { tokens } }),
  };
}

function oneOf<T extends string>(text: string, all: readonly T[]): T {
  const found = all.find((known) => known === text);
  if (found === undefined) throw new StewardError("invalid", `"${text}" is none of ${all.join(", ")}`);
  return found;
}

function placeOf(text: string): NonNullable<GivenBody<"schedules.add">["deliver"]> {
  if (text === "log" || text === "person") return { to: text };
  const [, session] = /^session:(\S+)$/.exec(text) ?? [];
  if (session) return { to: "session", session };
  const [, channel, chat, thread] = /^channel:([^/\s]+)\/([^/\s]+)(?:\/(\S+))?$/.exec(text) ?? [];
  if (channel && chat) return { to: "channel", address: { channel, chat, ...(thread ? { thread } : {}) } };
  throw usageError("--to takes person, log, session:ID or channel:NAME/CHAT");
}

function missedOf(text: string): { within: number } | "skip" | "ask" {
  if (text === "skip" || text === "ask") return text;
  if (/^\d{1,7}$/.test(text)) return { within: Number(text) * 60_000 };
  throw usageError("--missed takes skip, ask, or minutes");
}
