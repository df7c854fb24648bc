// Who answers: the order of session, person and install, pins that nothing overrides, and a switch that holds from the next turn.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { choose } from "../src/commands/choose.ts";
import { breach, choiceKey, choiceOf, chosen } from "../src/run/choice.ts";
import { say } from "../src/run/inbox.ts";
import { sessionKey } from "../src/run/sessions.ts";
import { ada, commandsPlace, type CommandsPlace, owner } from "./commands-place.ts";

let place: CommandsPlace;
before(async () => void (place = await commandsPlace()));
after(() => place.close());

const short = async (session?: string, who = owner): Promise<string> => {
  const { engine, model, pins, from } = await choiceOf(place.steward, who, session);
  return `${engine} ${model} (${from.engine}, ${from.model}) ${JSON.stringify(pins)}`;
};

test("the session's choice goes before the person's, that before the install's", async () => {
  const { steward } = place;
  const session = await place.session(ada);
  assert.equal(await short(session, ada), "loop compatible/test-1 (found, install) {}");
  await choose(steward, ada, { scope: "person", model: "near/test-2" });
  assert.equal(await short(session, ada), "loop near/test-2 (found, person) {}");
  await choose(steward, ada, { scope: "session", session, model: "builtin/rules", engine: "loop" });
  assert.equal(await short(session, ada), "loop builtin/rules (session, session) {}");
  assert.equal(await short(await place.session(ada), ada), "loop near/test-2 (found, person) {}");
  const doc = (await steward.store.get(sessionKey("ada", session))) as object;
  const helper = await chosen(steward, ada, [{}, doc]);
  assert.deepEqual(helper, { engine: "loop", model: "builtin/rules", pins: {}, from: { engine: "session", model: "session" } });
  await choose(steward, ada, { scope: "session", session, model: null, engine: null });
  await choose(steward, ada, { scope: "person", model: null });
  assert.equal(await short(session, ada), "loop compatible/test-1 (found, install) {}");
});

test("a wider choice takes the narrower ones of its session away, and stands in config.json", async () => {
  const { steward } = place;
  const session = await place.session();
  const other = await place.session();
  await choose(steward, owner, { scope: "session", session, model: "near/test-1" });
  await choose(steward, owner, { scope: "session", session: other, model: "near/test-1" });
  await choose(steward, owner, { scope: "person", model: "near/test-2", session: other });
  assert.equal(await short(other), "loop near/test-2 (found, person) {}");
  await choose(steward, owner, { scope: "install", session, model: "compatible/test-2" });
  assert.equal(place.file()["model"], "compatible/test-2");
  assert.equal(await short(session), "loop compatible/test-2 (found, install) {}");
  assert.deepEqual(await steward.store.get(choiceKey("owner")), {});
  const told = (await steward.store.events(session)).flatMap(({ event }) => (event.type === "session.updated" ? [event] : []));
  assert.deepEqual(told, [
    { type: "session.updated", model: "near/test-1" },
    { type: "session.updated", model: "" },
  ]);
  await choose(steward, owner, { scope: "install", model: "compatible/test-1" });
});

test("only a provider: its usual model; what there is not is refused, and only the owner chooses for everybody", async () => {
  const { steward } = place;
  const session = await place.session();
  const { model } = await choose(steward, owner, { scope: "session", session, provider: "near" });
  assert.equal(model, "near/test-1");
  await assert.rejects(choose(steward, owner, { scope: "session", session, engine: "nothing" }), { code: "not_found" });
  await assert.rejects(choose(steward, owner, { scope: "session", session, model: "nowhere/x" }), { code: "not_found" });
  await assert.rejects(choose(steward, owner, { scope: "session", session, model: "nonsense" }), { code: "invalid" });
  await assert.rejects(choose(steward, ada, { scope: "install", model: "near/test-1" }), { code: "denied" });
  await assert.rejects(choose(steward, { ...owner, via: "osAgent" }, { scope: "install", model: "near/test-1" }), { code: "denied" });
  await assert.rejects(choose(steward, ada, { scope: "session", session, model: "near/test-1" }), { code: "not_found" });
  assert.equal(place.file()["model"], "compatible/test-1");
});

test("what is on this machine is local; what passes on is not", async () => {
  const { isLocal } = place.steward.models;
  const names = [
    "builtin/rules",
    "compatible/test-1",
    "far/big",
    "ollama/qwen2.5",
    "ollama/gpt-oss:120b-cloud",
    "anthropic/claude-sonnet-4-5",
  ];
  assert.deepEqual(await Promise.all(names.map(isLocal)), [true, true, false, true, false, false]);
});

test("a pin is a constraint: choosing against it is refused with what to do, and narrower choices don't count", async () => {
  const { steward } = place;
  const session = await place.session();
  const here = { scope: "session" as const, session };
  await choose(steward, owner, { ...here, model: "far/big" });
  await assert.rejects(choose(steward, owner, { ...here, pin: "local" }), { code: "denied", message: /far\/big is not on this machine/ });
  await choose(steward, owner, { ...here, model: "near/test-1" });
  assert.deepEqual((await choose(steward, owner, { ...here, pin: "local" })).pins, { local: "session" });
  await assert.rejects(choose(steward, owner, { ...here, model: "far/big" }), { code: "denied", hint: /\/unpin/ });
  await assert.rejects(choose(steward, owner, { scope: "install", session, model: "far/big" }), { code: "denied" });
  await assert.rejects(choose(steward, owner, { ...here, pin: "engine" }), { code: "denied", message: /already: local/ });
  const choice = await choiceOf(steward, owner, session);
  assert.equal(await breach(steward, choice, { engine: "loop", model: "near/test-2" }), undefined);
  assert.equal((await breach(steward, choice, { engine: "loop", model: "far/big" }))?.code, "denied");
  await choose(steward, owner, { ...here, pin: null });
  assert.equal(await short(session), "loop near/test-1 (found, session) {}");

  await choose(steward, owner, { scope: "install", pin: "local" });
  assert.deepEqual(place.file()["runtime"], { pin: "local" });
  await assert.rejects(choose(steward, ada, { scope: "person", model: "far/big" }), { code: "denied", message: /for everybody/ });
  assert.deepEqual((await choose(steward, ada, { scope: "person", pin: null })).pins, { local: "install" });
  await choose(steward, owner, { scope: "install", pin: null });
  assert.deepEqual(place.file()["runtime"], {});
});

test("this engine only: other engines are refused, also where they had been chosen before", async () => {
  const { steward } = place;
  const session = await place.session();
  await steward.store.commit({ merge: { [sessionKey("owner", session)]: { engine: "claude" } } });
  assert.equal((await choiceOf(steward, owner, session)).engine, "claude");
  await choose(steward, owner, { scope: "person", pin: "engine" });
  assert.deepEqual(await choiceOf(steward, owner, session), {
    engine: "loop",
    model: "compatible/test-1",
    pins: { engine: "person" },
    from: { engine: "person", model: "install" },
  });
  const choice = await choiceOf(steward, owner, session);
  assert.match((await breach(steward, choice, { engine: "claude", model: "near/test-1" }))!.message, /Only the engine loop may answer/);
  await choose(steward, owner, { scope: "person", pin: null, engine: null });
  assert.equal((await choiceOf(steward, owner, session)).engine, "claude");
});

test("a switch holds from the next turn on, in the same conversation, and each answer names its model", async () => {
  const { steward, composed } = place;
  const session = await place.session();
  const asked = place.model.requests.length;
  const turn = async (text: string): Promise<void> => {
    await say(steward, owner, { session, parts: [{ type: "text", text }] });
    await composed.worker.drain();
  };
  await turn("The word is heron.");
  await say(steward, owner, { session, parts: [{ type: "text", text: "/model near/test-2 here" }] });
  await turn("Which word?");
  const ends = (await steward.store.events(session)).flatMap(({ event }) =>
    event.type === "turn.completed" ? [`${event.engine} ${event.model}`] : [],
  );
  assert.deepEqual(ends, ["loop compatible/test-1", "loop near/test-2"]);
  const bodies = place.model.requests.slice(asked).map(({ body }) => body);
  assert.deepEqual(
    bodies.map(({ model }) => model),
    ["test-1", "test-2"],
  );
  const second = JSON.stringify(bodies[1]!.messages);
  assert.match(second, /The word is heron\..*Hello\..*Which word\?/s);
  assert.ok(!second.includes("/model") && !second.includes("From the next turn on"));
});
