// Keeps one container engine for the test files of a run: starts dockerd in a folder of its own, ends it when nobody is connected any more. Started by engine.ts.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const IDLE_MS = 15_000;
const START_MS = 90_000;
const [address = ""] = process.argv.slice(2);

/** A name without a file: it is gone with this process, so a second keeper ends here and an old one leaves nothing behind. */
const server = createServer();
const users = new Set<Socket>();
server.on("error", () => process.exit(0));
server.listen({ path: `\0${address}` }, () => void keep());

async function keep(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "steward-engine-"));
  const socket = join(folder, "docker.sock");
  const paths = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "--pidfile", join(folder, "docker.pid")];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false"];
  const args = ["-H", `unix://${socket}`, ...paths, ...network, "--log-level", "warn", "--live-restore"];
  const program = ["/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd"].find((file) => existsSync(file));
  const held: { daemon?: ReturnType<typeof spawn>; said: string } = { said: "" };
  const run = (): void => {
    held.daemon = spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    for (const stream of [held.daemon.stdout!, held.daemon.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => void (held.said = (held.said + text).slice(-4000)));
  };
  // What a killed engine leaves behind keeps the next one from starting.
  const again = (): void => {
    for (const name of ["docker.pid", "exec/containerd/containerd.pid", "exec/containerd/containerd.sock"])
      rmSync(join(folder, name), { force: true });
    run();
  };
  const answers = async (): Promise<boolean> => {
    const end = Date.now() + START_MS;
    while (Date.now() < end && held.daemon!.exitCode === null)
      if (await ping(socket)) return true;
      else await sleep(100);
    return false;
  };
  const ready = (async (): Promise<object> => {
    if (program === undefined) return { error: "dockerd is not installed (apt-get install docker.io iptables)" };
    run();
    return (await answers()) ? { socket, folder } : { error: `dockerd does not start: ${held.said}` };
  })();
  server.on("connection", (user) => {
    users.add(user);
    user.on("error", () => {}).on("close", () => users.delete(user));
    void ready.then((line) => user.write(`${JSON.stringify(line)}\n`));
    // "kill": the engine dies and comes back, as after a crash.
    user.on("data", (data) => {
      if (!String(data).includes("kill")) return;
      const gone = new Promise((resolve) => held.daemon!.once("exit", resolve));
      held.daemon!.kill("SIGKILL");
      void gone.then(() => user.write("killed\n"));
    });
    user.on("data", (data) => {
      if (!String(data).includes("run")) return;
      again();
      void answers().then(() => user.write("running\n"));
    });
  });
  const idle = { since: Date.now() };
  for (;;) {
    await sleep(500);
    if (users.size > 0) idle.since = Date.now();
    else if (Date.now() - idle.since > IDLE_MS) break;
  }
  server.close();
  // Containers that outlived it are removed by an engine only.
  if (held.daemon && (held.daemon.exitCode !== null || held.daemon.signalCode !== null)) {
    again();
    await answers();
  }
  await end(folder, socket, held.daemon);
  process.exit(0);
}

async function end(folder: string, socket: string, daemon?: ReturnType<typeof spawn>): Promise<void> {
  if (daemon && daemon.exitCode === null) {
    await removeContainers(socket);
    const gone = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill("SIGTERM");
    await Promise.race([gone, sleep(15_000)]);
    if (daemon.exitCode === null) daemon.kill("SIGKILL");
    // With live restore containerd may outlive it.
    const pid = join(folder, "exec/containerd/containerd.pid");
    if (existsSync(pid)) {
      try {
        process.kill(Number(readFileSync(pid, "utf8")), "SIGTERM");
      } catch {
        // it is gone already
      }
    }
    await sleep(500);
  }
  // A network namespace, and the data folder of an engine that was killed, stay mounted.
  for (const line of readFileSync("/proc/mounts", "utf8").split("\n").reverse()) {
    const at = line.split(" ")[1] ?? "";
    if (at.startsWith(`${folder}/`)) spawnSync("umount", ["-l", at]);
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

const ask = (socket: string, path: string, method = "GET"): Promise<string> =>
  new Promise((resolve, reject) => {
    const made = get({ socketPath: socket, path, method, headers: { host: "docker" } }, (response) => {
      const parts: string[] = [];
      response
        .setEncoding("utf8")
        .on("data", (part: string) => void parts.push(part))
        .on("end", () => resolve(parts.join("")));
    });
    made.on("error", reject);
  });
const ping = (socket: string): Promise<boolean> =>
  ask(socket, "/_ping").then(
    (text) => text === "OK",
    () => false,
  );

async function removeContainers(socket: string): Promise<void> {
  try {
    const all = JSON.parse(await ask(socket, "/containers/json?all=1")) as { Id: string }[];
    for (const { Id } of all) await ask(socket, `/containers/${Id}?force=1&v=1`, "DELETE");
    // Their bridges would stay on this machine.
    await ask(socket, "/networks/prune", "POST");
  } catch {
    // an engine that does not answer has none to remove
  }
}
