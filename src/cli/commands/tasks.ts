// steward tasks: what works in the background: list, show, run, wait, stop, resume; teams; and the messages between subagents.
import type { Client } from "../../client/client.ts";
import type { TaskInfo, TeamInfo } from "../../core/api-tasks.ts";
import { StewardError } from "../../std/error.ts";
import { oneLine } from "../../std/text.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { saysThatItWaits, sessionOf, withClient } from "../connect.ts";
import { DONE, exitCodes } from "../exit.ts";
import { dim, table } from "../output.ts";
import { ago } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const tasks: Command = {
  usage: [
    "tasks [list] [--all] [--json]",
    "tasks show ID [--json]",
    'tasks run "WHAT" [--name NAME] [--engine ENGINE] [--model MODEL] [--dollars N] [--tokens N] [--session ID] [--wait] [--json]',
    "tasks wait ID [--json]",
    "tasks stop ID [--json]",
    'tasks resume ID ["WHAT"] [--dollars N] [--wait] [--json]',
    'tasks send ID|#CHANNEL "TEXT" [--json]',
    "tasks channels [CHANNEL] [--json]",
    "tasks team list [--json]",
    "tasks team show NAME [--json]",
    'tasks team run NAME "GOAL" [--wait] [--json]',
  ],
  about:
    "A task is an agent that works in the background, in a session of its own. The agent starts some by itself; you can too. An id may be cut short, or be a name. steward sessions show SESSION reads what one does.",
  options: {
    all: { help: "list: also those that are over" },
    name: { value: "NAME", help: "run: what it is called" },
    engine: { value: "ENGINE", help: "run: who works on it" },
    model: { value: "MODEL", help: "run: provider/name" },
    dollars: { value: "N", help: "run, resume: what it may cost at most" },
    tokens: { value: "N", help: "run: how many tokens it may use at most" },
    session: { value: "ID", help: "run: the session that is told the result" },
    wait: { help: "run, resume, team run: wait for the result and print it" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "show", "run", "wait", "stop", "resume", "send", "channels", "team"],
  examples: [
    ['steward tasks run "compare the three offers in /data" --wait', "work in the background, and its result"],
    ["steward tasks stop offers", "ends it and what it started"],
    ["steward tasks team show research", "its roles, and who may write to whom"],
    ['steward tasks team run research "which heat pump fits us?"', "gives a team of the configuration a goal"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`tasks has no "${verb}"`, "steward help tasks shows what it takes.");
    const waits = verb === "wait" || given.flags.has("wait");
    return withClient(
      given.host,
      async (client, connection) => {
        const code = await run({ ...given, args }, client);
        if (!waits && begins.has(verb)) saysThatItWaits(given.out, connection);
        return code;
      },
      waits,
    );
  },
};

/** What lets an agent work, without waiting for it. */
const begins = new Set(["run", "resume", "send", "team"]);
const WAIT_S = "50";

function exactly({ args }: Given, names: string[], least = names.length): string[] {
  if (args.length < least || args.length > names.length)
    throw usageError(`It takes ${names.join(" and ") || "nothing more"}`, "steward help tasks shows what it takes.");
  return args;
}

/** By its id, the beginning of it, or its name: the newest. */
async function find(client: Client, given: string): Promise<string> {
  const { tasks: all } = await client.call("tasks.list", { query: {} });
  const wanted = given.toLowerCase();
  const found =
    all.find(({ id }) => id === given) ??
    all.findLast(({ name }) => name.toLowerCase() === wanted) ??
    all.findLast(({ id }) => given.length > 5 && id.startsWith(given));
  if (!found)
    throw new StewardError("not_found", `There is no task ${oneLine(given, 60)}`, { hint: "steward tasks list --all shows yours." });
  return found.id;
}

const dollarsOf = ({ flags }: Given): number | undefined => {
  const given = flags.text("dollars");
  if (given === undefined) return undefined;
  const amount = Number(given);
  if (!/^\d*\.?\d+$/.test(given) || !Number.isFinite(amount)) throw usageError(`--dollars takes an amount such as 0.5, not "${given}"`);
  return amount;
};

function budgetOf(given: Given): { budget?: { dollars?: number; tokens?: number } } {
  const dollars = dollarsOf(given);
  const tokens = given.flags.number("tokens", { min: 1, max: 1e12 });
  if (dollars === undefined && tokens === undefined) return {};
  return { budget: { ...(dollars === undefined ? {} : { dollars }), ...(tokens === undefined ? {} : { tokens }) } };
}

/** Prints it; once it is over, when that is wished. */
async function told({ out, flags }: Given, client: Client, { task, wait }: { task: TaskInfo; wait: boolean }): Promise<number> {
  let now = task;
  while (wait && now.endedAt === undefined) now = await client.call("tasks.get", { params: { id: task.id }, query: { wait: WAIT_S } });
  if (flags.has("json")) out.json(now);
  else for (const line of linesOf(now)) out.line(line);
  return now.state === "failed" || (wait && now.state === "stopped") ? exitCodes.internal : DONE;
}

function linesOf({ id, name, state, session, result, progress, cost, tokens, engine, model, by }: TaskInfo): string[] {
  const more = [
    `${engine} · ${model}`,
    ...(tokens > 0 ? [`${tokens} tokens`] : []),
    ...(cost > 0 ? [`$${cost.toFixed(2)}`] : []),
    `by ${by}`,
  ];
  return [
    `${name}: ${state}${progress ? ` – ${progress}` : ""}`,
    dim(`${id}, session ${session}, ${more.join(", ")}`),
    ...(result?.error ? [result.error] : []),
    ...(result?.text ? ["", result.text] : []),
    ...(result?.files.length ? [dim(`files: ${result.files.join(", ")}`)] : []),
  ];
}

/** Children under what started them. */
function ordered(all: readonly TaskInfo[], parent?: string, depth = 0): { task: TaskInfo; depth: number }[] {
  const ids = new Set(all.map(({ id }) => id));
  return all
    .filter((task) => (task.parent !== undefined && ids.has(task.parent) ? task.parent : undefined) === parent)
    .flatMap((task) => [{ task, depth }, ...ordered(all, task.id, depth + 1)]);
}

const verbs: Record<string, Run> = {
  async list({ out, flags, args }, client) {
    if (args.length > 0) throw usageError("list takes nothing more");
    const found = await client.call("tasks.list", { query: flags.has("all") ? {} : { open: "1" } });
    if (flags.has("json")) out.json(found);
    else if (found.tasks.length === 0) out.line(flags.has("all") ? "No tasks." : "No open tasks. --all shows those that are over.");
    else
      table(
        out,
        ["name", "state", "since", "tokens", "cost", "id", "does"],
        ordered(found.tasks).map(({ task, depth }) => [
          `${"  ".repeat(depth)}${task.name}`,
          task.asks > 0 ? "asks" : task.state,
          ago(task.at, Date.now()),
          String(task.tokens),
          `$${task.cost.toFixed(2)}`,
          task.id,
          oneLine(task.progress ?? task.result?.error ?? task.result?.text ?? "", 60),
        ]),
      );
    return DONE;
  },
  async show(given, client) {
    const id = await find(client, exactly(given, ["ID"])[0]!);
    return told(given, client, { task: await client.call("tasks.get", { params: { id }, query: {} }), wait: false });
  },
  async run(given, client) {
    const { flags } = given;
    const [text] = exactly(given, ["WHAT"]);
    const [name, engine, model, session] = ["name", "engine", "model", "session"].map((one) => flags.text(one));
    const task = await client.call("tasks.start", {
      body: {
        ...{ text: text!, ...budgetOf(given) },
        ...(name === undefined ? {} : { name }),
        ...(engine === undefined ? {} : { engine }),
        ...(model === undefined ? {} : { model }),
        ...(session === undefined ? {} : { session: await sessionOf(client, session) }),
      },
    });
    return told(given, client, { task, wait: flags.has("wait") });
  },
  async wait(given, client) {
    const id = await find(client, exactly(given, ["ID"])[0]!);
    return told(given, client, { task: await client.call("tasks.get", { params: { id }, query: {} }), wait: true });
  },
  async stop(given, client) {
    const id = await find(client, exactly(given, ["ID"])[0]!);
    return told(given, client, { task: await client.call("tasks.stop", { params: { id } }), wait: false });
  },
  async resume(given, client) {
    const [which, text] = exactly(given, ["ID", "WHAT"], 1);
    const body = { ...budgetOf(given), ...(text === undefined ? {} : { text }) };
    const task = await client.call("tasks.resume", { params: { id: await find(client, which!) }, body });
    return told(given, client, { task, wait: given.flags.has("wait") });
  },
  async send(given, client) {
    const [to, text] = exactly(given, ["ID or #CHANNEL", "TEXT"]);
    const sent = await client.call("tasks.send", { body: { to: to!.startsWith("#") ? to! : await find(client, to!), text: text! } });
    if (given.flags.has("json")) given.out.json(sent);
    else given.out.line(sent.to.length === 0 ? "Nobody listens there." : `Sent to ${sent.to.join(", ")}.`);
    return DONE;
  },
  async channels(given, client) {
    const { out, flags } = given;
    const [name] = exactly(given, ["CHANNEL"], 0);
    if (name !== undefined) {
      const { messages } = await client.call("bus.read", { params: { id: name.replace(/^#/, "") } });
      if (flags.has("json")) out.json({ messages });
      else for (const { from, text } of messages) out.line(`${from}: ${text}`);
      return DONE;
    }
    const { channels } = await client.call("bus.list");
    if (flags.has("json")) out.json({ channels });
    else if (channels.length === 0) out.line("No channels.");
    else
      table(
        out,
        ["channel", "messages", "last"],
        channels.map((one) => [`#${one.name}`, String(one.messages), ago(one.at, Date.now())]),
      );
    return DONE;
  },
  /** As it was called before. */
  teams: (given, client) => team.list!(given, client),
  async team(given, client) {
    const [verb = "list", ...args] = given.args;
    // A name and a goal alone, as it was before.
    const run = Object.hasOwn(team, verb) ? team[verb]! : team.run!;
    return run({ ...given, args: run === team.run && verb !== "run" ? given.args : args }, client);
  },
};

const team: Record<string, Run> = {
  async list(given, client) {
    exactly(given, []);
    const { out, flags } = given;
    const { teams } = await client.call("teams.list");
    if (flags.has("json")) out.json({ teams });
    else if (teams.length === 0) for (const line of NO_TEAMS) out.line(line);
    else
      table(
        out,
        ["team", "roles", "for"],
        teams.map(({ name, roles, about }) => [name, roles.map((role) => role.name).join(", "), oneLine(about, 60)]),
      );
    return DONE;
  },
  async show(given, client) {
    const { out, flags } = given;
    const [name] = exactly(given, ["NAME"]);
    const found = (await client.call("teams.list")).teams.find((one) => one.name.toLowerCase() === name!.toLowerCase());
    if (!found)
      throw new StewardError("not_found", `There is no team ${oneLine(name!, 60)}`, { hint: "steward tasks team list shows yours." });
    if (flags.has("json")) out.json(found);
    else for (const line of teamLines(found)) out.line(line);
    return DONE;
  },
  async run(given, client) {
    const [name, goal] = exactly(given, ["NAME", "GOAL"]);
    const task = await client.call("teams.run", { body: { team: name!, goal: goal! } });
    return told(given, client, { task, wait: given.flags.has("wait") });
  },
};

const NO_TEAMS = [
  "No teams. The configuration declares them, for example:",
  `steward config set tasks.teams.research '{"about": "two sides of a question", "roles": [{"name": "Lead", "brief": "Share out, compare, sum up."}, {"name": "Finder", "brief": "Finds sources."}, {"name": "Doubter", "brief": "Looks for what is wrong.", "may": ["Finder"]}]}'`,
];

function teamLines({ name, about, roles }: TeamInfo): string[] {
  const [lead] = roles;
  return [
    `${name}${about ? `: ${oneLine(about, 200)}` : ""}`,
    ...roles.flatMap(({ name: role, brief, engine, model, may }) => {
      const who = role === lead!.name ? "leads: is given the goal, and what it says last is the result" : undefined;
      const writes =
        may === undefined ? "writes to all" : `writes to ${[...new Set([lead!.name, ...may])].join(", ")}, and on the team's channel`;
      const more = [...(who ? [who] : []), writes, ...(engine ? [engine] : []), ...(model ? [model] : [])];
      return ["", `${role} (${more.join("; ")})`, `  ${oneLine(brief, 300)}`];
    }),
  ];
}
