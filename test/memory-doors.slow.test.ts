// The doors of the JSON memory and of helper agents: routes of the owner and of somebody else, and the commands as real processes.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "../src/client/client.ts";
import { TEMPLATE } from "../src/core/memory-text.ts";
import { spawnAgent } from "../src/run/agents.ts";
import { place } from "./cli-place.ts";
import { openPlace } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";

const is = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

test("routes: everybody has a memory of their own; another person's helpers are not there", async (t) => {
  const at = await openPlace();
  t.after(() => at.close());
  const ada = connect({ url: at.gateway.url, token: await at.tokenFor("ada") });
  const { client } = at;
  assert.deepEqual(await client.call("memory.put", { body: { memory: '{"name":"Owner"}' } }), { memory: '{"name":"Owner"}' });
  await client.call("memory.edit", { body: { field: "key", value: "k", protected: true } });
  assert.deepEqual(JSON.parse((await client.call("memory.get")).memory), { name: "Owner", protected_memory: { key: "k" } });
  assert.deepEqual(await ada.call("memory.get"), { memory: TEMPLATE, limit: 8000, facts: [] });
  assert.deepEqual((await ada.call("memory.history")).versions, []);
  assert.deepEqual(
    (await client.call("memory.history")).versions.map(({ by }) => by),
    ["token", "token"],
  );
  await assert.rejects(client.call("memory.put", { body: { memory: "[]" } }), is("invalid"));
  await assert.rejects(client.call("memory.put", { body: { memory: `{"a":"${"x".repeat(9000)}"}` } }), is("limit"));
  assert.deepEqual(await client.call("memory.reset"), { memory: TEMPLATE });
  const { entries } = await client.call("undo.newest");
  assert.equal(entries[0]?.summary, "Reset the memory");
  const { id } = await client.call("sessions.make", { body: {} });
  await spawnAgent(at.composed.steward, OWNER, { session: id, call: "c", name: "Scout" });
  const { agents } = await client.call("agents.list", { params: { id } });
  const helper = { id: agents[0]!.session };
  assert.deepEqual([agents[0]?.name, (await client.call("sessions.get", { params: helper })).parent], ["Scout", id]);
  for (const spy of [
    () => ada.call("agents.list", { params: { id } }),
    () => ada.call("agents.list", { params: helper }),
    () => ada.call("sessions.get", { params: helper }),
    () => ada.call("sessions.events", { params: helper, query: {} }),
    () => ada.call("sessions.say", { params: helper, body: { parts: [{ type: "text", text: "hi" }] } }),
    () => ada.call("memory.forget", { params: { id: "fct_x" } }),
  ])
    await assert.rejects(spy(), is("not_found"));
  await assert.rejects(client.call("sessions.say", { params: helper, body: { parts: [{ type: "text", text: "hi" }] } }), is("conflict"));
});

test("steward memory and steward agents", async () => {
  const { run, json, home } = place();
  const says = async (args: string[], input = ""): Promise<string> => {
    const { code, out, err } = await run(args, { input });
    assert.equal(code, 0, `${args.join(" ")}: ${out}${err}`);
    return out;
  };
  assert.equal(await says(["memory"]), `${TEMPLATE}\n`);
  await says(["memory", "edit", "name", "Ada"]);
  await says(["memory", "edit", "age"]);
  assert.deepEqual(JSON.parse(await says(["memory", "edit", "key", "k1", "--protected"])), {
    name: "Ada",
    gender: "",
    protected_memory: { key: "k1" },
  });
  const file = join(home, "memory.json");
  writeFileSync(file, '{"from":"file"}');
  assert.equal(await says(["memory", "set", file]), '{"from":"file"}\n');
  assert.equal(await says(["memory", "set", "-"], '{"from":"pipe"}'), '{"from":"pipe"}\n');
  assert.deepEqual([(await run(["memory", "set", "-"], { input: "nonsense" })).code, (await run(["memory", "frob"])).code], [2, 2]);
  assert.match(await says(["undo"]), /Undone: Replaced the memory/);
  assert.deepEqual((await json<{ memory: string }>(["memory", "show", "--json"])).memory, '{"from":"file"}');
  assert.equal((await json<{ versions: unknown[] }>(["memory", "history", "--json"])).versions.length, 6, "an undo is a version too");
  assert.equal(await says(["memory", "reset"]), `${TEMPLATE}\n`);
  assert.equal((await run(["memory", "forget", "fct_x"])).code, 4);
  assert.equal(await says(["agents"]), "No helper agents.\n");
});
