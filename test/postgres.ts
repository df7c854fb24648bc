// A real Postgres for tests, from the binaries on this machine, in a temporary folder on a free port; or the one of STEWARD_TEST_PG.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { freePort } from "./free-port.ts";

export interface Running {
  url: string;
  skip?: undefined;
  /** Stops the server and removes its folder. With `keep`, only stops it, so that `again` can start it on the same port. */
  stop(keep?: boolean): Promise<void>;
  /** Absent when the server is not ours. */
  again?(): Promise<void>;
}
export interface Skipped {
  skip: string;
  url?: undefined;
}

/** Options for initdb and the server: `fsync=off` unless asked for, since nobody pulls the plug. */
export async function startPostgres({ fsync = false }: { fsync?: boolean } = {}): Promise<Running | Skipped> {
  const given = process.env["STEWARD_TEST_PG"];
  if (given) return { url: given, stop: async () => {} };
  const bin = binaries();
  if (!bin) return { skip: "no Postgres on this machine (initdb and postgres; or set STEWARD_TEST_PG)" };
  const user: { uid?: number; gid?: number } | undefined = process.getuid?.() === 0 ? unprivileged() : {};
  if (!user) return { skip: "Postgres refuses to run as root, and there is no user postgres or nobody" };
  const folder = mkdtempSync(join(tmpdir(), "steward-pg-"));
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);
  const port = await freePort();
  const url = `postgres://steward@127.0.0.1:${port}/postgres`;
  const state: { child?: ChildProcess } = {};
  const start = async (): Promise<void> => {
    const settings = {
      listen_addresses: "127.0.0.1",
      port,
      unix_socket_directories: "",
      fsync: fsync ? "on" : "off",
      max_connections: 200,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    state.child = spawn(join(bin, "postgres"), ["-D", join(folder, "data"), ...flags], { ...user, cwd: folder, stdio: "ignore" });
    await reachable(url, state.child);
  };
  const halt = async (): Promise<void> => {
    const { child } = state;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    await gone;
  };
  process.once("exit", () => {
    state.child?.kill("SIGQUIT");
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    const settings = ["-D", join(folder, "data"), "-U", "steward", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    execFileSync(join(bin, "initdb"), settings, { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    await start();
  } catch (error) {
    await halt();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url,
    again: start,
    async stop(keep = false) {
      await halt();
      if (!keep) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Why pgvector is not to be had on this server, for `skip`; in CI that is an error. */
export async function vectorMissing(server: Running | Skipped): Promise<string | false> {
  if (server.skip !== undefined) return server.skip;
  const client = new pg.Client(server.url);
  await client.connect();
  const { rowCount } = await client.query("SELECT FROM pg_available_extensions WHERE name = 'vector'");
  await client.end();
  if (rowCount) return false;
  const why = "this Postgres has no pgvector (as root: sh scripts/pgvector.sh)";
  if (process.env["CI"]) throw new Error(why);
  return why;
}

function binaries(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const debian = "/usr/lib/postgresql";
  if (existsSync(debian))
    for (const version of readdirSync(debian).sort((a, b) => Number(b) - Number(a))) folders.push(join(debian, version, "bin"));
  try {
    folders.push(execFileSync("pg_config", ["--bindir"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim());
  } catch {} // not there: the other folders are looked through
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

function unprivileged(): { uid: number; gid: number } | undefined {
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const user = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody");
  return user && { uid: Number(user[2]), gid: Number(user[3]) };
}

async function reachable(url: string, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await sleep(30)) {
    if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`);
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on("error", () => {});
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
