// A person's docker computer as a whole: what it is doing, started, stopped, made anew, removed. The container itself is container.ts's.
import type { Duplex } from "node:stream";
import type { Limits, Machine, MachineState } from "../../core/computer.ts";
import type { Log } from "../../std/log.ts";
import { hasCode, messageOf, StewardError } from "../../std/error.ts";
import type { DiskWatch } from "../disk.ts";
import type { Container } from "./container.ts";
import type { Engine } from "./engine.ts";
import type { Stats } from "./stats.ts";
import { PLACES, type Storage } from "./storage.ts";

/** What is known once the engine was reached. */
export interface Own {
  engine: Engine;
  name: string;
  container: Container;
  storage: Storage;
  stats: Stats;
  /** Where the files are in folders of this machine. */
  disk?: DiskWatch;
  /** Whether something may be running inside, as far as this process knows. */
  used: { running: boolean };
}
export interface MachineOptions {
  own(): Promise<Own>;
  limits(): Limits;
  log: Log;
}
/** Processes are the supervisor's to tell; whoever connects starts it. */
export interface DockerMachine extends Omit<Machine, "processes" | "start"> {
  connect(): Promise<Duplex>;
  kill(): Promise<void>;
  /** Nothing can be running there. */
  asleep(): Promise<boolean>;
}

export function openMachine(options: MachineOptions): DockerMachine {
  const held: { note?: string; failed?: string; starting?: Promise<Own>; ending?: Promise<void> } = {};
  const start = (): Promise<Own> => {
    held.starting ??= begin(options, { after: held.ending, note: (text) => void (held.note = text) }).then(
      (own) => {
        delete held.failed;
        return own;
      },
      (error: unknown) => {
        held.failed = messageOf(error);
        throw error;
      },
    );
    const done = (): void => {
      delete held.starting;
      delete held.note;
    };
    held.starting.then(done, done);
    return held.starting;
  };
  /** One end after the other, and never while it starts; what starts meanwhile waits. */
  const ended = (end: (own: Own) => Promise<void>): Promise<void> => {
    const before = Promise.allSettled([held.starting, held.ending]);
    const ending = before.then(() => endIt(end));
    held.ending = ending.catch(() => undefined);
    return ending;
  };
  const endIt = async (end: (own: Own) => Promise<void>): Promise<void> => {
    const own = await options.own();
    own.stats.close();
    own.used.running = false;
    delete held.failed;
    await end(own);
  };
  return {
    connect: () => connected(start),
    kill: () =>
      ended(({ container }) => container.kill()).catch((error: unknown) =>
        options.log("warning", "A computer could not be ended", { error: messageOf(error) }),
      ),
    stop: () => ended(({ container }) => container.stop()),
    reset: ({ everything = false } = {}) =>
      ended(async ({ container, storage }) => {
        await container.remove();
        await storage.remove(everything ? PLACES : ["home", "state"]);
      }),
    remove: () =>
      ended(async ({ container, storage }) => {
        await container.remove();
        await storage.remove(PLACES);
      }),
    state: () => stateOf(options, held),
    async asleep() {
      if (held.starting) return false;
      const found = await options.own().then(({ container }) => container.state());
      return found?.State.Running !== true;
    },
  };
}

async function connected(start: () => Promise<Own>): Promise<Duplex> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await start()).container.connect();
    } catch (error) {
      if (tries >= 3 || !hasCode(error, "conflict") || !/running|restarting|paused/.test(messageOf(error))) throw error;
    } // it ended meanwhile
  }
}

async function begin(
  { own }: MachineOptions,
  { after, note }: { after: Promise<void> | undefined; note(text: string): void },
): Promise<Own> {
  await after;
  note("Reaching the container engine");
  const found = await own();
  await found.container.ensure(note);
  found.used.running = true;
  found.disk?.wake();
  return found;
}

async function stateOf(
  { own, limits }: MachineOptions,
  held: { note?: string; failed?: string; starting?: unknown },
): Promise<MachineState> {
  const always = { limits: limits() };
  if (held.starting) return { ...always, state: "starting", ...(held.note === undefined ? {} : { note: held.note }) };
  try {
    const { container, stats, disk } = await own();
    const found = await container.state();
    const known = disk ? { ...always, ...(await disk.used()) } : always;
    if (found?.State.Running) {
      const usage = await stats.usage();
      return { ...known, state: "running", ...(usage ? { usage } : {}) };
    }
    if (held.failed !== undefined) return { ...known, state: "failed", note: held.failed };
    return { ...known, state: found ? "stopped" : "absent" };
  } catch (error) {
    const hint = error instanceof StewardError && error.hint !== undefined ? ` ${error.hint}` : "";
    return { ...always, state: "failed", note: `${messageOf(error)}.${hint}` };
  }
}
