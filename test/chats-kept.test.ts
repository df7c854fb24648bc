// Channels are kept connected: what fails for good keeps nothing else out, what comes and goes is told, nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod/mini";
import { openChats } from "../src/chats/chats.ts";
import type { ChannelHost, ChannelKind } from "../src/core/channel.ts";
import type { Chats } from "../src/run/chats.ts";
import type { Steward } from "../src/run/steward.ts";
import { StewardError } from "../src/std/error.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { until } from "../src/testing/channel-platform.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness } from "./harness.ts";

interface Kept {
  steward: Steward;
  chats: Chats;
  hosts: ChannelHost[];
  closed: { count: number };
  told: string[];
  probe: { answer: () => Promise<{ account: string }> };
  state(): Promise<string | undefined>;
}

async function kept(config: Record<string, unknown> = { post: { enabled: true } }, name = "post"): Promise<Kept> {
  const hosts: ChannelHost[] = [];
  const closed = { count: 0 };
  const told: string[] = [];
  const probe = { answer: async () => ({ account: "self" }) };
  const kind: ChannelKind = {
    ...{ name, title: "Post", needs: [], guide: "", config: z.object({}) },
    async open(_config, host) {
      hosts.push(host);
      return { ...keepingChannel(), probe: () => probe.answer(), close: async () => void closed.count++ };
    },
  };
  const steward = harness({
    store: await sqlite(":memory:"),
    model: scripted(() => [{ text: "hello" }]),
    config: { channels: config },
  });
  const chats = openChats(() => steward, {
    load: async () => kind,
    names: () => [name],
    fetch: () => () => Promise.reject(new Error("no network")),
    alert: async (_name, text) => void told.push(text),
  });
  steward.chats = chats;
  return { ...{ steward, chats, hosts, closed, told, probe }, state: async () => (await chats.list())[0]?.state };
}
const reach = async (one: Kept, state: string): Promise<true> =>
  until(async () => ((await one.state()) === state ? true : undefined), `it is ${state}`);

test("a message that can never be taken is left out after some tries, and that is said; those after it come in", async () => {
  const one = await kept();
  one.chats.begin();
  try {
    await reach(one, "healthy");
    const { commit } = one.steward.store;
    await one.steward.store.commit({
      put: { "paired/post/77": { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c", at: 1, id: "p" } },
    });
    one.steward.store.commit = async (change) => {
      if (JSON.stringify(change).includes("poison")) throw new TypeError("can't be kept");
      return commit(change);
    };
    const [host] = one.hosts as [ChannelHost];
    const bring = (key: string, text: string) => host.inbox(inbound(key, "77", { channel: "post", chat: "c" }, text));
    for (let n = 0; n < 4; n++) await assert.rejects(bring("m1", "poison"), /can't be kept/);
    assert.match((await bring("m1", "poison")).text!, /could not be taken/);
    assert.deepEqual(await bring("m2", "good"), {});
    assert.equal((await one.steward.store.list("p/owner/notice/")).length, 1);
    const busy = { ...one.steward.store, get: () => Promise.reject(new StewardError("unavailable", "The database is away")) };
    Object.assign(one.steward.store, { get: busy.get });
    for (let n = 0; n < 8; n++) await assert.rejects(bring("m3", "later"), { code: "unavailable" });
  } finally {
    await one.chats.close();
  }
});

test("what a webhook brings and what can't be kept is refused each time: only what is kept is acknowledged", async () => {
  const one = await kept({ webhook: { enabled: true, person: "owner" } }, "webhook");
  one.chats.begin();
  try {
    await reach(one, "healthy");
    const { commit } = one.steward.store;
    one.steward.store.commit = async (change) =>
      JSON.stringify(change).includes("poison") ? Promise.reject(new TypeError("can't be kept")) : commit(change);
    const bring = (key: string, text: string) =>
      one.hosts[0]!.inbox(inbound(key, "webhook", { channel: "webhook", chat: "webhook" }, text));
    for (let n = 0; n < 6; n++) await assert.rejects(bring("m1", "poison"), /can't be kept/);
    assert.deepEqual(await bring("m2", "good"), {});
  } finally {
    await one.chats.close();
  }
});

test("before a webhook is connected its callers are told to come again; unknown and closed ones are not there", async () => {
  const one = await kept({ webhook: { enabled: true, person: "owner" }, off: { enabled: false } }, "webhook");
  const never = (): never => assert.fail("nothing of it is read");
  const call = (name: string): Promise<unknown> =>
    one.chats.hook(name, { method: "POST", path: `/hooks/${name}`, peer: "127.0.0.1", headers: {}, body: never });
  await assert.rejects(call("webhook"), { code: "unavailable" });
  for (const name of ["off", "other", "constructor"]) await assert.rejects(call(name), { code: "not_found" });
  await one.chats.close();
});

test("connect connects a healthy channel anew at once; each connection is closed once, also after many", async () => {
  const one = await kept();
  one.chats.begin();
  await reach(one, "healthy");
  for (let n = 2; n <= 40; n++) {
    await one.chats.again("post");
    await until(() => (one.hosts.length >= n && one.steward.channels["post"] ? true : undefined), `connection ${n}`);
  }
  await one.chats.close();
  assert.equal(one.closed.count, one.hosts.length);
});

test("one that comes and goes waits longer each time, and closing does not wait for a platform that is silent", async () => {
  const one = await kept();
  const waiting = () => until(async () => (await one.chats.list()).find(({ state }) => state === "waiting"), "it waits");
  one.chats.begin();
  await reach(one, "healthy");
  one.hosts[0]!.lost(new StewardError("unavailable", "gone"));
  const first = await waiting();
  await one.chats.again("post");
  await reach(one, "healthy");
  one.hosts.at(-1)!.lost(new StewardError("unavailable", "gone again"));
  const second = await waiting();
  assert.ok(second.retryAt! - second.since > 1.2 * (first.retryAt! - first.since), "the second wait is longer");
  one.probe.answer = () => new Promise(() => {});
  await one.chats.again("post");
  await reach(one, "opening");
  await until(() => (one.hosts.length === 3 ? true : undefined), "it is being opened");
  const open = one.hosts.length;
  await one.chats.close();
  assert.equal(one.closed.count, open, "closed although the probe never ended");
  assert.deepEqual(one.told, []);
});

test("what comes before the account is known waits for it", async () => {
  const one = await kept();
  const held = Promise.withResolvers<{ account: string }>();
  one.probe.answer = () => held.promise;
  await one.steward.store.commit({
    put: { "paired/post/77": { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c", at: 1, account: "old" } },
  });
  one.chats.begin();
  try {
    await until(() => (one.hosts.length === 1 ? true : undefined), "opened");
    const brought = one.hosts[0]!.inbox(inbound("m1", "77", { channel: "post", chat: "c" }, "hi"));
    held.resolve({ account: "new" });
    assert.deepEqual(await brought, {});
    assert.deepEqual(await one.steward.store.list("p/owner/session/"), [], "paired with another account");
  } finally {
    await one.chats.close();
  }
});

test("secrets that can't be read now are no end of the channels, nor of Steward", async () => {
  const one = await kept();
  const { get } = one.steward.secrets;
  const { where } = one.steward.secrets;
  const logged: string[] = [];
  one.steward.log = (_level, text) => void logged.push(text);
  one.steward.secrets.where = () => Promise.reject(new Error("The keychain is locked"));
  one.chats.begin();
  await until(() => logged.find((text) => /could not be looked at/.test(text)), "it is said");
  Object.assign(one.steward.secrets, { get, where });
  await one.chats.refresh();
  await reach(one, "healthy");
  await one.chats.close();
});

test("several channels that do not close are closed side by side", async () => {
  const one = await kept(Object.fromEntries(["a", "b", "c"].map((name) => [name, { kind: "post", enabled: true }])));
  one.chats.begin();
  await until(async () => ((await one.chats.list()).filter(({ state }) => state === "healthy").length === 3 ? true : undefined), "all");
  const order: string[] = [];
  for (const [name, channel] of Object.entries(one.steward.channels))
    channel.close = async () => {
      order.push(`${name} begins`);
      await until(() => (order.length >= 3 ? true : undefined), "the others");
    };
  await one.chats.close();
  assert.equal(order.length, 3);
});

test("another account under the same name counts its messages anew; each one's are known by it", async () => {
  const one = await kept();
  await one.steward.store.commit({
    put: { "paired/post/77": { channel: "post", from: "77", person: "owner", role: "owner", name: "", chat: "c", at: 1, id: "p" } },
  });
  const said = async (): Promise<string[]> => {
    const [row] = await one.steward.store.list("p/owner/session/");
    const log = row ? await one.steward.store.events((row.value as { id: string }).id) : [];
    return log.flatMap(({ event }) =>
      event.type === "message.received" ? event.parts.flatMap((part) => (part.type === "text" ? part.text : [])) : [],
    );
  };
  one.chats.begin();
  try {
    for (const [at, account] of ["self", "new", "self", "new"].entries()) {
      one.probe.answer = async () => ({ account });
      if (at > 0) await one.chats.again("post");
      await until(() => (one.hosts.length > at && one.steward.channels["post"] ? true : undefined), account);
      await one.hosts[at]!.inbox(inbound("77:5", "77", { channel: "post", chat: "c" }, `to ${account}`));
    }
    assert.deepEqual(await said(), ["to self", "to new"]);
  } finally {
    await one.chats.close();
  }
});
