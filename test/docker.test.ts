// The life of a person's container with a real engine: named, kept, made anew, conflicts, the engine that dies and comes back.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Computer } from "../src/core/computer.ts";
import docker from "../src/computers/docker.ts";
import { orNothing } from "../src/computers/docker/engine.ts";
import { refuses } from "../src/testing/computer.ts";
import { dockerPlace } from "./docker-place.ts";
import { noEngine, testEngine, type TestEngine } from "./engine.ts";

if (noEngine !== undefined) console.log(`Docker computers are not tested: ${noEngine}`);

interface Inspected {
  Id: string;
  State: { Status: string };
  Config: { Labels: Record<string, string>; User: string };
}
const inspect = ({ engine }: TestEngine, name: string): Promise<Inspected | undefined> =>
  orNothing(engine.call<Inspected>("GET", `/containers/${name}/json`));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe("a person's container", noEngine === undefined ? {} : { skip: noEngine }, () => {
  const held: { engine?: TestEngine } = {};
  before(async () => void (held.engine = await testEngine()));
  after(() => held.engine?.close());
  const engine = (): TestEngine => held.engine!;
  lifeTests(engine);
  policyTests(engine);
  conflictTests(engine);
});

/** A terminal with a program in it that lives on by itself. */
async function livingTerminal(computer: Computer): Promise<void> {
  const shell = await computer.shell({ id: "kept", columns: 80, rows: 24 });
  const stop = new AbortController();
  shell.write("echo be''gun; exec sleep 4000\n");
  const seen: string[] = [];
  for await (const piece of shell.output({ signal: stop.signal })) {
    if (piece.type === "data") seen.push(text(piece.bytes));
    if (seen.join("").includes("begun")) break;
  }
}
const terminals = async (computer: Computer): Promise<string[]> => (await computer.shells()).map(({ id }) => id);

function lifeTests(engine: () => TestEngine): void {
  test("opening starts nothing; the first use makes the container by the template's name and says what it does", async () => {
    const place = dockerPlace(engine(), { template: "box.{user}.x" });
    const computer = await place.open();
    assert.equal((await computer.machine!.state()).state, "absent");
    assert.deepEqual([await computer.shells(), await computer.machine!.processes()], [[], []]);
    assert.equal(await inspect(engine(), `box.${place.name}.x`), undefined);
    const first = computer.exec("echo hello; id -u");
    const notes = new Set<string>();
    const watch = (async () => {
      for (let state = await computer.machine!.state(); state.state !== "running"; state = await computer.machine!.state()) {
        notes.add(`${state.state}: ${state.note ?? ""}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    assert.equal((await first).stdout, "hello\n1000\n");
    await watch;
    assert.ok(notes.has("starting: Starting the computer"), [...notes].join("; "));
    const found = await inspect(engine(), `box.${place.name}.x`);
    assert.deepEqual([found?.State.Status, found?.Config.Labels["steward.person"]], ["running", `person_${place.name}`]);
    await place.close();
    assert.equal(await inspect(engine(), `box.${place.name}.x`), undefined);
  });

  test("a running container is taken up again with its terminals, a stopped one is started", async () => {
    const place = dockerPlace(engine());
    const first = await place.open();
    await livingTerminal(first);
    await first.write("~/note", Buffer.from("mine"));
    const before = await inspect(engine(), place.container);
    await first.dispose();
    const second = await place.open();
    assert.deepEqual(await terminals(second), ["kept"]);
    assert.equal((await inspect(engine(), place.container))?.Id, before?.Id);
    await second.machine!.stop();
    assert.equal((await second.machine!.state()).state, "stopped");
    assert.equal(text(await second.read("~/note")), "mine");
    assert.deepEqual([(await inspect(engine(), place.container))?.Id, await terminals(second)], [before?.Id, []]);
    await place.close();
  });

  test("use is told while it runs: memory, processes, files on this machine belong to the person", async () => {
    const place = dockerPlace(engine());
    const computer = await place.open();
    await livingTerminal(computer);
    let told = await computer.machine!.state();
    // The engine may tell what is used a moment later.
    for (const end = Date.now() + 60_000; told.usage === undefined && Date.now() < end;) told = await computer.machine!.state();
    const { state, usage, limits } = told;
    assert.deepEqual([state, limits.processes], ["running", 256]);
    assert.ok(usage!.memoryBytes > 1e6 && usage!.memoryBytes < 2e8 && usage!.processes >= 2, JSON.stringify(usage));
    // It has said that it begins, and becomes that program a moment later.
    for (const end = Date.now() + 60_000; !(await computer.machine!.processes()).some(({ command }) => command === "sleep 4000");)
      assert.ok(Date.now() < end, "what runs is named");
    await computer.write("/data/a", Buffer.from("a"));
    assert.equal(readFileSync(join(place.folder, "computer/data/a"), "utf8"), "a");
    await place.close();
  });

  test("PERSIST_VMS=0: closing removes the container, the files stay", async () => {
    const place = dockerPlace(engine(), { persist: false });
    const first = await place.open();
    await first.write("~/note", Buffer.from("mine"));
    await first.dispose();
    assert.equal(await inspect(engine(), place.container), undefined);
    assert.equal(text(await (await place.open()).read("~/note")), "mine");
    await place.close();
  });

  test("made anew: /data and /return stay, unless everything is to go; removed: nothing is left", async () => {
    for (const files of ["folders", "volumes"]) {
      const place = dockerPlace(engine(), { files });
      const computer = await place.open();
      const fill = (): Promise<unknown> => computer.exec("touch ~/a /data/b /return/c");
      const left = async (): Promise<string> => (await computer.exec("cd /; ls home/person data return | grep -v :")).stdout.trim();
      await fill();
      await computer.machine!.reset();
      assert.equal(await left(), "b\n\n\nc");
      await fill();
      await computer.machine!.reset({ everything: true });
      assert.equal(await left(), "");
      await computer.machine!.remove();
      assert.equal((await computer.machine!.state()).state, "absent");
      const { Volumes } = await engine().engine.call<{ Volumes: { Name: string }[] | null }>("GET", "/volumes");
      assert.deepEqual(
        (Volumes ?? []).map(({ Name }) => Name).filter((name) => name.startsWith(place.container)),
        [],
      );
      assert.equal(existsSync(join(place.folder, "computer")), false);
      await place.close();
    }
  });

  test("more on the disk than is allowed ends what runs, and is said until there is room", async () => {
    const place = dockerPlace(engine());
    const computer = await place.open({ limits: () => ({ memoryBytes: 2 ** 29, processes: 256, cpus: 2, diskBytes: 20e6 }) });
    const one = await computer.exec("head -c 30000000 /dev/zero > ~/large; stat -c %s ~/large");
    assert.ok(Number(one.stdout) <= 20e6, "one file is never larger than the disk");
    const bomb = computer.exec("for i in 1 2 3 4 5 6; do head -c 15000000 /dev/zero > ~/$i; done; sleep 4000");
    await assert.rejects(bomb, { code: "limit", message: /disk is full/ });
    await refuses(computer.write("~/more", new Uint8Array(10)), "limit");
    for (const { name } of await computer.list("~")) await computer.remove(`~/${name}`);
    // What commands that were just ended still hold open goes with them.
    for (let tries = 0; (await computer.machine!.state()).diskBytes! >= 1e6; tries++) {
      assert.ok(tries < 600, "there is room again");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal((await computer.exec("echo room")).stdout, "room\n");
    await place.close();
  });

  test("killed from outside it is ended at once and works again", async () => {
    const place = dockerPlace(engine());
    const computer = await place.open();
    await computer.exec("true");
    const endless = computer.exec("sleep 4000");
    const ended = refuses(endless, "unavailable");
    await engine().engine.call("POST", `/containers/${place.container}/kill`);
    await ended;
    assert.equal((await computer.exec("echo again")).stdout, "again\n");
    await place.close();
  });

  test("S-68: HARD_TIMEOUT ends a command from outside, also one whose supervisor is stopped", async () => {
    const place = dockerPlace(engine());
    const limits = { memoryBytes: 2 ** 29, processes: 256, cpus: 2, diskBytes: 2 ** 31, commandMs: 700 };
    const computer = await place.open({ limits: () => limits });
    const { code, timedOut } = await computer.exec("trap '' TERM INT; sleep 4000; sleep 4000");
    assert.deepEqual([code > 128, timedOut], [true, true]);
    const pause = (how: string): Promise<unknown> => engine().engine.call("POST", `/containers/${place.container}/${how}`);
    // It has to be stopped before its time is over.
    for (const state = { over: true }; state.over;) {
      state.over = false;
      const begun = Promise.withResolvers<void>();
      const frozen = computer.exec("echo begun; sleep 4000", { onOutput: () => begun.resolve() }).finally(() => (state.over = true));
      await Promise.race([begun.promise, frozen]);
      await pause("pause");
      const late = state.over;
      if (late) await pause("unpause");
      assert.equal((await frozen).timedOut, true);
      state.over = late;
    }
    limits.commandMs = 60_000;
    assert.equal((await computer.exec("echo again")).stdout, "again\n");
    await place.close();
  });
}

function policyTests(engine: () => TestEngine): void {
  test("S-63: another policy makes the container anew, the same one does not; files stay", async () => {
    const place = dockerPlace(engine());
    const limits = (memoryBytes: number) => ({ limits: () => ({ memoryBytes, processes: 256, cpus: 2, diskBytes: 2 ** 31 }) });
    const ids: (string | undefined)[] = [];
    for (const memory of [2 ** 29, 2 ** 29, 2 ** 28]) {
      const computer = await place.open(limits(memory));
      await computer.exec(`echo ${memory} >> ~/log`);
      ids.push((await inspect(engine(), place.container))?.Id);
      await computer.dispose();
    }
    assert.equal(ids[0], ids[1]);
    assert.notEqual(ids[1], ids[2]);
    const last = await place.open(limits(2 ** 28));
    assert.equal(text(await last.read("~/log")), `${2 ** 29}\n${2 ** 29}\n${2 ** 28}\n`);
    await place.close();
  });

  test("S-61: seen from inside there are no rights, no network, no writable system", async () => {
    const place = dockerPlace(engine());
    const computer = await place.open();
    const { stdout } = await computer.exec(
      "grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'; ls /sys/class/net; ulimit -c; ulimit -Hn; touch /etc/x /usr/x /x /root/x 2>&1 | wc -l; whoami",
    );
    const none = "0".repeat(16);
    assert.deepEqual(stdout.trim().split("\n"), [
      `CapPrm:${none}`,
      `CapEff:${none}`,
      `CapBnd:${none}`,
      `CapAmb:${none}`,
      "NoNewPrivs:1",
      "Seccomp:2",
      "lo",
      "0",
      "8192",
      "4",
      "person",
    ]);
    await place.close();
  });
}

function conflictTests(engine: () => TestEngine): void {
  const foreign = async (name: string, Labels: Record<string, string>): Promise<string> => {
    const body = { Image: engine().image, Cmd: ["sleep", "4000"], Labels };
    const { Id } = await engine().engine.call<{ Id: string }>("POST", "/containers/create", { query: { name }, body });
    await engine().engine.call("POST", `/containers/${Id}/start`);
    return Id;
  };
  test("S-67: a container of that name that is not this person's is left alone, and it is said", async () => {
    for (const labels of [{}, { "steward.person": "somebody else", "steward.folder": "/x" }]) {
      const place = dockerPlace(engine());
      const id = await foreign(place.container, labels as Record<string, string>);
      const computer = await place.open();
      for (const work of [
        () => computer.exec("true"),
        () => computer.machine!.start(),
        () => computer.machine!.stop(),
        () => computer.machine!.reset({ everything: true }),
        () => computer.machine!.remove(),
      ])
        await refuses(work(), "conflict");
      const state = await computer.machine!.state();
      assert.equal(state.state, "failed");
      assert.match(state.note!, new RegExp(`already has "${place.container}"`));
      const found = await inspect(engine(), place.container);
      assert.deepEqual([found?.Id, found?.State.Status], [id, "running"]);
      await engine().engine.call("DELETE", `/containers/${id}`, { query: { force: "1" } });
      await place.close();
    }
  });

  test("two processes of Steward that start the same computer at once both work in one container", async () => {
    const place = dockerPlace(engine());
    const both = await Promise.all([place.open(), place.open()]);
    const ran = await Promise.all(both.map((computer, at) => computer.exec(`echo ${at} > ~/${at}; hostname`)));
    assert.deepEqual(
      ran.map(({ code }) => code),
      [0, 0],
    );
    assert.equal((await both[0].exec("cat ~/0 ~/1")).stdout, "0\n1\n");
    await place.close();
  });

  test("what is in the way of its folders is not removed", async () => {
    const place = dockerPlace(engine());
    const computer = await place.open();
    await computer.exec("true");
    await computer.machine!.reset();
    writeFileSync(join(place.folder, "computer/home"), "a file");
    await refuses(computer.exec("true"), "conflict");
    assert.ok(existsSync(join(place.folder, "computer/home")));
    await place.close();
  });
}

test("the engine dies and comes back: calls say so, then work; terminals lived on", { skip: noEngine }, async () => {
  const engine = await testEngine("mortal");
  const place = dockerPlace(engine);
  const computer = await place.open();
  await livingTerminal(computer);
  const running = computer.exec("sleep 4000");
  const ended = refuses(running, "unavailable");
  await engine.kill();
  await ended;
  await assert.rejects(computer.exec("true"), { code: "unavailable", message: /container engine at .* can't be reached/ });
  const { state, note } = await computer.machine!.state();
  assert.deepEqual([state, /can't be reached/.test(note!)], ["failed", true]);
  await engine.run();
  assert.equal((await computer.exec("echo back")).stdout, "back\n");
  assert.deepEqual(await terminals(computer), ["kept"]);
  await place.close();
  engine.close();
});

test("why there is no docker computer is said in words", { skip: noEngine }, async () => {
  const engine = await testEngine();
  const missing = (config: Record<string, unknown>): Promise<string | undefined> => docker.missing({ config, env: {} });
  assert.equal(await missing({ host: engine.host, image: engine.image }), undefined);
  assert.match((await missing({ host: "/nowhere/docker.sock" }))!, /can't be reached: there is no such socket\nStart the engine/);
  assert.match((await missing({ host: "tcp://127.0.0.1:9" }))!, /tcp:\/\/127.0.0.1:9 can't be reached: nothing listens there/);
  assert.match((await missing({ host: engine.host, image: "127.0.0.1:9/none:1" }))!, /can't be fetched: .*steward computer build/s);
  assert.match((await missing({ host: engine.host, template: "all" }))!, /Put \{user\} into VM_CONTAINER_TEMPLATE/);
  assert.match((await missing({ host: engine.host, privileged: true }))!, /computer.docker.privileged can't be set/);
  engine.close();
});
