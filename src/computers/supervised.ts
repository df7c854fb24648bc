// A computer through the supervisor inside it: one link, made when first needed and again after it broke. Commands, terminals and files are in the files beside this one.
import type { Computer, ComputerOptions, Machine, ProcessInfo } from "../core/computer.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { answered, askAwake, openAsk, textOf, type Inside, type Session } from "./inside.ts";
import { type Link, openLink, type Message } from "./link.ts";
import type { Place } from "./place.ts";
import { execInside } from "./supervised-exec.ts";
import { filesInside } from "./supervised-files.ts";
import { shellsInside, watchInside } from "./supervised-shell.ts";
import { tunnelOf } from "./tunnel.ts";

export type { Place } from "./place.ts";

const HELLO_MS = 15_000;
const PULSE_MS = 30_000;
const MOST_PROCESSES = 5000;

export function supervised(options: ComputerOptions, place: Place): Computer {
  const inside = insideOf(options, place);
  const { machine } = place;
  return {
    mode: options.mode,
    home: place.home,
    workspace: place.workspace,
    platform: place.platform,
    ...(place.programs === undefined ? {} : { programs: place.programs }),
    ...filesInside(inside),
    ...shellsInside(inside),
    watch: (folder, changed) => watchInside(inside, folder, changed),
    exec: (command, how = {}) => execInside(inside, { command, how }),
    ...(machine ? { machine: machineOf(inside, machine) } : {}),
    dispose: () => inside.dispose(),
  };
}

function insideOf(options: ComputerOptions, place: Place): Inside & { dispose(): Promise<void> } {
  const held: { session?: Promise<Session>; disposed?: boolean } = {};
  const session = (): Promise<Session> => {
    if (held.disposed) return Promise.reject(new StewardError("unavailable", "This computer was closed"));
    if (held.session) return held.session;
    const made: Promise<Session> = connect(options, place, () => {
      if (held.session === made) delete held.session;
    });
    held.session = made;
    made.catch(() => {
      if (held.session === made) delete held.session;
    });
    return made;
  };
  return {
    options,
    place,
    session,
    awake: async () => held.session !== undefined || !(await place.asleep?.()),
    ask: async (message, given) => answered(openAsk((await session()).link, message), given),
    env: (own, more) => environment({ options, place }, own, more),
    async dispose() {
      held.disposed = true;
      const living = await held.session?.catch(() => undefined);
      living?.link.end(new StewardError("unavailable", "This computer was closed"));
      await place.dispose();
    },
  };
}

async function connect(options: ComputerOptions, place: Place, ended: () => void): Promise<Session> {
  const { egress } = options;
  const trust = egress ? await egress.trust().catch(() => "") : "";
  const stream = await place.connect();
  const link = openLink(stream, (ask, channel) => (ask["op"] === "tunnel" && egress ? tunnelOf(channel, egress) : undefined));
  void link.ended.then(ended);
  pulse(link);
  const timer = setTimeout(() => {
    link.end(new StewardError("unavailable", "The computer was started but does not answer", { hint: "Restart it." }));
    void place.kill();
  }, HELLO_MS);
  try {
    const { tools, notifications, home, roots = [] } = place;
    const ask = { op: "hello", egress: egress !== undefined, tools, notifications, trust, own: roots.length > 0 ? [home, ...roots] : [] };
    const hello = await answered(openAsk(link, ask));
    return {
      link,
      ...(typeof hello["port"] === "number" ? { port: hello["port"] } : {}),
      ...(typeof hello["trust"] === "string" ? { trust: hello["trust"] } : {}),
    };
  } catch (error) {
    link.end(new StewardError("unavailable", "The computer does not answer as it should"));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the link when the supervisor takes no notice any more, so that nothing waits for it for ever. */
function pulse(link: Link): void {
  const held = { asked: false };
  const timer = setInterval(() => {
    if (held.asked)
      return link.end(new StewardError("unavailable", "The computer does not answer any more", { hint: "Try again, or restart it." }));
    held.asked = true;
    void openAsk(link, { op: "ping" }).answer.then(
      () => void (held.asked = false),
      () => {},
    );
  }, PULSE_MS).unref();
  void link.ended.then(() => clearInterval(timer));
}

const TRUST = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT"];

function environment(
  { options, place }: Pick<Inside, "options" | "place">,
  { port, trust }: Session,
  { task, env }: { task?: string; env?: Record<string, string> },
): Record<string, string> {
  const way = port === undefined || !options.egress ? {} : options.egress.variables(port, task);
  const trusted = trust === undefined ? {} : Object.fromEntries(TRUST.map((name) => [name, trust]));
  const all = { ...place.env, ...trusted, ...way, ...env };
  if (Object.entries(all).some(([name, value]) => name.includes("\0") || value.includes("\0")))
    throw new StewardError("invalid", "An environment variable can't hold a NUL character");
  return all;
}

function machineOf(inside: Inside, machine: NonNullable<Place["machine"]>): Machine {
  const processes = async (): Promise<ProcessInfo[]> => {
    const { processes: rows } = await askAwake(inside, { op: "processes" });
    return Array.isArray(rows) ? rows.slice(0, MOST_PROCESSES).map(processOf) : [];
  };
  return {
    processes,
    stop: () => machine.stop(),
    reset: (how) => machine.reset(how),
    remove: () => machine.remove(),
    start: async () => void (await inside.session()),
    async state() {
      const state = await machine.state();
      if (state.state !== "running" || state.usage) return state;
      const rows = await processes().catch((error: unknown) => {
        if (hasCode(error, "unavailable")) return [];
        throw error;
      });
      const sum = (of: (row: ProcessInfo) => number): number => rows.reduce((total, row) => total + of(row), 0);
      const usage = { memoryBytes: sum((row) => row.memoryBytes), cpuPercent: sum((row) => row.cpuPercent), processes: rows.length };
      return { ...state, usage };
    },
  };
}

const numberOf = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

function processOf(row: Message): ProcessInfo {
  return {
    pid: numberOf(row?.["pid"]),
    command: textOf(row?.["command"]).slice(0, 500),
    cpuPercent: numberOf(row?.["cpuPercent"]),
    memoryBytes: numberOf(row?.["memoryBytes"]),
    startedAt: numberOf(row?.["startedAt"]),
  };
}
