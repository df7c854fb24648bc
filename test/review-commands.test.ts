// Commands that come again, and changes that an undo may not take back: what an attacker and a platform that repeats itself would try.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { holdsSecret, withoutSecrets } from "../src/commands/settings.ts";
import type { Ask } from "../src/core/types.ts";
import { opening } from "../src/run/asks.ts";
import { receive } from "../src/chats/receive.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { listUndo, undo, undoInSession } from "../src/run/undo.ts";
import { commandsPlace, type CommandsPlace, owner } from "./commands-place.ts";

let place: CommandsPlace;
before(async () => void (place = await commandsPlace()));
after(() => place.close());

test("several commands of a chat that come once more are not run once more", async () => {
  const { steward } = place;
  const channel = keepingChannel();
  const { sent } = channel;
  steward.channels["post"] = channel;
  await steward.store.commit({ put: { "paired/post/ann": { person: "owner", role: "owner" } } });
  const send = (key: string, text: string) => receive(steward, inbound(key, "ann", { channel: "post", chat: "7" }, text));
  const all = [
    ["m1", "/config set zone Europe/Berlin"],
    ["m2", "/config set log.level debug"],
    ["m3", "/undo"],
    ["m4", "/whoami"],
  ] as const;
  for (const [key, text] of all) await send(key, text);
  await place.composed.worker.drain();
  assert.equal(sent.length, 4);
  assert.equal(steward.settings.config().zone, "Europe/Berlin");
  for (const [key, text] of all.slice(2)) await send(key, text);
  await place.composed.worker.drain();
  assert.equal(sent.length, 4);
  assert.equal(steward.settings.config().zone, "Europe/Berlin");
});

test("a word that was a command when it came first is none for the model when it comes again", async () => {
  const { steward } = place;
  const session = await place.session();
  const ask: Ask = {
    ...{ id: "ask_gone1", session, turn: "trn_1", call: "c", kind: "approval", prompt: "May it?", scope: "network" },
    ...{ options: ["allow", "deny"], openedAt: 1, expiresAt: Date.now() + 1e6 },
  };
  await steward.store.commit(opening("owner", ask));
  const first = await place.tell("approve gone1", { session, key: "k1" });
  assert.equal(first, "Allowed: May it?");
  assert.equal(await place.tell("approve gone1", { session, key: "k1" }), first);
  assert.equal(await place.tell("approve gone1", { session, key: "k2" }), undefined);
});

test("what the owner set is taken back by no agent, by no contained door, and money by no chat", async () => {
  const { steward } = place;
  const session = await place.session();
  steward.settings.set("budget.day", 100);
  assert.match((await place.tell("/config set budget.day 1", { session }))!, /^budget\.day is 1 now/);
  const [entry] = await listUndo(steward, owner, { session });
  const day = (): unknown => steward.settings.config().budget.day;
  await assert.rejects(undoInSession(steward, { who: owner, session, granted: [] }), { code: "denied" });
  await assert.rejects(undoInSession(steward, { who: owner, session, granted: [] }, entry!.id), { code: "denied" });
  assert.equal(day(), 1);
  for (const via of ["osAgent", "local", "channel"] as const) {
    assert.match((await place.tell(`/undo ${entry!.id}`, { session, who: { ...owner, via } }))!, /owner/);
    assert.equal(day(), 1);
  }
  await undo(steward, { ...owner, via: "osAgent" }, entry!.id);
  assert.equal(day(), 1);
  const [failed] = await listUndo(steward, owner, { session });
  assert.equal(failed!.state, "failed");
  assert.match((await place.tell("/undo", { session }))!, /^Undone/);
  assert.equal(day(), 100);
});

test("a secret stands in no log, however its command or its setting is written", () => {
  assert.equal(withoutSecrets("/config@steward_bot set a.apiKey hunter2"), "/config@steward_bot set a.apiKey [redacted]");
  for (const key of ["a.api_key", "a.headers.x-api-key", "a.client_secret", "a.apiKey", "token"])
    assert.ok(holdsSecret(key, "hunter2"), key);
  for (const key of ["limits.windowTokens", "zone", "runtime.engine"]) assert.ok(!holdsSecret(key, "x"), key);
});
