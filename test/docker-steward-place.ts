// Steward's own image built from this checkout and this machine's packages, and containers of it. For tests of the image.
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, promises as fs, readFileSync, realpathSync, statSync } from "node:fs";
import { request } from "node:http";
import { delimiter, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { installedFiles } from "../src/computers/docker/installed.ts";
import { type Entry, tar } from "../src/computers/docker/tar.ts";
import { randomText } from "../src/std/id.ts";
import { testEngine, type TestEngine } from "./engine.ts";
import { freePort } from "./free-port.ts";

const root = dirname(import.meta.dirname);
const PACKAGES =
  "bash bubblewrap ca-certificates coreutils curl debianutils diffutils findutils git grep gzip libatomic1 libstdc++6 login mawk openssh-client passwd procps python3 ripgrep sed tar util-linux".split(
    " ",
  );
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

export interface Ended {
  code: number;
  out: string;
}
export interface Running {
  name: string;
  /** Runs a program in it, as the image's user. */
  exec(...argv: string[]): Promise<Ended>;
  logs(): Promise<string>;
  /** Waits until its log has this. */
  says(what: RegExp): Promise<string>;
  /** As `docker stop -t 10`: what it ended with. */
  stop(): Promise<{ code: number }>;
  wait(): Promise<number>;
  remove(): Promise<void>;
}
export interface Given {
  image?: string;
  env?: Record<string, string>;
  cmd?: string[];
  /** Volumes or folders of this machine, as `docker run -v`. */
  binds?: string[];
  /** Published on 127.0.0.1 under the same number. */
  ports?: number[];
  network?: string;
  /** More of HostConfig. */
  more?: object;
}
export interface StewardPlace {
  engine: TestEngine;
  /** With the stand-in for Ollama in it, and without any. */
  image: string;
  plain: string;
  base: string;
  network: string;
  built: { baseMs: number; imageMs: number; plainMs: number; bytes: number };
  volume(): string;
  run(given: Given): Promise<Running>;
  close(): Promise<void>;
}

export async function stewardPlace(): Promise<StewardPlace> {
  const engine = await testEngine();
  const run = randomText(8).toLowerCase();
  const names = { base: `base-${run}:1`, ollama: `ollama-${run}:1`, image: `steward-${run}:1`, plain: `steward-${run}:plain` };
  const network = `steward-${run}`;
  const at = performance.now();
  await imported(engine, names.base, baseEntries());
  await imported(engine, names.ollama, [
    { name: "etc/passwd", type: "file", mode: 0o644, bytes: Buffer.from("root:x:0:0::/root:/bin/sh\n") },
    { name: "usr/bin/ollama", type: "file", mode: 0o755, bytes: readFileSync(join(import.meta.dirname, "stand-in-ollama.mjs")) },
  ]);
  const based = performance.now();
  await build(engine, names.image, { BASE: names.base, OLLAMA: names.ollama });
  const made = performance.now();
  await build(engine, names.plain, { BASE: names.base, OLLAMA: names.base, OLLAMA_MODEL: "" });
  const { Size } = await engine.engine.call<{ Size: number }>("GET", `/images/${names.image}/json`);
  // Names are found and ports published; nothing leads out of it.
  await engine.engine.call("POST", "/networks/create", { body: { Name: network, Driver: "bridge" } });
  const held: { containers: Running[]; volumes: string[] } = { containers: [], volumes: [] };
  return {
    engine,
    image: names.image,
    plain: names.plain,
    base: names.base,
    network,
    built: { baseMs: based - at, imageMs: made - based, plainMs: performance.now() - made, bytes: Size },
    volume() {
      const name = `steward-${randomText(8).toLowerCase()}`;
      held.volumes.push(name);
      return name;
    },
    async run(given) {
      const running = await started(engine, { image: names.image, network, ...given });
      held.containers.push(running);
      return running;
    },
    async close() {
      for (const one of held.containers) await one.remove();
      for (const name of held.volumes) await ask(engine.socket, "DELETE", `/volumes/${name}`);
      await ask(engine.socket, "DELETE", `/networks/${network}`);
      for (const name of Object.values(names)) await ask(engine.socket, "DELETE", `/images/${name}`);
      engine.close();
    },
  };
}

async function started(engine: TestEngine, { image, env = {}, cmd, binds = [], ports = [], network, more }: Given): Promise<Running> {
  const name = `steward-${randomText(8).toLowerCase()}`;
  const body = {
    Image: image,
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    ...(cmd ? { Cmd: cmd } : {}),
    ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
    HostConfig: {
      NetworkMode: network,
      Binds: binds,
      PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostIp: "127.0.0.1", HostPort: String(port) }]])),
      ...more,
    },
  };
  const at = `/containers/${name}`;
  await engine.engine.call("POST", "/containers/create", { query: { name }, body });
  await engine.engine.call("POST", `${at}/start`);
  const logs = async (): Promise<string> => spoken((await ask(engine.socket, "GET", `${at}/logs?stdout=1&stderr=1`)).body);
  const wait = async (): Promise<number> =>
    (await engine.engine.call<{ StatusCode: number }>("POST", `${at}/wait`, { timeoutMs: 60_000 })).StatusCode;
  return {
    name,
    logs,
    wait,
    says: (what) =>
      until(`${name} says ${what.source}`, async () => {
        const text = await logs();
        return what.test(text) ? text : undefined;
      }).catch(async (error: Error) => {
        throw new Error(`${error.message}; its log:\n${await logs()}`);
      }),
    async exec(...argv) {
      const asked = { AttachStdout: true, AttachStderr: true, Tty: false, Cmd: argv };
      const { Id } = await engine.engine.call<{ Id: string }>("POST", `${at}/exec`, { body: asked });
      const { body: output } = await ask(engine.socket, "POST", `/exec/${Id}/start`, { Detach: false, Tty: false });
      const { ExitCode } = await engine.engine.call<{ ExitCode: number }>("GET", `/exec/${Id}/json`);
      return { code: ExitCode, out: spoken(output) };
    },
    async stop() {
      await engine.engine.call("POST", `${at}/stop`, { query: { t: "10" } });
      return { code: await wait() };
    },
    remove: async () => void (await ask(engine.socket, "DELETE", `${at}?force=1`)),
  };
}

/** Asks until there is an answer; says what was waited for when there is none in time. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, ms = 60_000): Promise<T> {
  for (const end = Date.now() + ms; ;) {
    const found = await look().catch((error: Error) => (Date.now() > end ? Promise.reject(error) : undefined));
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await sleep(50);
  }
}

/** Not taken at this moment; `count` different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

function ask(socketPath: string, method: string, path: string, body?: object): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const made = request({ socketPath, method, path, headers: { host: "docker", "content-type": "application/json" } }, (response) => {
      const pieces: Buffer[] = [];
      response
        .on("data", (piece: Buffer) => void pieces.push(piece))
        .on("end", () => resolve({ status: response.statusCode!, body: Buffer.concat(pieces) }))
        .on("error", reject);
    });
    made.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Both outputs as they came: each piece has a head of eight bytes with its length. */
function spoken(bytes: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4))
    pieces.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at + 4)));
  return Buffer.concat(pieces).toString("utf8");
}

async function imported(engine: TestEngine, name: string, entries: AsyncIterable<Entry> | Entry[]): Promise<void> {
  const [repo, tag] = name.split(":");
  const changes = machineEnv().map((one) => `changes=${encodeURIComponent(`ENV ${one}`)}`);
  const query = new URLSearchParams({ fromSrc: "-", repo: repo!, tag: tag! });
  const raw = Readable.from(tar(entries), { highWaterMark: 1 });
  for await (const _ of engine.engine.progress(`/images/create?${[...changes, query].join("&")}`, { raw }));
}

/** How this machine reaches its package server. */
const machineEnv = (): string[] => [
  "LANG=C.UTF-8",
  ...(existsSync(CERTIFICATES) ? [`NODE_EXTRA_CA_CERTS=${CERTIFICATES}`] : []),
  `npm_config_registry=${execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim()}`,
  ...["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : [])),
];

const fileEntry = (name: string, path: string): Entry => {
  const { size, mode } = statSync(path);
  return { name, type: "file", mode: mode & 0o755, size, read: () => createReadStream(path) };
};
const textEntry = (name: string, text: string): Entry => ({ name, type: "file", mode: 0o644, bytes: Buffer.from(text) });

async function* baseEntries(): AsyncGenerator<Entry> {
  const { entries, left } = await installedFiles(PACKAGES);
  if (left.length > 0) throw new Error(`the base image needs packages that are not installed here: ${left.join(" ")}`);
  yield* entries;
  yield fileEntry("usr/local/bin/node", realpathSync(process.execPath));
  const npm = npmFolder();
  for (const one of await fs.readdir(npm, { recursive: true, withFileTypes: true }))
    if (one.isFile())
      yield fileEntry(join("usr/local/lib/npm", join(one.parentPath, one.name).slice(npm.length)), join(one.parentPath, one.name));
  yield { name: "usr/local/bin/npm", type: "link", mode: 0o777, to: "../lib/npm/bin/npm-cli.js" };
  yield textEntry("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash\n");
  yield textEntry("etc/group", "root:x:0:\nnode:x:1000:\n");
  for (const name of ["root", "home", "home/node", "var/tmp"]) yield { name, type: "dir", mode: 0o755 };
  yield { name: "tmp", type: "dir", mode: 0o1777 };
}

/** One that has all its parts in its own folder. */
function npmFolder(): string {
  for (const folder of process.env["PATH"]!.split(delimiter)) {
    const program = join(folder, "npm");
    if (!existsSync(program)) continue;
    const found = dirname(dirname(realpathSync(program)));
    if (existsSync(join(found, "bin/npm-cli.js")) && existsSync(join(found, "node_modules"))) return found;
  }
  throw new Error("no npm was found that could be put into the base image");
}

async function build(engine: TestEngine, name: string, args: Record<string, string>): Promise<void> {
  const query = { t: name, networkmode: "host", buildargs: JSON.stringify(args), rm: "1", forcerm: "1" };
  const lines: string[] = [];
  const raw = Readable.from(tar(contextFiles()), { highWaterMark: 1 });
  try {
    for await (const { stream } of engine.engine.progress("/build", { query, raw })) if (stream) lines.push(stream);
  } catch (error) {
    throw new Error(`the image can't be built: ${(error as Error).message}\n${lines.join("").slice(-3000)}`, { cause: error });
  }
}

/** What git would commit, less what .dockerignore leaves out. */
function* contextFiles(): Generator<Entry> {
  const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n").filter(Boolean);
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  for (const name of new Set(listed.split("\0").filter(Boolean)))
    if (existsSync(join(root, name)) && !ignored.some((one) => name === one || name.startsWith(`${one}/`)))
      yield fileEntry(name, join(root, name));
}
