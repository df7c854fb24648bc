// Steward killed by SIGKILL while computers work: a turn's command, a terminal, an upload in pieces, a file on its way back, a notification. Nothing lost, nothing twice; and a container removed in the middle.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect, type Client } from "../src/client/client.ts";
import contained from "../src/computers/contained.ts";
import type { Item, ToolResult } from "../src/core/types.ts";
import { liveInstance } from "../src/run/instance.ts";
import { processesWith } from "../src/testing/computer.ts";
import { place, type Place } from "./cli-place.ts";
import { noEngine, testEngine } from "./engine.ts";
import { eventually } from "./gateway-place.ts";

const MB = 1024 ** 2;
const HALF = 5 * MB;

interface Running {
  client: Client;
  kill(): Promise<void>;
  stop(): Promise<void>;
}
async function run(at: Place): Promise<Running> {
  const { child, url } = await at.start();
  const ended = once(child, "exit");
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    client: connect({ url, token: liveInstance(at.home)!.token }),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}
const number = (): string => `4${randomBytes(4).readUInt32BE()}.${randomBytes(2).readUInt16BE()}`;

/** What was told to the agent in all sessions. */
async function told(client: Client, words: string): Promise<number> {
  const { sessions } = await client.call("sessions.list");
  const all = await Promise.all(sessions.map(({ id }) => client.call("sessions.events", { params: { id } })));
  return all
    .flatMap(({ events }) => events)
    .filter(({ event }) => event.type === "message.received" && JSON.stringify(event).includes(words)).length;
}

/** The tools of a session that have ended. */
async function ended(client: Client, session: string): Promise<(ToolResult | undefined)[]> {
  const { events } = await client.call("sessions.events", { params: { id: session } });
  return events.flatMap(({ event }) => {
    const item = event.type === "item.completed" ? (event.item as Item) : undefined;
    return item?.kind === "tool" ? [item.result] : [];
  });
}

async function killed(settings: Record<string, unknown>, livesOn: boolean): Promise<{ at: Place; running: Running }> {
  const at = place();
  writeFileSync(join(at.home, "config.json"), JSON.stringify({ model: "builtin/rules", computer: { mode: "contained", ...settings } }));
  const [command, terminal, words] = [number(), number(), `news${randomBytes(6).toString("hex")}`];
  const bytes = new Uint8Array(randomBytes(2 * HALF));

  const first = await run(at);
  const { client } = first;
  const screen = await client.call("terminals.make", { body: { columns: 80, rows: 24, command: ["sleep", terminal] } });
  const { id: session } = await client.call("sessions.make", { body: {} });
  await client.call("sessions.say", { params: { id: session }, body: { parts: [{ type: "text", text: `run sleep ${command}` }] } });
  const upload = await client.call("uploads.begin", { body: { name: "half.bin", size: bytes.byteLength } });
  await client.call("uploads.put", { params: { id: upload.id }, query: { at: "0" }, body: bytes.slice(0, HALF) });
  await client.call("tree.write", { query: { path: "~/kept.txt" }, body: new TextEncoder().encode("kept") });
  await eventually(() => processesWith(command).length > 0 && processesWith(terminal).length > 0);
  await client.call("tree.write", { query: { path: "/state/notifications/1.txt" }, body: new TextEncoder().encode(words) });
  await client.call("tree.write", { query: { path: "/return/back.txt" }, body: new TextEncoder().encode("back") });
  await first.kill();

  if (!livesOn) await eventually(() => processesWith(terminal).length === 0);
  const running = await run(at);
  const again = running.client;
  await eventually(async () => {
    const { events } = await again.call("sessions.events", { params: { id: session } });
    return events.some(({ event }) => event.type === "turn.completed");
  });
  await eventually(() => processesWith(command).length === 0);
  const calls = await ended(again, session);
  assert.equal(calls.length, 1);
  assert.match(calls[0]!.error!, /not known whether this ran/);

  const { terminals } = await again.call("terminals.list");
  assert.deepEqual([terminals.map(({ id }) => id), processesWith(terminal).length > 0], livesOn ? [[screen.id], true] : [[], false]);

  const arrived = await again.call("uploads.get", { params: { id: upload.id } });
  assert.equal(arrived.received, HALF);
  const { document } = await again.call("uploads.put", { params: { id: upload.id }, query: { at: `${HALF}` }, body: bytes.slice(HALF) });
  const whole = await again.call("tree.read", { query: { path: document!.path! } });
  assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), bytes);
  assert.equal(await (await again.call("tree.read", { query: { path: "~/kept.txt" } })).text(), "kept");

  const returned = async (): Promise<string[]> =>
    (await again.call("documents.list")).documents.flatMap(({ kind, name }) => (kind === "returned" ? [name] : []));
  await eventually(async () => (await returned()).length > 0 && (await told(again, words)) > 0);
  // It is taken away there once it is kept here.
  await eventually(async () => (await again.call("tree.list", { query: { path: "/return" } })).entries.length === 0);
  assert.deepEqual([await returned(), await told(again, words)], [["back.txt"], 1]);
  return { at, running };
}

const missing = await contained.missing({ config: {}, env: {} });
test("contained: Steward is killed while it works", { skip: missing ?? false, timeout: 280_000 }, async () => {
  const { running } = await killed({ kind: "contained" }, false);
  await running.stop();
});

test(
  "docker: Steward is killed while it works; then its container is removed by force",
  { skip: noEngine ?? false, timeout: 280_000 },
  async (t) => {
    const engine = await testEngine();
    const template = `kill-${randomBytes(4).toString("hex")}-{user}`;
    const container = template.replace("{user}", "owner");
    const remove = (): Promise<unknown> => engine.engine.call("DELETE", `/containers/${container}?force=true&v=true`);
    t.after(async () => {
      await remove().catch(() => {});
      engine.close();
    });
    const docker = { host: engine.host, image: engine.image, template };
    const { running } = await killed({ kind: "docker", docker }, true);
    const { client } = running;
    const { id: session } = await client.call("sessions.make", { body: {} });
    const seconds = number();
    await client.call("sessions.say", { params: { id: session }, body: { parts: [{ type: "text", text: `run sleep ${seconds}` }] } });
    await eventually(() => processesWith(seconds).length > 0);
    await remove();
    const failed = await eventually(async () => (await ended(client, session))[0]);
    assert.match(failed.error!, /stopped while it was working/);
    assert.equal(await (await client.call("tree.read", { query: { path: "~/kept.txt" } })).text(), "kept");
    assert.deepEqual((await client.call("documents.list")).documents.map(({ name }) => name).toSorted(), ["back.txt", "half.bin"]);
    await running.stop();
  },
);
