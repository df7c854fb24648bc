// What is said in uploaded audio, over OpenAI's real wire format: a second document, told once, whatever fails or is killed in between.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { connect } from "../src/client/client.ts";
import { upload } from "../src/client/upload.ts";
import type { DocumentInfo } from "../src/core/api-documents.ts";
import { textOf } from "../src/core/history.ts";
import type { Voice } from "../src/core/ports.ts";
import type { Store } from "../src/core/store.ts";
import { audioOf } from "../src/run/audio.ts";
import { addDocument, listDocuments, removeDocument } from "../src/run/documents.ts";
import { fileBytes } from "../src/run/files.ts";
import { say } from "../src/run/inbox.ts";
import { outbound } from "../src/run/outbound.ts";
import { makeSession } from "../src/run/sessions.ts";
import type { Steward } from "../src/run/steward.ts";
import { startWorker } from "../src/run/worker.ts";
import { noLog } from "../src/std/log.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { type OwnComputer, ownComputer } from "../src/testing/own-computer.ts";
import { scripted } from "../src/testing/scripted.ts";
import { type Heard, type Reply, voiceServer, wav } from "../src/testing/voice-server.ts";
import openai from "../src/voices/openai.ts";
import { eventually } from "./gateway-place.ts";
import { harness, OWNER, temporary } from "./harness.ts";
import { binary, openOsPlace, type OsPlace, parsed, type Talk } from "./os-agent-place.ts";

const KEY = "sk-test-0123456789abcdef";
const server = await voiceServer();
const client = outbound({ allow: () => true, log: noLog });
after(() => Promise.all([server.close(), client.close()]));
const voice: Voice = await openai.open(openai.config.parse({ baseUrl: server.url }), { fetch: client, key: async () => KEY });
const hears = (text: string): void => server.script(() => ({ do: "hear", text }));

interface World {
  steward: Steward;
  own: OwnComputer;
  store: Store;
  clock: { at: number };
  drain(): Promise<void>;
}
interface Given {
  hears?: Voice | undefined;
  config?: Record<string, unknown>;
  own?: OwnComputer;
  store?: Store;
  clock?: { at: number };
  home?: string;
}

async function world(given: Given = {}): Promise<World> {
  const { own = ownComputer(), home = temporary(), clock = { at: 1_000_000 }, config = {} } = given;
  const store = given.store ?? (await sqlite(join(home, "db"), { now: () => clock.at }));
  const model = scripted(() => [{ text: "Noted." }]);
  const ears = "hears" in given ? given.hears : voice;
  const now = (): number => ++clock.at;
  const steward = harness({ store, model, computer: own.kind, mode: "contained", home, config, now, ...(ears ? { voice: ears } : {}) });
  const worker = startWorker(steward, { name: "test", auto: false });
  return { steward, own, store, clock, drain: () => worker.drain() };
}

/** What is said in the session by itself: notifications, and notices. */
async function toldIn(store: Store, session: string): Promise<string[]> {
  return (await store.events(session)).flatMap(({ event }) => {
    if (event.type === "message.received" && event.source) return [textOf(event.parts)];
    return event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : [];
  });
}
const named = async (steward: Steward): Promise<string[]> =>
  (await listDocuments(steward, OWNER)).map(({ path, name }) => path ?? name).toSorted();
const given = async ({ steward }: World, name = "note.wav", bytes = wav()): Promise<{ session: string; audio: DocumentInfo }> => {
  const session = (await makeSession(steward, OWNER, {})).id;
  return { session, audio: await addDocument(steward, OWNER, { name, bytes, session }) };
};
const transcriptOf = async ({ steward }: World, id: string): Promise<DocumentInfo["transcript"]> =>
  (await listDocuments(steward, OWNER)).find((doc) => doc.id === id)?.transcript;
const retried = async (here: World): Promise<void> => {
  for (let tries = 0; tries < 4; tries++) {
    await here.drain();
    here.clock.at += 400_000;
  }
};

test("audio becomes a second document beside it, in the same session; the agent is told once", async () => {
  const here = await world({ config: { "voice.language": "de" } });
  hears("  Grüße, Ada.\n");
  const { session, audio } = await given(here, "my note.wav");
  await here.drain();
  const { id } = (await transcriptOf(here, audio.id))!;
  const [doc] = (await listDocuments(here.steward, OWNER)).filter((one) => one.id === id);
  assert.deepEqual(
    [doc!.name, doc!.path, doc!.mime, doc!.kind, doc!.session, here.own.text(doc!.path!)],
    ["my note_transcription.txt", "/data/my note_transcription.txt", "text/plain", "given", session, "Grüße, Ada.\n"],
  );
  assert.deepEqual(await toldIn(here.store, session), ["File uploaded: /data/my note_transcription.txt (what is said in my note.wav)"]);
  const { key, file, fields } = server.heard.at(-1)!;
  assert.deepEqual([key, file.name, fields["language"], fields["model"]], [KEY, "audio.wav", "de", "whisper-1"]);
  assert.deepEqual(Buffer.from(file.bytes), Buffer.from(wav()));
});

test("names that are taken get a number, as its audio does; with `replace` they give way; no words are an empty transcript", async () => {
  const here = await world();
  hears("words");
  for (const _ of [1, 2]) await given(here, "a.wav");
  await addDocument(here.steward, OWNER, { name: "a.wav", bytes: wav(5000), replace: true });
  await here.drain();
  assert.deepEqual(await named(here.steward), [
    "/data/a (2).wav",
    "/data/a (2)_transcription.txt",
    "/data/a.wav",
    "/data/a_transcription.txt",
  ]);
  hears("");
  const { session } = await given(here, "quiet.wav");
  await here.drain();
  assert.equal(here.own.text("/data/quiet_transcription.txt"), "");
  assert.match((await toldIn(here.store, session))[0]!, /\(what is said in quiet\.wav: no words\)$/);
});

test("uploaded before a message names it: heard at once, told in the session of that message", async () => {
  const here = await world();
  hears("words");
  const from = server.heard.length;
  const audio = await addDocument(here.steward, OWNER, { name: "early.wav", bytes: wav() });
  await here.drain();
  assert.equal(here.own.text("/data/early_transcription.txt"), "words\n");
  const session = (await makeSession(here.steward, OWNER, {})).id;
  await say(here.steward, OWNER, { session, parts: [{ type: "text", text: "Listen" }, audioPart(audio)] });
  await here.drain();
  assert.deepEqual(await toldIn(here.store, session), ["File uploaded: /data/early_transcription.txt (what is said in early.wav)"]);
  const docs = await listDocuments(here.steward, OWNER, { session });
  assert.deepEqual([docs.length, server.heard.length - from], [2, 1]);
});
const audioPart = ({ id, name, mime, size }: DocumentInfo) => ({ type: "file" as const, id, name, mime, size });

describe("what fails is said at the document and in the session, once, and the audio stays", () => {
  const cases: [string, (heard: Heard) => Reply, RegExp, number][] = [
    [
      "a wrong key",
      () => ({ do: "status", status: 401, message: `Incorrect API key: ${KEY}` }),
      /Incorrect API key: \[key\]\. Keep the right key/,
      1,
    ],
    ["audio that nobody can read", () => ({ do: "status", status: 400, message: "Invalid file format." }), /Invalid file format\. /, 1],
    ["garbage", () => ({ do: "body", body: "\u0000<html>" }), /answered, but not with the words/, 1],
    ["429 again and again", () => ({ do: "status", status: 429, message: "Rate limit" }), /Rate limit\. Upload it again/, 3],
    ["500 again and again", () => ({ do: "status", status: 500 }), /status 500/, 3],
    ["a cut again and again", () => ({ do: "cut" }), /broke the connection off/, 3],
    ["a hang", () => ({ do: "hang" }), /it took more than 1 seconds\. Upload it in shorter pieces\./, 1],
  ];
  for (const [what, reply, says, asked] of cases)
    test(what, async () => {
      const here = await world({ config: { "voice.timeoutSeconds": what === "a hang" ? 1 : 60 } });
      server.script(reply);
      const from = server.heard.length;
      const { session, audio } = await given(here);
      await retried(here);
      const told = await toldIn(here.store, session);
      const { problem } = (await transcriptOf(here, audio.id))!;
      assert.match(problem!, says);
      assert.ok(!JSON.stringify(told).includes(KEY));
      assert.deepEqual(told, [`note.wav was not transcribed: ${problem}`]);
      assert.deepEqual([await named(here.steward), server.heard.length - from], [["/data/note.wav"], asked]);
      assert.deepEqual(await here.store.jobs(), { due: 0, later: 0, running: 0 });
    });

  test("one that recovers is asked again, no sooner than it said", async () => {
    const here = await world();
    server.script((_, index) =>
      index === first ? { do: "status", status: 429, headers: { "retry-after": "20" } } : { do: "hear", text: "late" },
    );
    const first = server.heard.length;
    const began = Date.now();
    here.clock.at = began;
    const { session } = await given(here);
    await here.drain();
    here.clock.at = began + 15_000;
    await here.drain();
    assert.equal(server.heard.length, first + 1);
    here.clock.at = Date.now() + 21_000;
    await here.drain();
    assert.equal(here.own.text("/data/note_transcription.txt"), "late\n");
    assert.equal((await toldIn(here.store, session)).length, 1);
  });

  test("too large for any endpoint: nothing is sent", async () => {
    const here = await world();
    const from = server.requests.length;
    const { audio } = await given(here, "long.wav", wav(25 * 1024 ** 2 + 1));
    await here.drain();
    assert.match((await transcriptOf(here, audio.id))!.problem!, /it is larger than 25 MB\. Upload it in shorter pieces\./);
    assert.equal(server.requests.length, from);
  });

  test("nothing set up: once in a session it is said how, and nothing is sent", async () => {
    const here = await world({ hears: undefined });
    const { session, audio } = await given(here);
    await addDocument(here.steward, OWNER, { name: "two.wav", bytes: wav(), session });
    await here.drain();
    const how = "no voice that hears is set up. For the owner: steward config set voice.hear openai (docs/voice.md)";
    assert.deepEqual(await toldIn(here.store, session), [`note.wav was not transcribed: ${how}`]);
    assert.deepEqual(
      [await transcriptOf(here, audio.id), await named(here.steward)],
      [{ problem: how }, ["/data/note.wav", "/data/two.wav"]],
    );
  });

  test("taken away while it is being heard: no transcript, nothing said", async () => {
    const here = await world();
    const { session, audio } = await given(here);
    server.script(async () => {
      await removeDocument(here.steward, OWNER, audio.id);
      return { do: "hear", text: "gone" };
    });
    await here.drain();
    assert.deepEqual([await named(here.steward), await toldIn(here.store, session)], [[], []]);
  });
});

test("what only pretends to be audio is not heard: text, programs, films, names; what is audio is, whatever its name", async () => {
  const text = (content: string): Uint8Array => Buffer.from(content, "latin1");
  const page = (codec: string): Uint8Array => text(`OggS\0\u0002${"\0".repeat(22)}${codec}`);
  const no: [string, Uint8Array][] = [
    ["a.mp3", text("ID3 is the name of a tag")],
    ["a.mp3", text("#!/bin/sh\nrm -rf /")],
    ["a.wav", text("RIFF....WEBPVP8 ")],
    ["a.wav", text("\u007fELF\u0002\u0001\u0001")],
    ["a.ogg", page("\u0080theora")],
    ["a.mp4", text("\0\0\0\u0018ftypisom")],
    ["a.webm", text("\u001aE\u00df\u00a3 webm V_VP8 A_OPUS")],
    ["a.jpg", text("\u00ff\u00d8\u00ff\u00e0")],
    ["a.dat", text("\u00ff\u00fb\u0090\u0064")],
    ["a.wav", new Uint8Array()],
  ];
  for (const [name, bytes] of no) assert.equal(audioOf(bytes, name), undefined, `${name} ${Buffer.from(bytes).toString("latin1")}`);
  const yes: [string, Uint8Array, string][] = [
    ["a.txt", wav(), "audio/wav"],
    ["a.mp3", text("ID3\u0004\0\0"), "audio/mpeg"],
    ["a.mp3", text("\u00ff\u00fb\u0090\u0064"), "audio/mpeg"],
    ["a", page("OpusHead"), "audio/ogg"],
    ["a.bin", text("\0\0\0\u001cftypM4A "), "audio/mp4"],
    ["a.m4a", text("\0\0\0\u0018ftypisom"), "audio/mp4"],
    ["a", text("fLaC"), "audio/flac"],
    ["a.webm", text("\u001aE\u00df\u00a3 webm A_OPUS"), "audio/webm"],
  ];
  for (const [name, bytes, mime] of yes) assert.equal(audioOf(bytes, name), mime, name);
  const here = await world();
  const from = server.requests.length;
  const { session } = await given(here, "song.mp3", new Uint8Array(Buffer.from("<script>alert(1)</script>")));
  await here.drain();
  assert.deepEqual(
    [server.requests.length - from, await named(here.steward), await toldIn(here.store, session)],
    [0, ["/data/song.mp3"], []],
  );
});

test("killed before and after each commit: heard again where it must be, one transcript, told once", async () => {
  hears("words");
  const message = "File uploaded: /data/note_transcription.txt (what is said in note.wav)";
  let points = 0;
  for (const when of ["before", "after"] as const)
    for (let dieAt = 1; ; dieAt++) {
      const where = `${when} commit ${dieAt}`;
      const [clock, own, home] = [{ at: 1_000_000 }, ownComputer(), temporary()];
      const real = await sqlite(":memory:", { now: () => clock.at });
      const first = await world({ store: real, clock, own, home });
      const from = server.heard.length;
      const { session, audio } = await given(first);
      const doomed = mortal(real, dieAt, when);
      await (await world({ store: doomed, clock, own, home })).drain();
      for (let heirs = 0; heirs < 3; heirs++) {
        clock.at += 65_001;
        await (await world({ store: real, clock, own, home })).drain();
      }
      assert.deepEqual(
        (await toldIn(real, session)).filter((text) => !text.startsWith("Steward was restarted")),
        [message],
        where,
      );
      assert.deepEqual(await named(first.steward), ["/data/note.wav", "/data/note_transcription.txt"], where);
      const { id } = (await transcriptOf(first, audio.id))!;
      assert.equal(Buffer.from(await fileBytes(first.steward, OWNER, id!)).toString(), "words\n", where);
      assert.ok(server.heard.length - from <= 2, `${where}: heard ${server.heard.length - from} times`);
      assert.deepEqual(await real.jobs(), { due: 0, later: 0, running: 0 }, where);
      await real.close();
      if (!doomed.dead()) break;
      points++;
    }
  assert.ok(points >= 10, `only ${points} points`);
});

describe("by the doors, over a real computer", { skip: (await bubblewrapMissing()) ?? false }, () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace({
      config: { "voice.hear": "tape", "voice.providers": { tape: { kind: "openai", baseUrl: server.url, model: "local-1" } } },
    });
    place.model.script([{ do: "text", text: "Noted." }]);
    hears("Hello from the tape.");
  });
  after(() => place.close());
  const results = (talk: Talk): unknown[] =>
    talk.frames.flatMap((frame) => {
      const { result } = parsed(frame) ?? {};
      return result === undefined ? [] : [result];
    });

  test("O-033 by OS-Agent's door: a second result, a second notification, and the file", async () => {
    const talk = await place.connect("/?user=ears&session=main");
    talk.send(binary({ command: "upload_document", args: { file_name: "memo (1).wav" } }, wav()));
    await talk.until((frame) => frame.includes("_transcription.txt") && "result" in (parsed(frame) ?? {}));
    assert.deepEqual(results(talk), ["/data/memo__1_.wav", "/data/memo__1__transcription.txt"]);
    await talk.until((frame) => frame === "File uploaded: /data/memo__1_.wav");
    await talk.until((frame) => frame === "File uploaded: /data/memo__1__transcription.txt (what is said in memo__1_.wav)");
    assert.deepEqual(await talk.ask("read_file", { path: "/data/memo__1__transcription.txt" }), { result: "Hello from the tape.\n" });
    const { fields, key } = server.heard.at(-1)!;
    assert.deepEqual([fields["model"], key], ["local-1", undefined]);
    const data = Buffer.from("no sound").toString("base64");
    assert.deepEqual(await talk.ask("upload_document", { file_data: data, file_name: "fake.wav" }), { result: "/data/fake.wav" });
    assert.deepEqual(await talk.ask("list_dir", { path: "/data" }), {
      result: ["fake.wav", "memo__1_.wav", "memo__1__transcription.txt"].map((name) => [name, false]),
    });
    await talk.close();
  });

  test("O-033 a problem is told to those who are there; the connection goes on, and no second result comes", async () => {
    server.script(() => ({ do: "status", status: 401, message: "No such key" }));
    const talk = await place.connect("/?user=deaf&session=main");
    const data = Buffer.from(wav()).toString("base64");
    assert.deepEqual(await talk.ask("upload_document", { file_data: data, file_name: "memo.wav" }), { result: "/data/memo.wav" });
    await talk.until((frame) => /^memo\.wav was not transcribed: .*No such key/.test(frame));
    assert.deepEqual(await talk.ask("list_sessions"), { result: ["main"] });
    assert.equal(results(talk).length, 2);
    hears("Hello from the tape.");
    await talk.close();
  });

  test("by the API: a second document, which only its person can see, read or take away", async () => {
    const of = async (person: string) => connect({ url: place.gateway.url, token: await place.tokenFor(person) });
    const [ada, bob] = [await of("ada"), await of("bob")];
    const { id } = await upload(ada, Object.assign(new Blob([wav()]), { name: "idea.wav" }));
    const docs = await eventually(async () => {
      const { documents } = await ada.call("documents.list", { query: {} });
      return documents.some(({ transcript }) => transcript) ? documents : undefined;
    });
    const transcript = docs.find((one) => one.id === id)!.transcript!.id!;
    assert.equal(docs.find((one) => one.id === transcript)!.path, "/data/idea_transcription.txt");
    const { body } = await ada.call("files.get", { params: { id: transcript } });
    assert.equal(await new Response(body as ReadableStream).text(), "Hello from the tape.\n");
    assert.deepEqual((await bob.call("documents.list", { query: {} })).documents, []);
    for (const one of [id, transcript]) {
      await assert.rejects(bob.call("files.get", { params: { id: one } }), { code: "not_found" });
      await assert.rejects(bob.call("documents.remove", { params: { id: one } }), { code: "not_found" });
    }
    await ada.call("documents.remove", { params: { id: transcript } });
    assert.deepEqual(
      (await ada.call("documents.list", { query: {} })).documents.map((one) => one.name),
      ["idea.wav"],
    );
  });
});
