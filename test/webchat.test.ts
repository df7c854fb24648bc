// WebChat without a browser: its page, who gets in, and what travels over its socket.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { parseConfig } from "../src/core/config.ts";
import type { SessionDoc } from "../src/run/sessions.ts";
import type { Action } from "../src/testing/model-server.ts";
import { until } from "../src/testing/channel-platform.ts";
import { raw } from "./gateway-place.ts";
import { type ChatPlace, openChatPlace } from "./webchat-place.ts";

interface Frame {
  type: string;
  text?: string;
  id?: string;
  format?: string;
  key?: string;
}
interface Talk {
  socket: WebSocket;
  frames: Frame[];
  say(text: string): void;
  /** The next frame of that type that was not given yet. */
  next(type: string): Promise<Frame>;
  closed: Promise<number>;
}

function open(url: string, options: { headers?: Record<string, string>; origin?: string; protocol?: string } = {}): Promise<Talk> {
  const { protocol, ...rest } = options;
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, protocol === undefined ? [] : [protocol], rest);
  const frames: Frame[] = [];
  const given = new Map<string, number>();
  const waiting = new Set<() => void>();
  socket.on("message", (data) => {
    frames.push(JSON.parse(String(data)) as Frame);
    for (const look of waiting) look();
  });
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  const next = (type: string): Promise<Frame> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${type} in ${JSON.stringify(frames)}`)), 60_000);
      const look = (): void => {
        const at = frames.findIndex((frame, n) => frame.type === type && n >= (given.get(type) ?? 0));
        if (at < 0) return;
        given.set(type, at + 1);
        waiting.delete(look);
        clearTimeout(late);
        resolve(frames[at]!);
      };
      waiting.add(look);
      look();
    });
  const { promise, resolve, reject } = Promise.withResolvers<Talk>();
  socket.on("open", () => resolve({ socket, frames, next, closed, say: (text) => socket.send(JSON.stringify({ type: "message", text })) }));
  socket.on("unexpected-response", (_request, response) => reject(new Error(String(response.statusCode))));
  socket.on("error", reject);
  return promise;
}

describe("WebChat", () => {
  let place: ChatPlace;
  let url: string;
  before(async () => {
    place = await openChatPlace();
    url = place.door.url;
  });
  after(() => place.close());
  const enter = (): Promise<Talk> => open(url, { headers: place.bearer });
  const script = (...actions: Action[]): void => place.model.script(actions);
  const sessions = async (): Promise<SessionDoc[]> =>
    (await place.composed.steward.store.list("p/owner/session/")).map(({ value }) => value as SessionDoc);
  const ticket = async (headers: Record<string, string>, body: object = { chat: true }): Promise<{ status: number; ticket: string }> => {
    const given = { "content-type": "application/json", ...headers };
    const answer = await raw(url, { method: "POST", path: "/api/ticket", headers: given, body: JSON.stringify(body) });
    return { status: answer.status, ticket: (answer.json() as unknown as { ticket: string }).ticket };
  };

  test("A-043 A-045 A-051 / is one file with its script, its style and its logo in it, which alone may run", async () => {
    const page = await raw(url, { path: "/" });
    assert.deepEqual([page.status, page.headers["content-type"]], [200, "text/html; charset=utf-8"]);
    assert.match(page.text, /<title>Steward WebChat<\/title>[^]*<svg [^>]*aria-label="Steward's logo">/);
    assert.deepEqual(
      [...page.text.matchAll(/<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]*)"/g)].map(([, to]) => to!.slice(0, 19)),
      ["data:image/svg+xml,"],
    );
    assert.doesNotMatch(page.text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b| style="| on[a-z]+="/);
    const hash = (tag: string): string =>
      createHash("sha256")
        .update(new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page.text)![1]!)
        .digest("base64");
    const csp = String(page.headers["content-security-policy"]);
    assert.ok(csp.includes(`default-src 'none'; script-src 'sha256-${hash("script")}'; style-src 'sha256-${hash("style")}';`), csp);
    assert.match(csp, /connect-src 'self';.*frame-ancestors 'none'/);
    for (const path of ["/chat", "/claim"]) assert.equal((await raw(url, { path })).text, page.text, path);
    assert.match((await raw(url, { path: "/os-agent" })).text, /<title>Steward, the plain page<\/title>/);
    assert.equal((await raw(url, { path: "/chat.html" })).status, 404);
    assert.equal((await raw(url, { path: "/", headers: { host: "evil.example" } })).status, 421);
  });

  test("A-044 A-050 it is off on a fresh install, on this machine and port 8080 when it is turned on", () => {
    assert.deepEqual(parseConfig({}).webchat, { enabled: false, host: "127.0.0.1", port: 8080 });
    assert.deepEqual(parseConfig({ webchat: { enabled: true, port: 9090, page: "chat" } }).webchat, {
      ...{ enabled: true, host: "127.0.0.1", port: 9090, page: "chat" },
    });
  });

  test("A-046 who shows nothing, something wrong, or comes from another page, gets no socket; a ticket opens one, once", async () => {
    await assert.rejects(open(url), /401/);
    await assert.rejects(open(url, { headers: { authorization: "Bearer wrong" } }), /401/);
    await assert.rejects(open(url, { headers: place.bearer, origin: "https://evil.example" }), /403/);
    const halves = await place.signIn();
    await assert.rejects(open(url, { headers: { cookie: halves.cookie }, origin: url }), /401/);
    await assert.rejects(
      open(url, { headers: { cookie: halves.cookie }, origin: url, protocol: `steward.${halves["x-steward-proof"]}` }),
      /401/,
    );
    assert.equal((await ticket({ cookie: halves.cookie, origin: url })).status, 401);
    assert.equal((await ticket({ ...halves, origin: "https://evil.example" })).status, 403);
    const { ticket: once } = await ticket(halves);
    await assert.rejects(open(url, { protocol: `steward.${once}`, origin: "https://evil.example" }), /403/);
    const talk = await open(url, { protocol: `steward.${once}`, origin: url });
    assert.match((await talk.next("session")).id!, /^ses_/);
    await assert.rejects(open(url, { protocol: `steward.${once}`, origin: url }), /401/);
    assert.equal((await raw(url, { method: "POST", path: "/api/logout", headers: halves })).status, 200);
    assert.equal(await talk.closed, 4001);
  });

  test("A-046 A-047 each connection is a conversation: typing, chunks, the whole; it is kept, and one in which nothing was said is not", async () => {
    const [one, two, silent] = await Promise.all([enter(), enter(), enter()]);
    const ids = await Promise.all([one, two, silent].map(async (talk) => (await talk.next("session")).id!));
    assert.equal(new Set(ids).size, 3);
    script({ do: "text", text: "**Hello** to you,\n\nwhoever you are.", pieces: 4 });
    one.say("Good morning");
    const { text, format } = await one.next("message");
    assert.deepEqual([text, format], ["**Hello** to you,\n\nwhoever you are.", "markdown"]);
    const types = one.frames.map(({ type }) => type);
    assert.deepEqual(types.slice(0, 3), ["session", "typing", "chunk"]);
    assert.equal(one.frames.flatMap((frame) => (frame.type === "chunk" ? [frame.text] : [])).join(""), text);
    script({ do: "text", text: "Plain it is." });
    two.socket.send("Just text, no JSON");
    assert.equal((await two.next("message")).text, "Plain it is.");
    assert.doesNotMatch(JSON.stringify(place.model.requests.at(-1)), /Good morning/);
    script({ do: "text", text: "You said good morning." });
    one.say("What did I say?");
    assert.equal((await one.next("message")).text, "You said good morning.");
    assert.match(JSON.stringify(place.model.requests.at(-1)), /Good morning/);
    assert.deepEqual(two.frames.filter(({ type }) => type === "message").length, 1);
    for (const talk of [one, two, silent]) talk.socket.close();
    await Promise.all([one.closed, two.closed, silent.closed]);
    const kept = await sessions();
    assert.deepEqual(
      ids.map((id) => kept.find((doc) => doc.id === id)?.title),
      ["Good morning", "Just text, no JSON", undefined],
    );
  });

  test("A-049 commands answer, questions are answered in words, and what runs is stopped, as everywhere", async () => {
    const talk = await enter();
    const { id } = await talk.next("session");
    talk.say("/help");
    assert.match((await talk.next("message")).text!, /\/model/);
    script({ do: "calls", calls: [{ tool: "ask_person", input: { question: "Tea or coffee?", options: ["tea", "coffee"] } }] });
    talk.say("I am thirsty");
    assert.equal((await talk.next("message")).text, "**Tea or coffee?**\n\nAnswer with one of: tea, coffee.");
    script({ do: "text", text: "Tea it is." });
    talk.say("Tea");
    assert.equal((await talk.next("message")).text, "Tea it is.");
    const answered = (await place.events(id!)).find(({ event }) => event.type === "ask.answered");
    assert.ok(answered && "answer" in answered.event);
    const release = Promise.withResolvers<void>();
    script({ do: "text", text: "Thinking about" }, { do: "until", promise: release.promise }, { do: "text", text: " it" });
    talk.say("Think for long");
    assert.equal((await talk.next("chunk")).type, "chunk");
    while (!/Thinking about$/.test(talk.frames.map(({ text = "" }) => text).join(""))) await talk.next("chunk");
    talk.socket.send('{"type":"stop"}');
    const stopped = await talk.next("message");
    release.resolve();
    assert.match(stopped.text!, /^Thinking about|^\(Stopped\.\)/);
    talk.say("/new");
    const fresh = await talk.next("session");
    assert.notEqual(fresh.id, id);
    script({ do: "text", text: "A clean sheet." });
    talk.say("Hello again");
    for (let text = ""; text !== "A clean sheet.";) text = (await talk.next("message")).text!;
    talk.socket.close();
  });

  const heard = async (session: string): Promise<string[]> =>
    (await place.events(session)).flatMap(({ event }) => (event.type === "message.received" && event.key ? [event.key] : []));

  test("A-046 a message with a key is confirmed and is one however often it comes; over a new connection its conversation goes on", async () => {
    const [key, other] = ["key-of-a-client-1", "key-of-a-client-2"];
    const talk = await enter();
    const { id } = await talk.next("session");
    const send = (to: Talk, text: string, more: object): void => to.socket.send(JSON.stringify({ type: "message", text, ...more }));
    script({ do: "text", text: "Said once." });
    send(talk, "Say it", { key });
    send(talk, "Say it", { key });
    assert.equal((await talk.next("received")).key, key);
    assert.equal((await talk.next("received")).key, key);
    assert.equal((await talk.next("message")).text, "Said once.");
    send(talk, "/model", { key: "key-of-a-command" });
    assert.equal((await talk.next("received")).key, "key-of-a-command");
    const shown = (await talk.next("message")).text;
    talk.socket.terminate();
    const again = await enter();
    const fresh = (await again.next("session")).id!;
    send(again, "Say it", { key, session: id });
    assert.equal((await again.next("session")).id, id);
    assert.equal((await again.next("received")).key, key);
    assert.equal((await again.next("message")).text, "Said once.", "the answer that the first connection may not have brought");
    script({ do: "text", text: "Still the same." });
    send(again, "Go on", { key: other, session: id });
    for (let text: string | undefined = ""; text !== "Still the same.";) text = (await again.next("message")).text;
    assert.deepEqual(await heard(id!), [key, "key-of-a-command", other]);
    assert.ok(shown);
    const third = await enter();
    const own = (await third.next("session")).id!;
    script({ do: "text", text: "A new one." });
    send(third, "Hello", { key: "key-of-a-client-3", session: "ses_of_somebody_else" });
    assert.equal((await third.next("message")).text, "A new one.");
    assert.deepEqual([await heard(own), (await sessions()).some((doc) => doc.id === fresh)], [["key-of-a-client-3"], false]);
    send(third, "x".repeat(300_000), { key: "key-of-a-client-4" });
    assert.equal((await third.next("error")).key, "key-of-a-client-4", "what is refused is settled too");
    script({ do: "text", text: "No key." });
    third.say("Plain as ever");
    await third.next("message");
    assert.equal(third.frames.filter(({ type }) => type === "received").length, 1);
    for (const one of [again, third]) one.socket.close();
  });

  test("Stop waits for no message before it; what can't be followed closes the socket; nobody follows for one that is closed", async () => {
    const { steward } = place.composed;
    const { commands, store } = steward;
    const talk = await enter();
    const { id } = await talk.next("session");
    const release = Promise.withResolvers<void>();
    script({ do: "text", text: "Thinking" }, { do: "until", promise: release.promise });
    talk.say("Think for long");
    await talk.next("chunk");
    const slow = Promise.withResolvers<void>();
    steward.commands = { ...commands, take: (scene, text) => slow.promise.then(() => commands.take(scene, text)) };
    talk.say("/new");
    talk.socket.send('{"type":"stop"}');
    await talk.next("message");
    release.resolve();
    talk.socket.close();
    await talk.closed;
    const known = new Set((await sessions()).map((doc) => doc.id));
    slow.resolve();
    steward.commands = commands;
    const next = await enter();
    const second = (await next.next("session")).id!;
    script({ do: "text", text: "Here." });
    next.say("Hello");
    await next.next("message");
    const begun = await until(async () => {
      const found = (await sessions()).filter((doc) => doc.id !== second && !known.has(doc.id));
      return found.length > 0 ? found : undefined;
    }, "what the command has begun");
    assert.deepEqual(
      begun.map((doc) => steward.notices.isLookedAt(doc.id)),
      [false],
      "of a closed connection nothing is left",
    );
    assert.equal(steward.notices.isLookedAt(second), true);
    assert.notEqual(second, id);
    const { events } = store;
    store.events = async (session, range) =>
      session === second ? Promise.reject(new Error("the database is gone")) : events(session, range);
    steward.store.publish(second, { type: "item.delta", turn: "t", item: "i", kind: "text", at: 0, text: "" });
    await store.commit({ events: [{ session: second, event: { type: "session.updated", title: "Another" } }] });
    assert.equal(await next.closed, 1011);
    store.events = events;
  });

  test("what is wrong is said and closes nothing: binary frames, other frames, a model that fails", async () => {
    const talk = await enter();
    talk.socket.send(Buffer.from([1, 2]), { binary: true });
    assert.equal((await talk.next("error")).text, "Frames must be text");
    for (const frame of ['{"type":"message"}', '{"type":"dance"}', '{"type":"message","text":7}']) {
      talk.socket.send(frame);
      assert.equal((await talk.next("error")).text, 'Send {"type": "message", "text": "…"}, or the text alone');
    }
    script({ do: "status", status: 400, message: "no such thing" });
    talk.say("Hello");
    assert.match((await talk.next("error")).text!, /no such thing/);
    script({ do: "text", text: "Well again." });
    talk.socket.send('{"some":"json of mine"}');
    assert.equal((await talk.next("message")).text, "Well again.");
    assert.match(JSON.stringify(place.model.requests.at(-1)), /json of mine/);
    talk.socket.close();
  });

  test("where the door is open to this machine, a program comes as a guest who is contained; no page of others does", async (t) => {
    const near = await openChatPlace({ config: { "auth.local": "open" } });
    t.after(() => near.close());
    const talk = await open(near.door.url);
    near.model.script([{ do: "text", text: "Welcome." }]);
    await talk.next("session");
    talk.say("Hello");
    assert.equal((await talk.next("message")).text, "Welcome.");
    const persons = (await near.composed.steward.store.list("p/user_demo/session/")).map(({ value }) => (value as SessionDoc).title);
    assert.deepEqual(persons, ["Hello"]);
    await assert.rejects(open(near.door.url, { origin: "http://localhost:1" }), /403/);
    await assert.rejects(open(near.door.url, { headers: { "x-forwarded-for": "10.0.0.1" } }), /401/);
    talk.socket.close();
  });
});
