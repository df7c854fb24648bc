// Steward's own container image, built and run with a real engine: its ports, its variables, its model, its volumes, its end, and people's computers beside it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePorts, type Running, type StewardPlace, stewardPlace, until } from "./docker-steward-place.ts";
import { noEngine } from "./engine.ts";
import { connect, type Talk } from "./os-agent-place.ts";

const HOME = "/home/steward/.steward";
const HARDENED = { ReadonlyRootfs: true, Tmpfs: { "/tmp": "" }, CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"] };
const lastLine = (text: string): string => text.trim().split("\n").at(-1)!;

if (noEngine !== undefined) console.log(`Steward's image is not tested: ${noEngine}`);

describe("Steward in a container", noEngine === undefined ? {} : { skip: noEngine }, () => {
  const held: { place?: StewardPlace } = {};
  before(async () => {
    held.place = await stewardPlace();
    const { baseMs, imageMs, plainMs, bytes } = held.place.built;
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    console.log(
      `base ${seconds(baseMs)}, image ${seconds(imageMs)} (${Math.round(bytes / 1e6)} MB), again without Ollama ${seconds(plainMs)}`,
    );
  });
  after(() => held.place?.close());
  const place = (): StewardPlace => held.place!;
  imageTests(place);
  lifeTests(place);
  siblingTests(place);
});

interface Doors {
  running: Running;
  page: string;
  plain: string;
  token: string;
  /** What was printed at the start. */
  said: string;
  socket(path?: string): Promise<Talk>;
}
/** One `docker run` with ports of this machine, and a token for it. */
async function opened(place: StewardPlace, given: Parameters<StewardPlace["run"]>[0]): Promise<Doors> {
  const [page, socket, plain] = await freePorts(3);
  const env = { STEWARD_PORT: `${page}`, WS_PORT: `${socket}`, FRONTEND_PORT: `${plain}`, ...given.env };
  const running = await place.run({
    ...given,
    env,
    ports: given.network === "host" ? [] : [page!, socket!, plain!, ...(given.ports ?? [])],
  });
  const said = await running.says(/Ctrl-C stops it/);
  const token = lastLine((await running.exec("steward", "token")).out);
  return {
    running,
    said,
    token,
    page: `http://127.0.0.1:${page}`,
    plain: `http://127.0.0.1:${plain}`,
    socket: (path = "/") => connect(`ws://127.0.0.1:${socket}${path}`, { headers: { authorization: `Bearer ${token}` } }),
  };
}

/** All that a chat says until its fragments say `end`. */
async function chat(talk: Talk, prompt: string, end: RegExp): Promise<string> {
  const from = talk.frames.length;
  talk.send({ command: "team_chat", args: { prompt } });
  await talk.until(() => end.test(talk.frames.slice(from).join("")), from);
  return talk.frames.slice(from).join("");
}

function imageTests(place: () => StewardPlace): void {
  test("O-101 O-102 O-097 one docker run: the page, the socket, the plain page and Ollama answer, also while the model is brought; then it is used", async () => {
    const [ollama] = await freePorts(1);
    const volumes = [`${place().volume()}:${HOME}`, `${place().volume()}:/home/steward/.ollama`];
    const env = { OLLAMA_MODEL: "tiny:1b", OLLAMA_NUM_CTX: "4096", OLLAMA_HOST: `0.0.0.0:${ollama}`, STAND_IN_HOLD: "/tmp/go" };
    const given = { env, binds: volumes, ports: [ollama!], more: HARDENED };
    const began = performance.now();
    const { running, page, plain, said, socket } = await opened(place(), given);
    console.log(`docker run to a token: ${Math.round(performance.now() - began)} ms`);

    // It starts beside Steward.
    await until("Ollama answers", async () => ((await fetch(`http://127.0.0.1:${ollama}/api/version`)).ok ? true : undefined));
    const found = await Promise.all(
      [`${page}/api/health`, `${page}/`, `${plain}/`, `http://127.0.0.1:${ollama}/api/version`].map((url) => fetch(url)),
    );
    assert.deepEqual(
      found.map(({ status, headers }) => [status, headers.get("content-type")?.split(";")[0]]),
      [
        [200, "application/json"],
        [200, "text/html"],
        [200, "text/html"],
        [200, "application/json"],
      ],
    );
    await running.says(/bringing tiny:1b, 50 % of 4 MB/);
    const talk = await socket();
    // Without a computer and without a model there is a conversation still.
    assert.match(await chat(talk, "hello", /\w/), /^Hello/);
    assert.match(await chat(talk, "run the command: uname", /\w/), /no computer/i);
    assert.doesNotMatch(await running.logs(), /is there/);

    await running.exec("touch", "/tmp/go");
    const log = await running.says(/the model tiny:1b is there/);
    assert.deepEqual(
      [...log.matchAll(/bringing tiny:1b, (\d+) %/g)].map(([, percent]) => percent),
      ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100"],
    );
    await until("Steward found the model", async () =>
      /model +ollama\/tiny:1b/.test((await running.exec("steward", "status")).out) ? true : undefined,
    );
    assert.match(await chat(talk, "who are you?", /tokens\./), /I am tiny:1b, with a q8_0 cache and 4096 tokens\./);

    await redeemed(said, page);
    await talk.close();
    await running.stop();
    const second = await place().run(given);
    assert.doesNotMatch(await second.says(/the model tiny:1b is there/), /bringing/);
    await second.stop();
  });

  test("the image without Ollama starts none, brings none; both run as an ordinary user who can change no file of it", async () => {
    for (const image of [place().image, place().plain]) {
      const { running } = await opened(place(), { image, env: { OLLAMA_MODEL: "" }, more: HARDENED });
      const users = await running.exec(
        "sh",
        "-c",
        "cat /proc/[0-9]*/status 2>/dev/null | grep ^Uid: | sort -u | tr '\\t' ' '; touch /opt/steward/x /etc/x 2>&1 | grep -c Read-only",
      );
      assert.equal(users.out, "Uid: 1000 1000 1000 1000\n2\n");
      const { code } = await running.exec("sh", "-c", "command -v ollama");
      assert.equal(code === 0, image === place().image);
      assert.doesNotMatch(await running.logs(), /bringing|Ollama/);
      await running.stop();
    }
    const { running } = await opened(place(), { image: place().plain });
    const written = await running.exec(
      "sh",
      "-c",
      "for at in /opt/steward /opt/steward/dist/main.js /usr/local/bin/node /etc; do [ -w $at ] && echo $at; done; true",
    );
    assert.deepEqual(written, { code: 0, out: "" });
    await running.stop();
  });

  test("any verb of Steward's is run in place of it, and in it", async () => {
    const once = await place().run({ cmd: ["--version"] });
    assert.equal(await once.wait(), 0);
    assert.match(await once.logs(), /^steward \d+\.\d+\.\d+\n$/);
    const checked = await place().run({ cmd: ["start", "--nonsense"] });
    assert.equal(await checked.wait(), 2);
    const { running, page } = await opened(place(), { image: place().plain });
    assert.match((await running.exec("steward", "status")).out, /^Steward \S+ runs/);
    await redeemed((await running.exec("steward", "claim", "--json")).out, page);
    const { engine } = place().engine;
    const { Config } = await engine.call<{ Config: { Healthcheck: { Test: string[] } } }>("GET", `/containers/${running.name}/json`);
    const [kind, command] = Config.Healthcheck.Test;
    assert.deepEqual([kind, await running.exec("/bin/sh", "-c", command!)], ["CMD-SHELL", { code: 0, out: "" }]);
    await running.stop();
  });

  test("what is wrong is said with what to do: a folder of somebody else's, no engine, a model that does not exist", async () => {
    const folder = mkdtempSync(join(tmpdir(), "steward-owned-"));
    const refused = await place().run({ binds: [`${folder}:${HOME}`] });
    assert.equal(await refused.wait(), 1);
    assert.match(await refused.logs(), /\.steward can't be written by user 1000.*\n.*chown 1000 FOLDER/);
    rmSync(folder, { recursive: true });
    const { running, said } = await opened(place(), { env: { OLLAMA_MODEL: "nosuch" } });
    assert.match(said, /There are no computers, so commands are refused: .*-v \/var\/run\/docker\.sock.*VM_DOCKER_HOST.*namespace/);
    await running.says(/nosuch could not be brought: .*file does not exist/);
    await running.stop();
    const lost = await place().run({ env: { OLLAMA_HOST: "http://nosuch:11434" } });
    await lost.says(/Ollama at http:\/\/nosuch:11434 does not answer yet/);
    assert.equal((await lost.stop()).code, 0); // later than ten seconds it would be killed
  });
}

/** The link that was printed lets a browser in that comes from the published port. */
async function redeemed(text: string, page: string): Promise<void> {
  const [, origin, code] = /(http:\/\/\S+)\/claim#(\w+)/.exec(text)!;
  assert.equal(origin, page);
  const answer = await fetch(`${page}/api/claim`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: page },
    body: JSON.stringify({ code }),
  });
  assert.deepEqual([answer.status, (answer.headers.get("set-cookie") ?? "").includes("HttpOnly")], [200, true], await answer.text());
}

function lifeTests(place: () => StewardPlace): void {
  test("O-098 variables by -e and by .env of the home: default user and session, folders, database, log level", async () => {
    const volume = `${place().volume()}:${HOME}`;
    const dotenv = "DEFAULT_USER=anna\nDEFAULT_SESSION=kitchen\nLOG_LEVEL=DEBUG\nUPLOAD_DIR=/home/steward/.steward/up\nWS_PORT=1\n";
    const env = { DB_PATH: `${HOME}/other.db`, RETURN_DIR: `${HOME}/returned`, VM_STATE_DIR: `${HOME}/vms` };
    const first = await opened(place(), { image: place().plain, binds: [volume] });
    await first.running.exec("sh", "-c", `printf '${dotenv.replaceAll("\n", "\\n")}' > ${HOME}/.env`);
    await first.running.stop();
    const { running, socket } = await opened(place(), { image: place().plain, binds: [volume], env });
    const shown = (await running.exec("steward", "config", "show", "--json")).out;
    const config = JSON.parse(shown) as Record<string, Record<string, unknown>>;
    const { defaultUser, defaultSession, uploadDir, returnDir } = config["osAgent"]!;
    assert.deepEqual(
      [defaultUser, defaultSession, uploadDir, returnDir, config["log"]!["level"], config["computer"]!["stateDir"]],
      ["anna", "kitchen", `${HOME}/up`, `${HOME}/returned`, "debug", `${HOME}/vms`],
    );
    const talk = await socket();
    assert.deepEqual((await talk.ask("list_sessions")).result, ["kitchen"]);
    await talk.close();
    assert.match((await running.exec("ls", HOME)).out, /^other\.db$/m);
    await running.stop();
  });

  test("what lasts is in the volume: gone with docker rm, back with the next run; a clean end within 10 seconds, no zombies", async () => {
    const given = { image: place().plain, binds: [`${place().volume()}:${HOME}`], more: HARDENED };
    const first = await opened(place(), given);
    const talk = await first.socket("/?session=lasting");
    await chat(talk, "hello", /\w/);
    // Left behind by programs that ended before them: they are the first process's to bury.
    await first.running.exec("sh", "-c", "for one in 1 2 3; do (sleep 0.1; exit 3) & done; exit 0");
    const count = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') [SRDZ] 1 '; grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    await until("all that ended is buried", async () =>
      (await first.running.exec("sh", "-c", count)).out.endsWith("\n0\n") ? true : undefined,
    );
    await talk.close();
    assert.equal((await first.running.stop()).code, 0); // later it would be killed
    assert.match(await first.running.logs(), /Stopping/);
    await first.running.remove();
    const second = await opened(place(), given);
    const again = await second.socket("/?session=other");
    assert.ok(((await again.ask("list_sessions")).result as string[]).includes("lasting"));
    const old = await fetch(`${second.page}/api/status`, { headers: { authorization: `Bearer ${first.token}` } });
    assert.equal(old.status, 200);
    await again.close();
    await second.running.stop();
  });

  test("a Steward that ends by itself ends its container with its code", async () => {
    const { running } = await opened(place(), { image: place().plain });
    await running.exec("steward", "stop");
    assert.equal(await running.wait(), 0);
  });
}

interface Sibling {
  State: { Running: boolean };
  Mounts: { Type: string; Destination: string; Name?: string }[];
  HostConfig: { NetworkMode: string };
}

function siblingTests(place: () => StewardPlace): void {
  const sibling = async (name: string): Promise<Sibling> => {
    const { engine } = place().engine;
    return engine.call<Sibling>("GET", `/containers/${name}/json`);
  };
  const worksBeside = async (given: Parameters<StewardPlace["run"]>[0], template: string): Promise<void> => {
    const volume = `${place().volume()}:${HOME}`;
    const { engine, image, socket: sock } = place().engine;
    const env = { VM_IMAGE: image, VM_CONTAINER_TEMPLATE: template, ...given.env };
    const whole = { image: place().plain, ...given, env, binds: [volume, ...(given.binds ?? [])] };
    const first = await opened(place(), whole);
    assert.doesNotMatch(first.said, /no computers/);
    const talk = await first.socket();
    const said = await talk.ask("vm_execute", { command: "echo kept > /data/note; id -u; hostname; pwd" });
    assert.deepEqual(said, { result: "1000\ncomputer\n/home/person" });
    assert.deepEqual(await talk.ask("write_file", { path: "/data/made", content: "by Steward" }), { result: "Saved" });
    await talk.close();
    const name = (await engine.call<{ Names: string[] }[]>("GET", "/containers/json"))
      .flatMap(({ Names }) => Names)
      .find((one) => one.includes(template.replace("{user}", "")));
    const box = await sibling(name!.slice(1));
    assert.deepEqual(
      [box.State.Running, box.HostConfig.NetworkMode, ...box.Mounts.map(({ Type, Destination }) => `${Type} ${Destination}`).sort()],
      [true, "none", "volume /data", "volume /home/person", "volume /return", "volume /state"],
    );
    await first.running.stop();
    await first.running.remove();
    assert.equal((await sibling(name!.slice(1))).State.Running, true);
    const second = await opened(place(), whole);
    const again = await second.socket();
    assert.deepEqual(await again.ask("vm_execute", { command: "cat /data/note /data/made" }), { result: "kept\nby Steward" });
    await again.close();
    await second.running.stop();
    await engine.call("DELETE", name!.replace("/", "/containers/"), { query: { force: "1" } });
    for (const { Name } of box.Mounts) await engine.call("DELETE", `/volumes/${Name}`);
    assert.ok(statSync(sock).isSocket());
  };

  test("people's computers beside it, by the engine's socket: named volumes, also on the host's network; they live on and are found again", async () => {
    const { socket } = place().engine;
    const group = String(statSync(socket).gid);
    await worksBeside(
      {
        binds: [`${socket}:/var/run/docker.sock`],
        network: "host",
        env: { STEWARD_HOST: "127.0.0.1", WS_HOST: "127.0.0.1" },
        more: { GroupAdd: [group] },
      },
      "beside-{user}",
    );
  });

  test("compose.yaml's socket proxy opens what computers need, and no more", async () => {
    const { socket } = place().engine;
    const env = proxyVariables();
    const program = readFileSync(join(import.meta.dirname, "stand-in-socket-proxy.mjs"), "utf8");
    const proxy = await place().run({
      image: place().base,
      env: { ...env, PROGRAM: program },
      cmd: ["sh", "-c", 'printf %s "$PROGRAM" >/tmp/proxy.mjs; exec node /tmp/proxy.mjs'],
      binds: [`${socket}:/var/run/docker.sock:ro`],
    });
    await worksBeside({ env: { VM_DOCKER_HOST: `tcp://${proxy.name}:2375` } }, "proxied-{user}");
    const asked = new Set(
      (await proxy.logs())
        .trim()
        .split("\n")
        .map((line) => line.replace(/^(\w+ \w+ \/)(\w+).*/, "$1$2")),
    );
    assert.deepEqual(
      [...asked].filter((line) => !line.startsWith("yes ")),
      [],
    );
    // What only `steward computer build` and an image that has to be fetched ask for.
    const rare = ["BUILD", "DISTRIBUTION"];
    const used = new Set([...asked].map((line) => line.split("/")[1]!.toUpperCase()));
    const open = Object.keys(env).filter((name) => env[name] === "1" && name !== "POST");
    assert.deepEqual(
      open.filter((name) => !used.has(name) && !rare.includes(name)),
      [],
    );
  });
}

/** Of the service `engine` in compose.yaml. */
function proxyVariables(): Record<string, string> {
  const text = readFileSync(join(import.meta.dirname, "..", "compose.yaml"), "utf8");
  const [, block = ""] = /\n {2}engine:\n[^]*?environment:\n((?: {6}.*\n)+)/.exec(text)!;
  return Object.fromEntries([...block.matchAll(/ {6}(\w+): (\d)/g)].map(([, name, value]) => [name!, value!]));
}
