// The library over the network and inside the process: the same functions, ends of turns, questions, secrets, lost connections, and being given up.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile as readLocal, rm, writeFile as writeLocal } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { listDir, listSessions, readFile, StewardError, teamChat, TeamChatSession, vmExecute, type Where } from "../src/client/entry.ts";
import * as steward from "../src/client/entry.ts";
import { embed, type Embedded } from "../src/embed.ts";
import type { Action, ModelRequest } from "../src/testing/model-server.ts";
import { eventually, openPlace, type Place } from "./gateway-place.ts";
import { openOsPlace } from "./os-agent-place.ts";

const said = (text: string): Action => ({ do: "text", text });
const isCode = (code: string) => (error: unknown) => error instanceof StewardError && error.code === code;

async function gather<T, R>(stream: AsyncGenerator<T, R>): Promise<{ all: T[]; end: R }> {
  const all: T[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { all, end: value };
    all.push(value);
  }
}
/** What the person said last, as the model read it. */
const asked = ({ body }: ModelRequest): string => {
  const { content } = (body.messages as { role: string; content: unknown }[]).findLast(({ role }) => role === "user")!;
  return typeof content === "string" ? content : (content as { text: string }[]).at(-1)!.text;
};

let place: Place;
let where: Where;
let folder: string;
before(async () => {
  place = await openPlace();
  where = { url: place.gateway.url, token: place.gateway.localToken };
  folder = await mkdtemp(join(tmpdir(), "steward-library-"));
});
after(async () => {
  await place.close();
  await rm(folder, { recursive: true, force: true });
});
const answers = (...actions: Action[]): void => place.model.script(actions);

describe("O-090 the functions", () => {
  test("team_chat gives the whole answer and knows its end; sessions by name keep their history", async () => {
    answers(said("Hello, Ada."));
    assert.equal(await teamChat("I am Ada", { ...where, session: "talk" }), "Hello, Ada.");
    answers(said("You are Ada."));
    assert.equal(await teamChat("Who am I?", { ...where, session: "talk" }), "You are Ada.");
    assert.match(JSON.stringify(place.model.requests.at(-1)!.body), /I am Ada.*Hello, Ada\..*Who am I\?/);
    assert.ok((await listSessions(where)).includes("talk"));
    const [info] = (await steward.listSessionsInfo(where)).filter(({ name }) => name === "talk");
    assert.equal(info!.lastMessage, "You are Ada.");
    assert.deepEqual(await gather(steward.teamChatStream("Again", { ...where, session: "talk" })), { all: ["You are Ada."], end: "end" });
  });

  test("list_dir, read_file, write_file, delete_path, download_file", async () => {
    await steward.writeFile("notes/one.txt", "eins\n", where);
    await steward.writeFile("notes/two.bin", Uint8Array.of(0, 255, 10), where);
    assert.deepEqual(await listDir("notes", where), [
      ["one.txt", false],
      ["two.bin", false],
    ]);
    assert.deepEqual(await listDir("nowhere", where), []);
    assert.equal(await readFile("notes/one.txt", where), "eins\n");
    const to = await steward.downloadFile("notes/two.bin", join(folder, "two.bin"), where);
    assert.deepEqual([to, [...(await readLocal(to))]], [join(folder, "two.bin"), [0, 255, 10]]);
    await assert.rejects(steward.downloadFile("notes/none", join(folder, "two.bin"), where), isCode("not_found"));
    assert.deepEqual(await readdir(folder), ["two.bin"]);
    assert.deepEqual([await steward.deletePath("notes", where), await steward.deletePath("notes", where)], [true, false]);
    await assert.rejects(readFile("notes/one.txt", where), isCode("not_found"));
  });

  test("upload_document, upload_data, list_documents; a message can be about them", async () => {
    await writeLocal(join(folder, "report.txt"), "the report");
    const given = await steward.uploadDocument(join(folder, "report.txt"), where);
    const sent: number[] = [];
    const data = await steward.uploadData(new Uint8Array(9 * 1024 ** 2), "big.bin", { ...where, onProgress: (bytes) => sent.push(bytes) });
    assert.deepEqual([given.name, given.size, data.name, data.size], ["report.txt", 10, "big.bin", 9 * 1024 ** 2]);
    assert.deepEqual(sent, [4 * 1024 ** 2, 8 * 1024 ** 2, 9 * 1024 ** 2]);
    assert.match(given.path ?? "", new RegExp(`/uploads/${given.id}$`));
    assert.deepEqual((await steward.listDocuments(where)).map(({ name }) => name).sort(), ["big.bin", "report.txt"]);
    assert.equal(await (await steward.readDocument(given.id, where)).text(), "the report");
    answers(said("Read."));
    await teamChat("What is in it?", { ...where, files: [given.id] });
    assert.match(JSON.stringify(place.model.requests.at(-1)!.body), /report\.txt/);
    await assert.rejects(steward.uploadDocument(join(folder, "none.txt"), where), isCode("not_found"));
  });

  test("vm_execute is a shell of its own each time; a failure and a timeout are results", async () => {
    assert.equal(await vmExecute("echo out; echo err >&2; echo out; exit 3", where), "out\nerr\nout");
    assert.equal(await vmExecute("X=1; echo $X", where), "1");
    assert.equal(await vmExecute('echo "[$X]"', where), "[]");
    assert.equal(await steward.executeTerminal("tr a-z A-Z", { ...where, stdin: "loud" }), "LOUD");
    // On a machine that stands still just then it has printed nothing yet: once more, with more time.
    const stopped = async (timeoutMs: number): Promise<string> => {
      const told = await vmExecute("echo so far; sleep 60", { ...where, timeoutMs });
      assert.ok(told.endsWith(`Command timed out after ${timeoutMs / 1000}s: echo so far; sleep 60`), told);
      return told.startsWith("so far\n") || timeoutMs > 10_000 ? told : stopped(timeoutMs * 8);
    };
    assert.match(await stopped(300), /^so far\nCommand timed out/);
    const { code, stdout, stderr } = await steward.linuxVM(where).exec("echo out; echo err >&2; exit 3");
    assert.deepEqual([code, stdout, stderr], [3, "out\n", "err\n"]);
  });

  test("vm_execute_stream keeps folder and variables; vm_send_input and vm_send_keys answer its questions", async () => {
    const at = { ...where, session: "shell" };
    assert.deepEqual(await gather(steward.vmExecuteStream("X=7; cd /; printf 'a\\nb\\nc'", at)), {
      all: ["a\n", "b\n", "c"],
      end: { code: 0, timedOut: false },
    });
    assert.deepEqual((await gather(steward.executeTerminalStream('echo "$X $PWD"', at))).all, ["7 /\n"]);
    const question = `printf 'name? '; read name; echo "hello $name"; exit_code() { return 4; }; exit_code`;
    const prompts: string[] = [];
    const onInput = ({ prompt }: { prompt: string }): string => (prompts.push(prompt), "Ada\n");
    const { all, end } = await gather(steward.vmExecuteStream(question, { ...at, onInput }));
    assert.deepEqual([prompts, end.code, all.at(-1)], [["name? "], 4, "hello Ada\n"]);
    for (const type of [steward.vmSendInput, steward.vmSendKeys]) {
      const seen: string[] = [];
      for await (const piece of steward.vmExecuteStream(question, {
        ...at,
        raw: true,
        onInput: () => void type("Ben\n", { ...at, delayMs: 1 }),
      }))
        seen.push(piece);
      assert.match(seen.join(""), /hello Ben/);
    }
  });

  test("whoever stops reading a stream ends its command, and its shell goes on", async () => {
    const at = { ...where, session: "broken off" };
    for await (const line of steward.vmExecuteStream("while :; do echo y; sleep 0.05; done", at)) {
      assert.equal(line, "y\n");
      break;
    }
    assert.deepEqual((await gather(steward.vmExecuteStream("echo next", at))).all.at(-1), "next\n");
  });

  test("a reader who is slow slows the program, and nothing is lost", { timeout: 280_000 }, async () => {
    const mark = join(folder, "mark");
    const count = async (): Promise<number> => Number(await readLocal(mark, "utf8").catch(() => "0"));
    const command = `for i in $(seq 1 300); do head -c 100000 /dev/zero | tr '\\0' x; echo $i >${mark}; done`;
    const stream = steward.vmExecuteStream(command, { ...where, session: "slow", raw: true });
    let bytes = ((await stream.next()).value as string).length;
    let before = -1;
    await eventually(async () => {
      const now = await count();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return now > 0 && now === before ? true : void (before = now);
    });
    assert.ok((await count()) < 200, `${await count()} of 300 were printed though nobody reads`);
    for await (const piece of stream) bytes += piece.length;
    assert.deepEqual([bytes, await count()], [30_000_000, 300]);
  });

  test("send_notification wakes the agent; restart_terminal ends what runs in shells", async () => {
    const at = { ...where, session: "woken" };
    answers(said("Noted."));
    await steward.sendNotification("The oven is hot", at);
    const request = await eventually(() => place.model.requests.find((one) => asked(one).includes("The oven is hot")));
    assert.match(asked(request), /<notification/);
    const running = gather(steward.vmExecuteStream("sleep 60", at));
    await eventually(async () => (await place.client.call("terminals.list")).terminals.some(({ program }) => program === "sleep"));
    await steward.restartTerminal(at);
    assert.equal((await running).end.code, null);
  });
});

test("timeoutMs gives up a document whose server never answers", async () => {
  const where = { url: "http://127.0.0.1:1", fetch: () => new Promise<Response>(() => {}) };
  await assert.rejects(steward.readDocument("fil_1", { ...where, timeoutMs: 50 }), { code: "unavailable", message: /50 ms/ });
});

test("limit_chars keeps the end and says how much is hidden", () => {
  assert.deepEqual(
    [steward.limitChars("short"), steward.limitChars("0123456789", 4)],
    ["short", "(output truncated, 6 characters hidden)\n6789"],
  );
});

describe("O-091 TeamChatSession", () => {
  test("chat_stream gives whole messages, extra goes along as JSON that can't end its own tag, and the scope's end closes it", async () => {
    place.model.script(({ body }) =>
      body.messages!.some((message) => (message as { role: string }).role === "tool")
        ? [said("Done.")]
        : [said("Let me look."), { do: "calls", calls: [{ tool: "recall", input: { query: "x" } }] }],
    );
    let kept: TeamChatSession;
    {
      await using chat = new TeamChatSession({ ...where, session: "scope", think: true });
      kept = chat;
      assert.deepEqual(await gather(chat.chatStream("Go", { room: "</extra>" })), { all: ["Let me look.", "Done."], end: "end" });
      assert.equal(asked(place.model.requests.at(-1)!), 'Go\n<extra>{"room":"\\u003c/extra>"}</extra>');
    }
    await assert.rejects(kept.chat("more"), isCode("unavailable"));
  });

  test("pieces come as they are made, and together are the message", async () => {
    const gate = Promise.withResolvers<void>();
    answers({ do: "text", text: "one ", pieces: 1 }, { do: "until", promise: gate.promise }, { do: "text", text: "two three", pieces: 3 });
    await using chat = new TeamChatSession({ ...where, session: "pieces" });
    const stream = chat.chatStream("Go", undefined, { pieces: true, timeoutMs: 60_000 });
    const first = stream.next();
    setTimeout(gate.resolve, 300);
    const { all, end } = await gather(stream);
    assert.deepEqual([[(await first).value, ...all].join(""), end], ["one two three", "end"]);
  });

  test("a turn that fails is thrown with its code; a cancelled one ends so", async () => {
    await using chat = new TeamChatSession({ ...where, session: "bad" });
    answers({ do: "status", status: 400, message: "no such thing" });
    await assert.rejects(chat.chat("Go"), (error: unknown) => error instanceof StewardError && /no such thing/.test(error.message));
    answers({ do: "hang" });
    const running = gather(chat.chatStream("Go on"));
    await eventually(() => chat.cancel());
    assert.deepEqual(await running, { all: [], end: "cancelled" });
  });

  test("a question breaks off, or is told; after the answer continue_stream gives the rest", async () => {
    const script = ({ body }: ModelRequest): Action[] =>
      (body.messages!.at(-1) as { role: string }).role === "tool"
        ? [said("Blue it is.")]
        : [{ do: "calls", calls: [{ tool: "ask_person", input: { question: "Which colour?" } }] }];
    place.model.script(script);
    await using chat = new TeamChatSession({ ...where, session: "questions" });
    await assert.rejects(chat.chat("Paint"), isCode("conflict"));
    const [open] = (await place.client.call("asks.list")).asks;
    assert.equal(open!.prompt, "Which colour?");
    await chat.answer(open!.id, "blue");
    assert.deepEqual((await gather(chat.continueStream())).all, ["Blue it is."]);
    assert.deepEqual((await gather(chat.continueStream())).all, []);
    const onQuestion = (question: steward.Question): void => void chat.answer(question, "blue");
    assert.equal(await chat.chat("Paint again", undefined, { onQuestion }), "Blue it is.");
  });

  test("send_notification gives the answer as a stream; poll_notifications what came by itself", async () => {
    await using chat = new TeamChatSession({ ...where, session: "news" });
    answers(said("I have heard."));
    assert.deepEqual(await gather(chat.sendNotificationStream("It rings")), { all: ["I have heard."], end: "end" });
    const news = chat.pollNotifications();
    const first = news.next();
    await chat.chat("Unasked answers only");
    await chat.sendNotification("It rings again");
    assert.deepEqual(
      [(await first).value, (await news.next()).value],
      [
        { type: "notification", text: "It rings again", from: "notification" },
        { type: "reply", text: "I have heard." },
      ],
    );
    const last = news.next();
    chat.close();
    assert.deepEqual(await last, { done: true, value: undefined });
  });

  test("spawn_agent makes a helper of the session, once; upload with tell wakes the agent", async () => {
    await using chat = new TeamChatSession({ ...where, session: "team" });
    assert.equal(await chat.spawnAgent("Kim", { details: "counts" }), "Kim");
    await assert.rejects(chat.spawnAgent("kim"), isCode("conflict"));
    const { agents } = await place.client.call("agents.list", { params: { id: await chat.id() } });
    assert.deepEqual(
      agents.map(({ name }) => name),
      ["Kim"],
    );
    answers(said("Thanks."));
    const { path } = await chat.uploadData("text", "told.txt", { tell: true });
    await eventually(() => place.model.requests.find((one) => asked(one).includes(`File uploaded: ${path}`)));
    await assert.rejects(gather(chat.vmExecuteStream("sleep 60", { timeoutMs: 200 })), isCode("unavailable"));
  });
});

describe("O-092 memory", () => {
  test("edit_protected_memory and the rest work from a program", async () => {
    await steward.resetMemory(where);
    assert.equal(JSON.parse(await steward.setMemory('{"name":"Ada"}', where)).name, "Ada");
    await steward.editMemory("age", 36, where);
    await steward.editProtectedMemory("plan", "gold", where);
    const memory = await new TeamChatSession(where).editMemory("name", undefined);
    assert.deepEqual(JSON.parse(memory), { age: 36, protected_memory: { plan: "gold" } });
    assert.equal(await steward.getMemory(where), memory);
    await assert.rejects(steward.setMemory("[]", where), isCode("invalid"));
    assert.deepEqual(JSON.parse(await steward.resetMemory(where)), { name: "", age: "", gender: "", protected_memory: {} });
  });
});

describe("O-093 execute_with_secret", () => {
  test("is refused to whom the secret does not belong, together with other input, and when commands are switched off", async () => {
    await place.client.call("secrets.set", { params: { id: "door" }, body: { value: "opensesame-4711" } });
    const ada = { url: place.gateway.url, token: await place.tokenFor("ada") };
    await assert.rejects(steward.executeWithSecret("cat", { name: "door" }, ada), isCode("denied"));
    await assert.rejects(steward.executeWithSecret("cat", { name: "none" }, where), isCode("not_found"));
    await assert.rejects(
      place.client.call("computer.exec", { body: { command: "cat", stdin: "x", secret: { value: "y" } } }),
      (error: unknown) => (error as StewardError).code === "invalid",
    );
  });
});

describe("given up, lost, refused", () => {
  test("errors have Steward's code, message and hint", async () => {
    await assert.rejects(teamChat("hi", { ...where, token: "stw_wrong" }), isCode("denied"));
    await assert.rejects(teamChat("hi", { ...where, session: " " }), isCode("invalid"));
    await assert.rejects(listDir("/", { url: "http://127.0.0.1:1", timeoutMs: 700 }), isCode("unavailable"));
  });

  test("a signal and a time-out end every kind of call", async () => {
    answers({ do: "hang" });
    const reason = new Error("enough");
    const calls: ((how: steward.Until) => Promise<unknown>)[] = [
      (how) => teamChat("hi", { ...where, ...how, session: "given up" }),
      (how) => gather(steward.vmExecuteStream("sleep 60", { ...where, ...how, session: "given up" })),
      (how) => new TeamChatSession({ ...where, session: "given up" }).pollNotifications(how).next(),
    ];
    for (const call of calls) {
      const stop = new AbortController();
      const calling = call({ signal: stop.signal });
      setTimeout(() => stop.abort(reason), 100);
      await assert.rejects(calling, reason);
      await assert.rejects(call({ timeoutMs: 100 }), isCode("unavailable"));
      await assert.rejects(call({ signal: AbortSignal.abort(reason) }), reason);
    }
    const slow = AbortSignal.timeout(100);
    await assert.rejects(vmExecute("sleep 60", { ...where, signal: slow }), slow.reason as Error);
    await new TeamChatSession({ ...where, session: "given up" }).cancel();
  });

  test("a connection that breaks in the middle of an answer loses nothing and doubles nothing", async () => {
    const gate = Promise.withResolvers<void>();
    place.model.script(({ body }) =>
      (body.messages!.at(-1) as { role: string }).role === "tool"
        ? [{ do: "until", promise: gate.promise }, said("Second.")]
        : [said("First."), { do: "calls", calls: [{ tool: "recall", input: { query: "x" } }] }],
    );
    let [streams, refused] = [0, 0];
    const breaking: typeof fetch = async (input) => {
      const request = input as Request;
      if (request.url.endsWith("/messages") && refused++ === 0) {
        await fetch(request.clone()); // arrived, but its answer is lost
        throw new TypeError("the answer was lost");
      }
      const response = await fetch(request);
      if (!request.url.includes("/events") || streams++ > 0) return response;
      const seen = { text: "" };
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk);
          seen.text += new TextDecoder().decode(chunk);
          if (seen.text.includes("First.")) controller.error(new TypeError("cut"));
        },
      });
      return new Response(response.body!.pipeThrough(cut), { headers: response.headers });
    };
    const stream = gather(steward.teamChatStream("Go", { ...where, session: "breaking", fetch: breaking, timeoutMs: 60_000 }));
    await eventually(() => streams > 1);
    gate.resolve();
    assert.deepEqual((await stream).all, ["First.", "Second."]);
    const { id } = (await steward.listSessionsInfo(where)).find(({ name }) => name === "breaking")!;
    const events = await place.events(id);
    assert.equal(events.filter(({ event }) => event.type === "message.received").length, 1);
  });
});

test(
  "OS-Agent's socket and the library share sessions, their shells and what is typed, on one computer",
  { timeout: 280_000 },
  async (t) => {
    const both = await openOsPlace({ config: { "computer.mode": "contained" }, script: [said("Shared.")] });
    t.after(both.close);
    const token = both.gateway.localToken;
    const at = { url: both.gateway.url, token, session: "both" };
    const talk = await both.connect("/?session=both&events=1", { headers: { authorization: `Bearer ${token}` } });
    talk.send({ command: "vm_execute_stream", args: { command: "X=5; cd /tmp" } });
    await talk.until((frame) => frame.includes("stream.completed"));
    assert.deepEqual((await gather(steward.vmExecuteStream('echo "$X $PWD"', at))).all, ["5 /tmp\n"]);
    const onInput = (): void => talk.send({ command: "vm_input", args: { data: "typed\n" } });
    assert.match(
      (await gather(steward.vmExecuteStream("printf 'go? '; read line; echo got $line", { ...at, onInput }))).all.join(""),
      /got typed/,
    );
    assert.deepEqual((await talk.ask("list_sessions")).result, ["both"]);
    assert.equal(await teamChat("Hello from the library", at), "Shared.");
    assert.deepEqual(await talk.ask("list_sessions_info"), { result: [{ name: "both", last_message: "Shared." }] });
    await talk.close();
  },
);

describe("steward/embed: the same without a listener", () => {
  let inside: Embedded;
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "steward-embed-"));
    inside = await embed({ home, config: { model: "builtin/rules", "computer.mode": "full", "log.level": "debug" } });
  });
  after(async () => {
    await inside.close();
    await rm(home, { recursive: true, force: true });
  });

  test("functions and sessions work in process, and the home is held", async () => {
    const config = inside.config();
    assert.ok((await teamChat("hello", config)).length > 0);
    await steward.writeFile(join(home, "workspace", "a.txt"), "inside", config);
    assert.equal(await readFile(join(home, "workspace", "a.txt"), config), "inside");
    assert.deepEqual((await gather(steward.vmExecuteStream("echo streamed", config))).all, ["streamed\n"]);
    await using chat = inside.session("named");
    assert.ok((await gather(chat.chatStream("what time is it?"))).all.join("").length > 0);
    assert.deepEqual((await listSessions(config)).sort(), ["main", "named"]);
    await assert.rejects(embed({ home }), isCode("conflict"));
  });

  test("a user by name is somebody else, with sessions and memory of their own", async () => {
    const ada = inside.config("Ada");
    await steward.editMemory("name", "Ada", ada);
    assert.deepEqual(
      [JSON.parse(await steward.getMemory(ada)).name, JSON.parse(await steward.getMemory(inside.config())).name],
      ["Ada", ""],
    );
    assert.deepEqual(await listSessions(ada), []);
    await assert.rejects(steward.executeWithSecret("cat", { name: "door" }, ada), isCode("denied"));
    await assert.rejects(steward.getMemory(inside.config("x".repeat(300))), isCode("invalid"));
  });

  test("what is given up in process ends there too", async () => {
    const config = { ...inside.config(), session: "given up" };
    const stop = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => stop.abort(reason), 200);
    await assert.rejects(gather(steward.vmExecuteStream("sleep 61", { ...config, signal: stop.signal })), reason);
    await eventually(async () => !(await vmExecute("ps -eo args", config)).split("\n").includes("sleep 61"));
  });
});
