// OS-Agent's door: framing, chat, sessions, tokens, limits of clients. What runs in a computer is contracts-os-agent.test.ts.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fragments, printed, resultFrame } from "../src/gateway/os-agent/fit.ts";
import { readBinary, readText } from "../src/gateway/os-agent/frames.ts";
import { keyProblem, readJwt, signJwt } from "../src/gateway/os-agent/jwt.ts";
import { openOsAgent } from "../src/gateway/os-agent/listener.ts";
import type { Action } from "../src/testing/model-server.ts";
import { eventually, openPlace } from "./gateway-place.ts";
import { binary, closePlace, connect, openOsPlace, type OsPlace, parsed, PYTHON } from "./os-agent-place.ts";
import { leastOf } from "./took.ts";

const KEY = "0123456789abcdef0123456789abcdef-signs";
const text = (said: string): Action => ({ do: "text", text: said });
const echo = ({ body }: { body: { messages?: unknown[] } }): Action[] => [text(`said ${JSON.stringify(body.messages!.at(-1))}`)];

describe("OS-Agent's frames", () => {
  test("O-008 O-009 O-010 what is a command and what a prompt", () => {
    const prompt = (said: string) => ({ command: "team_chat", args: { prompt: said } });
    assert.deepEqual(readText('{"command":"list_dir","args":{"path":"/"}}'), { command: "list_dir", args: { path: "/" } });
    assert.deepEqual(readText('{"command":"list_dir","args":null}'), { command: "list_dir", args: {} });
    assert.deepEqual(readText('{"args":{"prompt":"hi"}}'), prompt("hi"));
    for (const said of ["Hello", "", "42", "true", "null", "[1]", '"x"', '{"a":1}', "{broken"])
      assert.deepEqual(readText(said), prompt(said));
  });

  test("O-028 O-029 O-031 binary frames in both orders, with the name where it stands; broken ones", () => {
    const bytes = Buffer.from([0, 255, 10]);
    const nested = { command: "upload_document", args: { file_name: "a.bin" } };
    const flat = { command: "upload_document", file_name: "a.bin" };
    for (const header of [nested, flat])
      for (const little of [false, true])
        assert.deepEqual(readBinary(binary(header, bytes, { little })), {
          command: "upload_document",
          args: { file_name: "a.bin" },
          bytes,
        });
    assert.throws(() => readBinary(Buffer.from([1, 2])), { message: "Invalid binary message" });
    for (const frame of [Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 2, 91, 93]), Buffer.alloc(40, 255)])
      assert.throws(() => readBinary(frame), { message: "Invalid message header" });
  });

  test("O-020 O-021 fragments are cut at paragraphs, lines, words, never within a character", () => {
    assert.deepEqual(fragments("one\n\ntwo three\n\nfour", 15), ["one\n\ntwo three", "four"]);
    assert.deepEqual(fragments("  indented\n    more", 12), ["  indented", "    more"]);
    assert.deepEqual(fragments("word ".repeat(5).trim(), 12), ["word word", "word word", "word"]);
    assert.deepEqual(fragments("😀".repeat(4), 5), ["😀😀", "😀😀"]);
    assert.deepEqual(fragments(" \n ", 10), []);
    for (const piece of fragments("Lorem ipsum dolor. ".repeat(800), 2000)) assert.ok(piece.length <= 2000);
  });

  test("what programs print stays as it is, but is no frame", () => {
    assert.deepEqual(printed("42\n"), ["42\n"]);
    assert.deepEqual(printed('{"result":"/etc/passwd"}\n'), ["{", '"result":"/etc/passwd"}\n']);
  });

  test("a result that is too long for a client is its last part, with a line that says so", () => {
    const frame = resultFrame(`${"é".repeat(2_000_000)}end`, 1_048_576);
    const { result } = JSON.parse(frame) as { result: string };
    assert.ok(Buffer.byteLength(frame) <= 1_048_576 && Buffer.byteLength(frame) > 1_000_000);
    assert.match(result.split("\n")[0]!, /^\(output truncated, \d+ characters hidden\)$/);
    assert.ok(result.endsWith("end"));
    assert.equal(resultFrame("x", 1_048_576), '{"result":"x"}');
  });

  test("O-095 O-096 tokens: signed, foreign, expired, of no algorithm; keys that are none", () => {
    const now = 1_700_000_000_000;
    const claims = { sub: "ada", exp: 1_700_000_060 };
    const token = signJwt(KEY, claims);
    assert.deepEqual(readJwt(KEY, token, now), claims);
    assert.equal(readJwt(KEY, token, now + 60_000), undefined);
    assert.equal(readJwt(`${KEY}x`, token, now), undefined);
    const [, body] = token.split(".");
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    assert.equal(readJwt(KEY, `${none}.${body}.`, now), undefined);
    const signed = createHmac("sha256", KEY).update(`${none}.${body}`).digest("base64url");
    assert.equal(readJwt(KEY, `${none}.${body}.${signed}`, now), undefined);
    for (const key of [undefined, "", "CHANGE_ME", "change_me".padEnd(40, "x"), "short"]) assert.ok(keyProblem(key));
    assert.throws(() => signJwt("CHANGE_ME", claims), { code: "invalid" });
  });
});

describe("OS-Agent's chat", () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace();
  });
  after(() => place.close());
  const answers = (...actions: Action[]) => place.model.script(actions);

  test("O-003 O-004 O-006 a plain string is answered in text; nothing is said before; demo and main are the default", async () => {
    answers(text("Hello, Ada."));
    const talk = await place.connect("/");
    talk.send("Hello");
    assert.equal(await talk.until(() => true), "Hello, Ada.");
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["main"] });
    assert.deepEqual(talk.frames.length, 2);
    await talk.close();
    const person = (await place.composed.steward.store.get("person/user_demo")) as { computer: string; role: string };
    assert.deepEqual([person.computer, person.role], ["demo", "guest"]);
  });

  test("O-005 any path, percent-decoded names, a plus is a blank", async () => {
    const talk = await place.connect("/some/where?user=J%C3%BCrgen+M&session=my%20notes%2F1&think=no");
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["my notes/1"] });
    await talk.close();
  });

  test("O-010 prompts that look like JSON are prompts, and the connection survives", async () => {
    place.model.script(echo);
    const talk = await place.connect("/?user=json");
    for (const prompt of ["42", "true", "null", "[1]", '"x"', '{"a":1}']) {
      const from = talk.frames.length;
      talk.send(prompt);
      const said = await talk.until(() => true, from);
      assert.ok(said.includes(JSON.stringify(prompt).slice(1, -1)), said);
    }
    await talk.close();
  });

  test("O-012 O-011 unknown commands and missing arguments are exactly an error", async () => {
    const talk = await place.connect("/?user=wrong&session=ws");
    assert.deepEqual(await talk.ask("fly"), { error: "Unknown command: fly" });
    assert.deepEqual(await talk.ask("constructor"), { error: "Unknown command: constructor" });
    assert.deepEqual(await talk.ask("list_dir"), { error: "'path' is missing" });
    talk.send(Buffer.from([1, 2]));
    assert.deepEqual(parsed(await talk.until((frame) => frame.includes("binary"))), { error: "Invalid binary message" });
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["ws"] });
    await talk.close();
  });

  test("O-018 O-019 O-020 one fragment a finished message, also beside tool calls, and no end marker", async () => {
    const turn = (talk: { frames: string[] }) => eventually(() => talk.frames.length === 2);
    for (const command of ["team_chat", "chat"]) {
      let round = 0;
      place.model.script(() =>
        round++ === 0
          ? [
              { do: "text", text: "Let me look.", pieces: 4 },
              { do: "calls", calls: [{ tool: "recall", input: { query: "x" } }] },
            ]
          : [{ do: "text", text: "First part.\n\nSecond part.", pieces: 6 }],
      );
      const talk = await place.connect(`/?user=frag&session=${command}`);
      talk.send({ command, args: { prompt: "go" } });
      await turn(talk);
      assert.deepEqual(talk.frames, ["Let me look.", "First part.\n\nSecond part."]);
      await talk.close();
    }
  });

  test("events=1: the end of a turn is told to clients that ask for it", async () => {
    answers(text("Done that."));
    const talk = await place.connect("/?user=events&events=1");
    talk.send("go");
    await talk.until((frame) => frame.startsWith("{"));
    assert.deepEqual(talk.frames, ["Done that.", '{"event":"turn.completed","stop":"end"}']);
    await talk.close();
  });

  test("O-021 fragments to Python's clients have at most 2000 characters", async () => {
    const long = Array.from({ length: 30 }, (_, at) => `Paragraph ${at}. ${"word ".repeat(40)}`.trim()).join("\n\n");
    answers(text(long));
    const talk = await place.connect("/?user=py&events=1", { headers: { "user-agent": PYTHON } });
    talk.send("tell");
    await talk.until((frame) => frame.startsWith('{"event"'));
    const said = talk.frames.slice(0, -1);
    assert.ok(said.length > 2 && said.every((piece) => piece.length <= 2000));
    assert.equal(said.join("\n\n"), long);
    await talk.close();
  });

  test("O-085 a reply that is JSON reaches clients as something that is not", async () => {
    const talk = await place.connect("/?user=forge");
    for (const reply of ['{"result": "/etc/passwd"}', "42", "null", ' {"returned_file":"a","data":""} ']) {
      answers(text(reply));
      const from = talk.frames.length;
      talk.send("go");
      const frame = await talk.until(() => true, from);
      assert.ok(frame.includes(reply.trim()));
      assert.throws(() => JSON.parse(frame) as unknown);
    }
    await talk.close();
  });

  test("O-022 O-023 a new connection goes on with its session; another session knows nothing of it", async () => {
    const seen: unknown[][] = [];
    place.model.script(({ body }) => (seen.push(body.messages!.slice(1)), [text("Noted.")]));
    for (const session of ["one", "one", "two"]) {
      const talk = await place.connect(`/?user=memory&session=${session}`);
      talk.send(`I am in ${session}`);
      await talk.until(() => true);
      await talk.close();
    }
    assert.deepEqual(
      seen.map((messages) => messages.length),
      [1, 3, 1],
    );
  });

  test("O-025 a model that fails gives a fragment that begins with Error:", async () => {
    answers({ do: "status", status: 401, message: "bad key" });
    const talk = await place.connect("/?user=fail");
    talk.send("go");
    assert.match(await talk.until(() => true), /^Error: /);
    talk.send("");
    assert.match(await talk.until(() => true, 1), /^Error: The message is empty/);
    await talk.close();
  });

  test("O-014 answers come in the order asked, and after the chat before them", async () => {
    answers({ do: "wait", ms: 150 }, text("Slow."));
    const talk = await place.connect("/?user=order&session=a");
    talk.send("go");
    for (const command of ["get_memory", "list_sessions", "vm_input", "nothing", "list_documents"]) talk.send({ command });
    await eventually(() => talk.frames.length === 6);
    assert.deepEqual(
      talk.frames.slice(1).map((frame) => {
        const { result, error } = parsed(frame)!;
        return typeof result === "string" && result.startsWith("{") ? "memory" : (result ?? error);
      }),
      ["memory", ["a"], "ok", "Unknown command: nothing", []],
    );
    assert.equal(talk.frames[0], "Slow.");
    await talk.close();
  });

  test("a reply goes to the connection that asked, not to others of the session", async () => {
    answers(text("For one."));
    const [one, other] = [await place.connect("/?user=pair"), await place.connect("/?user=pair")];
    one.send("go");
    await one.until(() => true);
    assert.deepEqual(await other.ask("list_sessions"), { result: ["main"] });
    assert.equal(other.frames.length, 1);
    await Promise.all([one.close(), other.close()]);
  });

  test("O-007 the model is asked to reason or not, and what it thinks is not in the reply", async (t) => {
    const ollama = await openOsPlace({ config: { model: "ollama/test-1" } });
    t.after(() => ollama.close());
    ollama.composed.steward.settings.set("providers.ollama.baseUrl", ollama.model.url);
    ollama.model.script([{ do: "thinking", text: "hmm" }, text("Yes.")]);
    for (const [think, asked] of [
      ["true", true],
      ["false", false],
      ["No", false],
      ["0", false],
      ["anything", true],
    ] as const) {
      const talk = await ollama.connect(`/?user=think&session=s${think}&think=${think}`);
      talk.send("go");
      assert.equal(await talk.until(() => true), "Yes.");
      assert.equal(ollama.model.requests.at(-1)!.body["think"], asked);
      await talk.close();
    }
    ollama.model.script(({ body }) =>
      body["think"] ? [{ do: "status", status: 400, body: '{"error":"\\"test-1\\" does not support thinking"}' }] : [text("Plain.")],
    );
    const talk = await ollama.connect("/?user=think&session=plain&think=true");
    talk.send("go");
    assert.equal(await talk.until(() => true), "Plain.");
    await talk.close();
  });

  test("O-015 O-016 twenty connections at once, and pings", async () => {
    place.model.script(echo);
    const talks = await Promise.all(Array.from({ length: 20 }, (_, at) => place.connect(`/?user=many&session=s${at}`)));
    const said = await Promise.all(
      talks.map((talk, at) => {
        talk.send(`number ${at}`);
        return talk.until(() => true);
      }),
    );
    assert.ok(said.every((one, at) => new RegExp(`number ${at}\\b`).test(one)));
    const pong = new Promise((resolve) => talks[0]!.socket.once("pong", resolve));
    talks[0]!.socket.ping();
    await pong;
    await Promise.all(talks.map((talk) => talk.close()));
  });

  test("O-076 O-077 sessions of the user, with a short plain piece of the last message", async () => {
    answers(text(`The answer is ${"long ".repeat(30)}`));
    const talk = await place.connect("/?user=lists&session=first");
    talk.send("What?");
    await talk.until(() => true);
    const other = await place.connect("/?user=lists&session=second");
    const { result } = await other.ask("list_sessions");
    assert.deepEqual((result as string[]).toSorted(), ["first", "second"]);
    const info = (await other.ask("list_sessions_info")).result as { name: string; last_message: string }[];
    const byName = Object.fromEntries(info.map((one) => [one.name, one.last_message]));
    assert.deepEqual(Object.keys(byName).toSorted(), ["first", "second"]);
    assert.equal(byName["second"], "");
    assert.match(byName["first"]!, /^The answer is long .*…$/);
    assert.ok(byName["first"]!.length <= 51);
    await Promise.all([talk.close(), other.close()]);
  });

  test("O-078 O-079 O-080 O-084 memory is a JSON text", async () => {
    const talk = await place.connect("/?user=mem");
    const template = JSON.parse((await talk.ask("get_memory")).result as string) as object;
    assert.deepEqual(template, { name: "", age: "", gender: "", protected_memory: {} });
    const kept = (await talk.ask("set_memory", { memory: '{"name":"Ada"}' })).result as string;
    assert.deepEqual(JSON.parse(kept), { name: "Ada" });
    assert.equal((await talk.ask("get_memory")).result, kept);
    assert.ok((await talk.ask("set_memory", { memory: JSON.stringify({ a: "x".repeat(9000) }) })).error);
    assert.equal((await talk.ask("get_memory")).result, kept);
    assert.deepEqual(JSON.parse((await talk.ask("reset_memory")).result as string), template);
    await talk.close();
  });
});

test("O-024 the history survives a restart", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "steward-os-agent-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  for (const round of [1, 2]) {
    const place = await openOsPlace({ home, script: echo });
    const talk = await place.connect("/?user=stay&session=old");
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["old"] });
    talk.send(`round ${round}`);
    await talk.until((frame) => frame.startsWith("said"));
    const texts = JSON.stringify(place.model.requests.at(-1)!.body.messages);
    assert.ok(texts.includes("round 1"));
    await place.close();
  }
});

describe("who may come in by OS-Agent's door", () => {
  test("S-01 O-017 Origin: foreign ones never; added ones and those of programs, when the door is open", async (t) => {
    const place = await openOsPlace({ config: { "server.origins": ["http://localhost:3000"], "webchat.enabled": true } });
    t.after(() => place.close());
    for (const origin of ["http://localhost:3000", "http://localhost:8080", undefined])
      await (await place.connect("/", origin === undefined ? {} : { origin })).close();
    for (const origin of ["https://evil.example", "http://localhost:3001", "null"])
      await assert.rejects(place.connect("/", { origin }), { message: "403" });
    await assert.rejects(place.connect("/", { headers: { host: "evil.example" } }), { message: "421" });
    await assert.rejects(place.connect("/", { headers: { "x-forwarded-for": "10.0.0.1" } }), { message: "401" });
  });

  test("closed doors ask for a token: Steward's own, in three places", async (t) => {
    const place = await openOsPlace({ config: { "auth.local": "off" } });
    t.after(() => place.close());
    await assert.rejects(place.connect(), { message: "401" });
    await assert.rejects(place.connect("/?token=stw_wrong"), { message: "401" });
    const token = await place.tokenFor("owner", "owner");
    const bearer = { headers: { authorization: `Bearer ${token}` } };
    for (const talk of [await place.connect("/?user=else&session=o", bearer), await place.connect(`/?session=o&token=${token}`)]) {
      assert.deepEqual(await talk.ask("list_sessions"), { result: ["o"] });
      await talk.close();
    }
    const late = await place.connect("/?auth=frame&session=o");
    late.send({ token });
    late.send({ command: "list_sessions" });
    await eventually(() => late.frames.length === 2);
    assert.deepEqual(late.frames, ['{"result":"ok"}', '{"result":["o"]}']);
    await late.close();
    for (const frame of ["Hello", '{"token":"stw_wrong"}']) {
      const wrong = await place.connect("/?auth=frame");
      wrong.send(frame);
      assert.equal((await wrong.closed)[0], 4401);
    }
    assert.equal(await place.composed.steward.store.get("person/user_else"), undefined);
  });

  test("O-094 O-095 REQUIRE_AUTH: tokens signed with SECRET_KEY; the token's user is the user", async (t) => {
    const place = await openPlace({ config: { "auth.local": "open", "osAgent.requireAuth": true, "computer.kind": "contained" } });
    const { gate } = place.gateway;
    const open = () => openOsAgent(gate, { host: "127.0.0.1", port: 0 });
    await assert.rejects(open(), { code: "denied", message: /SECRET_KEY is not set/ });
    await place.composed.steward.secrets.set("secret-key", "CHANGE_ME");
    await assert.rejects(open(), { code: "denied", message: /default/ });
    await place.composed.steward.secrets.set("secret-key", KEY);
    const osAgent = await open();
    t.after(async () => {
      await osAgent.close();
      await closePlace(place);
    });
    const at = (query: string) => connect(`${osAgent.url}/${query}`);
    await assert.rejects(at("?user=ada"), { message: "401" });
    const { token } = await place.client.call("tokens.sign", { body: { user: "ada", minutes: 5 } });
    const talk = await at(`?user=bob&session=t&token=${token}`);
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["t"] });
    await talk.close();
    assert.ok(await place.composed.steward.store.get("person/user_ada"));
    assert.equal(await place.composed.steward.store.get("person/user_bob"), undefined);
    for (const wrong of [signJwt(KEY, { sub: "ada", exp: 1 }), signJwt(`${KEY}-other`, { sub: "ada", exp: 4_000_000_000 })])
      await assert.rejects(at(`?token=${wrong}`), { message: "401" });
  });

  test("a token that expires, and a person who is suspended, end their open connections", async (t) => {
    const clock = { ahead: 0 };
    const place = await openOsPlace({ now: () => Date.now() + clock.ahead });
    t.after(() => place.close());
    await place.composed.steward.secrets.set("secret-key", KEY);
    const { token } = await place.client.call("tokens.sign", { body: { user: "ada" } });
    const [signed, open] = [await place.connect(`/?token=${token}`), await place.connect("/?user=bob")];
    await place.composed.steward.store.commit({ merge: { "person/user_bob": { suspended: true } } });
    assert.deepEqual(await open.closed, [4401, "revoked"]);
    await assert.rejects(place.connect("/?user=bob"), { message: "403" });
    clock.ahead = 61 * 60_000;
    assert.deepEqual(await signed.closed, [4401, "revoked"]);
  });

  test("what comes in is contained, whoever it is", async (t) => {
    const place = await openOsPlace();
    t.after(() => place.close());
    place.model.script([text("ok")]);
    const token = await place.tokenFor("owner", "owner");
    const talk = await place.connect(`/?token=${token}`);
    talk.send("go");
    await talk.until(() => true);
    assert.match(JSON.stringify(place.model.requests.at(-1)!.body.messages), /mode contained/);
    await talk.close();
  });

  test("a taken port is said in words; the end is clean", async (t) => {
    const place = await openOsPlace();
    t.after(() => place.close());
    await assert.rejects(openOsAgent(place.gateway.gate, { host: "127.0.0.1", port: place.osAgent.port }), {
      code: "conflict",
      message: /port is in use/,
    });
    const ends = async (): Promise<number> => {
      const osAgent = await openOsAgent(place.gateway.gate, { host: "127.0.0.1", port: 0 });
      const talk = await connect(`${osAgent.url}/`);
      const began = Date.now();
      await osAgent.close();
      assert.equal((await talk.closed)[0], 1001);
      return Date.now() - began;
    };
    assert.ok((await leastOf(2000, ends)) < 2000);
  });
});
