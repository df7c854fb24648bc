// A real container engine for tests, one for all test files of a run, with a small image of this machine's own packages. Root on Linux must have it.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { type Engine, openEngine, orNothing } from "../src/computers/docker/engine.ts";
import { installedFiles } from "../src/computers/docker/installed.ts";
import { tar } from "../src/computers/docker/tar.ts";

export interface TestEngine {
  engine: Engine;
  /** For `computer.docker.host`. */
  host: string;
  socket: string;
  /** Holds what terminals and contract suites need. */
  image: string;
  /** SIGKILL to the daemon; containers live on. */
  kill(): Promise<void>;
  /** Starts it again. */
  run(): Promise<void>;
  /** Lets go of it; the engine ends some seconds after the last one did. */
  close(): void;
}

/** Why there is none here, without it being a failure. */
export const noEngine: string | undefined =
  process.platform !== "linux"
    ? "a container engine of its own needs Linux"
    : process.getuid?.() !== 0
      ? "a container engine of its own needs root"
      : undefined;

export const TEST_IMAGE = "steward-test:1";
const PACKAGES =
  "bash coreutils util-linux findutils grep sed mawk procps python3 less vim-tiny ncurses-base ncurses-bin tar gzip diffutils curl ca-certificates".split(
    " ",
  );

/** Throws when the engine can't be started. `name`: one of its own, for tests that kill it. */
export async function testEngine(name = "shared"): Promise<TestEngine> {
  const checkout = createHash("sha256")
    .update(import.meta.dirname)
    .digest("hex")
    .slice(0, 12);
  const { user, lines, first } = await keeper(`steward-engine-${checkout}-${name}`);
  const said = JSON.parse(first) as { error?: string; socket?: string };
  if (said.error !== undefined) throw new Error(said.error);
  const socket = said.socket!;
  const engine = openEngine({ kind: "unix", path: socket }, {});
  await haveImage(engine);
  const order = async (word: string): Promise<void> => {
    user.write(word);
    await lines.next();
  };
  return {
    engine,
    socket,
    host: `unix://${socket}`,
    image: TEST_IMAGE,
    kill: () => order("kill"),
    run: () => order("run"),
    close: () => {
      engine.close();
      user.destroy();
    },
  };
}

/** With the first line that it said. One that was just about to end says none: then the next one is asked. */
async function keeper(name: string): Promise<{ user: Socket; lines: AsyncIterator<string>; first: string }> {
  for (let tries = 0; ; tries++) {
    const user = await reach(`\0${name}`);
    const lines = user && createInterface({ input: user })[Symbol.asyncIterator]();
    const first = await lines?.next().catch(() => undefined);
    if (user && lines && first?.done === false) return { user, lines, first: first.value };
    user?.destroy();
    if (tries > 600) throw new Error("the keeper of the engine does not start");
    if (tries % 20 === 0)
      spawn(process.execPath, [join(import.meta.dirname, "engine-keeper.ts"), name], { detached: true, stdio: "ignore" }).unref();
    await sleep(100);
  }
}

const reach = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const user: Socket = connect({ path }, () => resolve(user));
    user.on("error", () => resolve(undefined));
  });

async function haveImage(engine: Engine): Promise<void> {
  if (await orNothing(engine.call("GET", `/images/${TEST_IMAGE}/json`))) return;
  const { entries } = await installedFiles(PACKAGES);
  const [repo, tag] = TEST_IMAGE.split(":");
  const query = { fromSrc: "-", repo: repo!, tag: tag! };
  for await (const _ of engine.progress("/images/create", { query, raw: Readable.from(tar(entries)) }));
}
