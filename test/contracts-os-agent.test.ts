// OS-Agent's documented interface over a real computer: files, commands, terminals, uploads, what comes back, notifications.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { ensureNamed } from "../src/run/named.ts";
import type { Action } from "../src/testing/model-server.ts";
import { eventually } from "./gateway-place.ts";
import { binary, openOsPlace, type OsPlace, parsed, PYTHON, type Talk } from "./os-agent-place.ts";
import { leastOf } from "./took.ts";

const missing = await bubblewrapMissing();
const text = (said: string): Action => ({ do: "text", text: said });
const fragmentsOf = (talk: Talk): string[] => talk.frames.filter((frame) => parsed(frame) === undefined);

describe("OS-Agent over a computer", { skip: missing ?? false }, () => {
  let place: OsPlace;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "steward-os-agent-"));
    place = await openOsPlace({
      config: {
        "osAgent.uploadDir": join(folder, "uploads"),
        "osAgent.returnDir": join(folder, "returns"),
        "notifications.pollSeconds": 0.5,
      },
    });
    place.model.script([text("Noted.")]);
    await mkdir(join(folder, "uploads"));
  });
  after(async () => {
    await place.close();
    await rm(folder, { recursive: true, force: true });
  });
  const arrive = (name: string, more = "", options = {}) => place.connect(`/?user=${name}&session=main${more}`, options);
  /** Their computer runs: while it is made for longer than a client waits, commands are refused. */
  const user = async (name: string, more = "", options = {}) => {
    const { steward } = place.composed;
    const { id } = await ensureNamed(steward, decodeURIComponent(name));
    await (await steward.computers.own(id)).machine!.start();
    return arrive(name, more, options);
  };
  const result = async (talk: Talk, command: string, args?: object) => {
    const { result: given, error } = await talk.ask(command, args);
    assert.equal(error, undefined);
    return given;
  };

  test("O-013 every command of a brand-new user is answered within 10 s", async () => {
    const tried = async (name: string): Promise<[ms: number, answer: unknown]> => {
      const began = Date.now();
      const talk = await arrive(name);
      const { result: answer } = await talk.ask("list_dir", { path: "/data" });
      await talk.close();
      return [Date.now() - began, answer];
    };
    // The quickest of a few: the machine may stand still meanwhile.
    const isGood = ([ms, answer]: [number, unknown]): boolean => ms < 10_000 && Array.isArray(answer) && answer.length === 0;
    const tries = [await tried("brand-new")];
    while (!isGood(tries.at(-1)!) && tries.length < 4) tries.push(await tried(`brand-new-${tries.length}`));
    assert.ok(tries.some(isGood), JSON.stringify(tries));
  });

  test("O-035 … O-040 files: list, read, write, delete", async () => {
    const talk = await user("files");
    assert.equal(await result(talk, "write_file", { path: "/data/a 'b'/note.txt", content: "line\r\n  two\n" }), "Saved");
    assert.equal(await result(talk, "read_file", { path: "/data/a 'b'/note.txt" }), "line\r\n  two\n");
    await result(talk, "write_file", { path: "/data/.hidden" });
    assert.deepEqual(await result(talk, "list_dir", { path: "/data" }), [
      [".hidden", false],
      ["a 'b'", true],
    ]);
    assert.deepEqual(await result(talk, "list_dir", { path: "/data/none" }), []);
    assert.ok((await talk.ask("read_file", { path: "/data/none" })).error);
    assert.ok((await talk.ask("write_file", { path: "/usr/bin/x", content: "" })).error);
    assert.equal(await result(talk, "delete_path", { path: "/data/a 'b'" }), "Deleted");
    assert.equal(await result(talk, "delete_path", { path: "/data/a 'b'" }), "File not found");
    await talk.close();
  });

  test("O-038 a file of 1.5 MB: whole for most, its last part for Python's clients, whose connection stays", async () => {
    const talk = await user("big");
    await result(talk, "vm_execute", { command: "head -c 1500000 /dev/zero | tr '\\0' x > /data/big; echo end >> /data/big" });
    assert.equal(((await result(talk, "read_file", { path: "/data/big" })) as string).length, 1_500_004);
    const python = await user("big", "", { headers: { "user-agent": PYTHON } });
    const read = (await result(python, "read_file", { path: "/data/big" })) as string;
    assert.match(read, /^\(output truncated, \d+ characters hidden\)\nx+end\n$/);
    assert.ok(python.frames.every((frame) => Buffer.byteLength(frame) <= 1_048_576));
    assert.ok(Array.isArray(await result(python, "list_sessions")));
    await Promise.all([talk.close(), python.close()]);
  });

  test("O-041 download_file: below RETURN_DIR of the user, and nowhere else", async () => {
    const talk = await user("down");
    await result(talk, "write_file", { path: "/data/report.txt", content: "done" });
    const returns = join(folder, "returns");
    const path = (await result(talk, "download_file", { path: "/data/report.txt" })) as string;
    assert.deepEqual([path, await readFile(path, "utf8")], [join(returns, "down", "report.txt"), "done"]);
    for (const [dest, at] of [
      ["sub", "down/sub"],
      [returns, "down"],
      [join(returns, "other"), "down/other"],
    ] as const)
      assert.equal(await result(talk, "download_file", { path: "/data/report.txt", dest }), join(returns, at, "report.txt"));
    await symlink("/tmp", join(returns, "down", "out"));
    for (const dest of ["/tmp", "../..", "out"])
      assert.match((await talk.ask("download_file", { path: "/data/report.txt", dest })).error!, /only be copied/);
    await result(talk, "vm_execute", { command: "ln -s /etc/passwd /data/leak" });
    const leak = await talk.ask("download_file", { path: "/data/leak" });
    if (leak.error === undefined) assert.notEqual(await readFile(leak.result as string, "utf8"), await readFile("/etc/passwd", "utf8"));
    await talk.close();
  });

  test("O-026 O-028 O-029 O-030 O-032 O-034 O-056 uploads in their forms, and their list", async () => {
    const talk = await user("up");
    const data = Buffer.from("hello").toString("base64");
    assert.equal(await result(talk, "upload_document", { file_data: data, file_name: "../../a b.txt" }), "/data/a_b.txt");
    assert.equal(await result(talk, "vm_execute", { command: "cat /data/a_b.txt" }), "hello");
    const large = Buffer.alloc(5_000_000, 7);
    const header = { command: "upload_document", args: { file_name: "large.bin" } };
    for (const little of [false, true]) {
      const from = talk.frames.length;
      talk.send(binary(header, large, { little }));
      assert.equal(await talk.until((frame) => parsed(frame)?.["result"] === "/data/large.bin", from), '{"result":"/data/large.bin"}');
    }
    assert.equal(await result(talk, "vm_execute", { command: "wc -c < /data/large.bin" }), "5000000");
    assert.match((await talk.ask("upload_document", { file_data: data })).error!, /^file_name required when file_data provided/);
    assert.ok((await talk.ask("upload_document", { file_data: "%%%", file_name: "x" })).error);
    assert.equal(await result(talk, "upload_document", { file_data: data, file_name: ".." }), "/data/file");
    const uploads = join(folder, "uploads", "up");
    const docs = (await result(talk, "list_documents")) as { file_path: string; original_name: string }[];
    assert.deepEqual(
      docs.map(({ file_path, original_name }) => [file_path, original_name]).toSorted(),
      ["a_b.txt", "file", "large.bin"].map((name) => [join(uploads, name), name]),
    );
    assert.equal((await stat(join(uploads, "large.bin"))).size, 5_000_000);
    await talk.close();
  });

  test("O-027 by path: for the owner, from UPLOAD_DIR only", async () => {
    await writeFile(join(folder, "uploads", "plan.txt"), "plan");
    await writeFile(join(folder, "secret.txt"), "secret");
    await symlink(join(folder, "secret.txt"), join(folder, "uploads", "link.txt"));
    const owner = await place.connect(`/?token=${await place.tokenFor("owner", "owner")}`);
    for (const file_path of ["plan.txt", join(folder, "uploads", "plan.txt")])
      assert.equal(await result(owner, "upload_document", { file_path }), "/data/plan.txt");
    assert.equal(await result(owner, "read_file", { path: "/data/plan.txt" }), "plan");
    for (const file_path of ["../secret.txt", join(folder, "secret.txt"), "link.txt", "/etc/passwd"])
      assert.match((await owner.ask("upload_document", { file_path })).error!, /There is no/);
    const guest = await user("path");
    assert.match((await guest.ask("upload_document", { file_path: "plan.txt" })).error!, /Only the owner/);
    await Promise.all([owner.close(), guest.close()]);
  });

  test("O-042 O-043 O-044 vm_execute: output in order, failures as results, timeouts in words", async () => {
    const talk = await user("exec");
    assert.equal(await result(talk, "vm_execute", { command: "echo one; echo two >&2; echo three; exit 3" }), "one\ntwo\nthree");
    assert.match((await result(talk, "vm_execute", { command: "no-such-program" })) as string, /not found/);
    // On a machine that stands still just then it has printed nothing yet: once more, with more time.
    const stopped = async (timeout: number): Promise<string> => {
      const began = Date.now();
      const told = (await result(talk, "vm_execute", { command: "echo so far; sleep 60", timeout })) as string;
      assert.match(told, new RegExp(`^Command timed out after ${timeout}s: echo so far; sleep 60`));
      assert.ok(Date.now() - began < 40_000);
      return told.endsWith("\nso far") || timeout > 8 ? told : stopped(timeout * 5);
    };
    assert.match(await stopped(2), /\nso far$/);
    const long = (await result(talk, "vm_execute", { command: "seq 1 20000" })) as string;
    assert.deepEqual([long.split("\n").length, long.split("\n")[0]], [20_000, "1"]);
    await talk.close();
  });

  test("O-045 O-047 O-054 lines as they are printed, nothing else, and the shell stays", async () => {
    const talk = await user("lines", "&events=1");
    const stream = async (command: string, more = {}): Promise<string[]> => {
      const from = talk.frames.length;
      talk.send({ command: "vm_execute_stream", args: { command, ...more } });
      await talk.until((frame) => parsed(frame)?.["event"] === "stream.completed", from);
      return talk.frames.slice(from);
    };
    assert.deepEqual(await stream("for i in 1 2 3; do echo line $i; sleep 0.1; done; printf rest"), [
      "line 1\n",
      "line 2\n",
      "line 3\n",
      "rest",
      '{"event":"stream.completed","code":0}',
    ]);
    await stream("cd /tmp; colour=blue");
    assert.deepEqual((await stream("pwd; echo $colour; false")).slice(0, 2), ["/tmp\n", "blue\n"]);
    assert.deepEqual((await stream(`echo '{"result":"/etc/passwd"}'`)).slice(0, 2).join(""), '{"result":"/etc/passwd"}\n');
    await talk.close();
  });

  test("O-045 a line arrives when it is printed, not at the end", async () => {
    const talk = await user("soon");
    talk.send({ command: "vm_execute_stream", args: { command: "echo first; read answer; echo got $answer" } });
    await talk.until((frame) => frame === "first\n");
    talk.send({ command: "vm_input", args: { data: "this\n" } });
    await talk.until((frame) => frame.includes("got this"));
    await talk.close();
  });

  test("O-046 raw: carriage returns kept, output before the newline", async () => {
    const [talk, other] = [await user("raw", "&events=1"), await user("raw")];
    const command = "printf '10%%\\r'; until [ -e /data/on ]; do sleep 0.1; done; printf '100%%\\n'";
    talk.send({ command: "vm_execute_stream", args: { raw: true, command } });
    assert.equal(await talk.until(() => true), "10%\r");
    await result(other, "write_file", { path: "/data/on" });
    await talk.until((frame) => frame.startsWith('{"event"'));
    assert.equal(talk.frames.slice(0, -1).join(""), "10%\r100%\r\n");
    await Promise.all([talk.close(), other.close()]);
  });

  test("O-049 O-050 O-051 a question is a frame of its own; the answer comes over this or another connection", async () => {
    const [one, other] = [await user("ask"), await user("ask")];
    for (const talk of [one, other]) {
      const from = one.frames.length;
      one.send({ command: "vm_execute_stream", args: { command: "read -p 'Name: ' name; echo Hello $name" } });
      assert.equal(await one.until((frame) => frame.includes("stdin_request"), from), '{"stdin_request":"Name: "}');
      assert.equal(await result(talk, "vm_input", { data: "Ada\n" }), "ok");
      await one.until((frame) => frame.includes("Hello Ada"), from);
    }
    assert.equal(await result(other, "vm_input", { data: "nothing runs\n" }), "ok");
    await Promise.all([one.close(), other.close()]);
  });

  test("O-052 vm_keys types one by one, with the delay asked for", async () => {
    const talk = await user("keys");
    talk.send({ command: "vm_execute_stream", args: { command: "echo reads; read line; echo typed $line" } });
    await talk.until((frame) => frame === "reads\n");
    const began = Date.now();
    talk.send({ command: "vm_keys", args: { data: "abcd\n", delay: 0.1 } });
    await talk.until((frame) => frame === '{"result":"ok"}');
    assert.ok(Date.now() - began >= 390);
    await talk.until((frame) => frame.includes("typed abcd"));
    await talk.close();
  });

  test("O-014 answers keep their order while typing works at once", async () => {
    const talk = await user("mixed");
    talk.send({ command: "vm_execute", args: { command: "sleep 0.5; echo slow" } });
    talk.send({ command: "vm_input", args: { data: "x" } });
    talk.send({ command: "vm_keys", args: { data: "abc", delay: 0.05 } });
    talk.send({ command: "list_sessions" });
    await eventually(() => talk.frames.length === 4);
    assert.deepEqual(talk.frames, ['{"result":"slow"}', '{"result":"ok"}', '{"result":"ok"}', '{"result":["main"]}']);
    await talk.close();
  });

  test("O-048 a lone stream of a Python client ends with 1000 about a second later; others stay", async () => {
    const python = { headers: { "user-agent": PYTHON } };
    const [lone, busy, node] = [await user("lone", "", python), await user("lone2", "", python), await user("lone3")];
    for (const talk of [lone, busy, node]) talk.send({ command: "vm_execute_stream", args: { command: "echo done" } });
    busy.send({ command: "list_sessions" });
    assert.equal((await lone.closed)[0], 1000);
    assert.deepEqual(lone.frames, ["done\n"]);
    for (const talk of [busy, node]) {
      await talk.until((frame) => frame === "done\n");
      assert.ok(await result(talk, "list_sessions"));
      await talk.close();
    }
  });

  test("O-053 restart_terminal answers at once, also while a command runs, and the agent is told", async () => {
    const [talk, other, third] = [await user("restart"), await user("restart"), await user("restart")];
    let tries = 0;
    const took = await leastOf(10_000, async () => {
      const [before, runs] = [[talk.frames.length, other.frames.length], `runs-${tries++}`];
      talk.send({ command: "vm_execute_stream", args: { command: "cd /tmp; echo runs; sleep 300" } });
      await talk.until((frame) => frame === "runs\n", before[0]);
      other.send({ command: "vm_execute", args: { command: `touch /data/${runs}; sleep 300` } });
      await eventually(async () => JSON.stringify(await result(third, "list_dir", { path: "/data" })).includes(runs));
      const began = Date.now();
      assert.equal(await result(talk, "restart_terminal"), "restarted");
      const ms = Date.now() - began;
      await other.until((frame) => parsed(frame) !== undefined, before[1]);
      return ms;
    });
    assert.ok(took < 10_000, `${took} ms`);
    const from = talk.frames.length;
    talk.send({ command: "vm_execute_stream", args: { command: "pwd" } });
    assert.notEqual(await talk.until((frame) => frame.startsWith("/"), from), "/tmp\n");
    await eventually(() => place.model.requests.some(({ body }) => JSON.stringify(body.messages).includes("VM terminal restarted")));
    await Promise.all([talk, other, third].map((one) => one.close()));
  });

  test("a client that goes away in the middle of a stream leaves nothing running in its way", async () => {
    const talk = await user("gone");
    talk.send({ command: "vm_execute_stream", args: { command: "echo runs; trap '' INT; sleep 300" } });
    await talk.until((frame) => frame === "runs\n");
    talk.socket.terminate();
    const next = await user("gone");
    next.send({ command: "vm_execute_stream", args: { command: "echo next" } });
    await next.until((frame) => frame === "next\n");
    await next.close();
  });

  test("two users whose sessions have one name share neither terminal nor chat nor memory", async () => {
    const [ann, ben] = [await user("ann"), await user("ben")];
    ann.send({ command: "vm_execute_stream", args: { command: "read -p 'Ann? ' x; echo ann got $x" } });
    await ann.until((frame) => frame.includes("stdin_request"));
    assert.equal(await result(ben, "vm_input", { data: "from ben\n" }), "ok");
    assert.equal(await result(ben, "restart_terminal"), "restarted");
    await result(ben, "set_memory", { memory: '{"name":"Ben"}' });
    ann.send({ command: "vm_input", args: { data: "from ann\n" } });
    await ann.until((frame) => frame.includes("ann got from ann"));
    assert.ok(!((await result(ann, "get_memory")) as string).includes("Ben"));
    await Promise.all([ann.close(), ben.close()]);
  });

  test("switches and blocked commands hold here too; files changed here can be undone", async () => {
    const { steward } = place.composed;
    const talk = await user("switch");
    await result(talk, "write_file", { path: "/data/kept.txt", content: "one" });
    await result(talk, "delete_path", { path: "/data/kept.txt" });
    const undo = (await steward.store.list("p/user_switch/undo/")).map(({ value }) => (value as { summary: string }).summary);
    assert.equal(undo.length, 2);
    assert.match((await talk.ask("vm_execute", { command: "sudo rm -rf /" })).error!, /^Permission denied/);
    steward.permissions.toggle("terminal", false);
    try {
      for (const command of ["vm_execute", "vm_execute_stream"])
        assert.match((await talk.ask(command, { command: "id" })).error!, /terminal is switched off/);
    } finally {
      steward.permissions.toggle("terminal", true);
    }
    await talk.close();
  });

  test("O-065 HARD_TIMEOUT holds for every command", async () => {
    const { settings } = place.composed.steward;
    const talk = await user("hard");
    await result(talk, "vm_execute", { command: "true" }); // its computer runs: only commands have this little time
    settings.set("computer.limits.commandSeconds", 1);
    try {
      assert.match((await result(talk, "vm_execute", { command: "sleep 30", timeout: 20 })) as string, /^Command timed out after 1s/);
      talk.send({ command: "vm_execute_stream", args: { command: "sleep 30" } });
      await talk.until((frame) => frame.startsWith("Command timed out after 1s"));
      await talk.close();
    } finally {
      settings.set("computer.limits.commandSeconds", undefined);
    }
  });

  test("O-055 O-058 O-059 each user a computer, two sessions of one share it, and nothing of the host is there", async () => {
    const names = ["a b", "a_b", "A_B", "../../etc", "owner", "guest", "demo2"];
    const dirs = new Set<string>();
    for (const name of names) {
      const talk = await user(encodeURIComponent(name));
      assert.deepEqual(await result(talk, "list_dir", { path: "/data" }), []);
      await result(talk, "write_file", { path: "/data/mine", content: name });
      await talk.close();
      const second = await place.connect(`/?user=${encodeURIComponent(name)}&session=second`);
      assert.equal(await result(second, "read_file", { path: "/data/mine" }), name);
      await second.close();
    }
    for (const { value } of await place.composed.steward.store.list("person/")) {
      const { id, computer = id } = value as { id: string; computer?: string };
      dirs.add(computer);
    }
    for (const dir of dirs) assert.match(dir, /^[a-z0-9][a-z0-9_-]*$/);
    assert.ok(dirs.has("demo2"));
    const talk = await user("host");
    assert.match((await result(talk, "vm_execute", { command: `ls ${folder} ${place.home}` })) as string, /No such file/);
    await talk.close();
  });

  test("O-057 O-067 O-068 a file in /return comes to every connection that stays, once; the folder is empty then", async () => {
    const [one, other] = [await user("back"), await place.connect("/?user=back&session=other")];
    const quick = setInterval(() => void arrive("back").then((talk) => talk.close()), 200);
    try {
      await result(one, "vm_execute", { command: "echo result > /return/out.txt" });
      const data = Buffer.from("result\n").toString("base64");
      for (const talk of [one, other])
        assert.deepEqual(parsed(await talk.until((frame) => frame.includes("returned_file"))), { returned_file: "out.txt", data });
    } finally {
      clearInterval(quick);
    }
    await eventually(async () => ((await result(one, "list_dir", { path: "/return" })) as unknown[]).length === 0);
    assert.equal(await readFile(join(folder, "returns", "back", "out.txt"), "utf8"), "result\n");
    for (const talk of [one, other]) assert.equal(talk.frames.filter((frame) => frame.includes("returned_file")).length, 1);
    await Promise.all([one.close(), other.close()]);
  });

  test("O-069 above 1 MiB a Python client gets a line with a link, and stays connected", async () => {
    const talk = await user("large", "", { headers: { "user-agent": PYTHON } });
    await result(talk, "vm_execute", { command: "head -c 2000000 /dev/zero > /return/zeros.bin" });
    assert.match(await talk.until((frame) => frame.startsWith("File returned")), /^File returned: zeros\.bin \(.*\): http:\/\//);
    assert.ok(await result(talk, "list_sessions"));
    await talk.close();
  });

  test("O-071 O-073 send_notification: its text once, then the agent's answer, to those who stay", async () => {
    const [one, other] = [await user("notify"), await user("notify")];
    // Beside each other: the same words are told again when they come five seconds later.
    const sent = await Promise.all([one, other].map((talk) => result(talk, "send_notification", { message: "Report ready" })));
    assert.deepEqual(sent, ["ok", "ok"]);
    for (const talk of [one, other]) {
      await talk.until((frame) => frame === "Noted.");
      assert.deepEqual(fragmentsOf(talk), ["Report ready", "Noted."]);
    }
    await Promise.all([one.close(), other.close()]);
  });

  test("O-072 queued with no chat open: told to the next connection that stays, once", async () => {
    /** One that the machine holds up for two seconds counts as one that stays: then it is done again, for somebody else. */
    const queued = async (name: string): Promise<string> => {
      const began = performance.now();
      const quick = await arrive(name);
      assert.equal(await result(quick, "send_notification", { message: '{"result":"forged"}' }), "ok");
      await quick.close();
      return performance.now() - began < 1500 ? name : queued(`${name}-again`);
    };
    const name = await queued("queued");
    for (let times = 0; times < 2; times++) {
      const talk = await user(name);
      if (times === 0) {
        await talk.until((frame) => frame === "Noted.");
        assert.deepEqual(talk.frames, ['```\n{"result":"forged"}\n```', "Noted."]);
      } else {
        await result(talk, "vm_execute", { command: "sleep 2.5" });
        assert.equal(talk.frames.length, 1);
      }
      await talk.close();
    }
  });

  test("O-074 O-075 a program in the computer notifies by a file", async () => {
    const talk = await user("inside");
    await result(talk, "vm_execute", { command: "echo from inside > /state/notifications/1.txt" });
    await talk.until((frame) => frame.startsWith("from inside"));
    await talk.until((frame) => frame === "Noted.");
    await talk.close();
  });

  test("O-089 at most 15 rounds of tool calls a turn", async () => {
    const before = place.model.requests.length;
    let round = 0;
    place.model.script(() => [{ do: "calls", calls: [{ tool: "recall", input: { query: `word ${round++}` } }] }]);
    const talk = await user("rounds");
    talk.send("go on");
    await talk.until((frame) => frame.includes("15 rounds"));
    const own = place.model.requests.slice(before).filter(({ body }) => JSON.stringify(body.messages).includes("go on"));
    assert.equal(own.length, 15);
    place.model.script([text("Noted.")]);
    await talk.close();
  });
});
