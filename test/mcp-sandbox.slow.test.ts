// MCP servers behind walls, for real: in the owner's sandbox and in a person's own computer. What they see, where they get to, that nothing of them is left.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import contained from "../src/computers/contained.ts";
import guarded from "../src/computers/guarded.ts";
import { openPlace, type Place } from "./gateway-place.ts";

const skip = (await guarded.missing()) ?? (await contained.missing()) ?? false;
const hostile = readFileSync(join(import.meta.dirname, "mcp-hostile.mjs"), "utf8");

/** Says what it can do: read a path, write one, reach an address. */
const probe = `
import { createInterface } from "node:readline";
import { readFileSync, writeFileSync } from "node:fs";
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
const doings = {
  read: (at) => readFileSync(at, "utf8"),
  write: (at) => (writeFileSync(at, "mine"), "written"),
  reach: async (at) => String((await fetch(at, { signal: AbortSignal.timeout(3000) })).status),
};
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, params } = JSON.parse(line);
  const schema = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
  if (method === "initialize") send({ id, result: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "probe", version: "1" } } });
  else if (method === "tools/list") send({ id, result: { tools: Object.keys(doings).map((name) => ({ name, inputSchema: schema, annotations: { readOnlyHint: true } })) } });
  else if (method === "tools/call") {
    const text = await Promise.resolve().then(() => doings[params.name](params.arguments.at)).catch((error) => "refused: " + (error.cause?.code ?? error.code ?? error.message));
    send({ id, result: { content: [{ type: "text", text }] } });
  } else if (id !== undefined) send({ id, error: { code: -32601, message: "no" } });
});
`;

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

async function approved(place: Place, name: string, server: object): Promise<void> {
  const { client } = place;
  const { wants } = await client.call("mcp.add", { body: { name, server } });
  await client.call("mcp.approve", { params: { id: name }, body: { definition: wants!.hash } });
  const { server: tested } = await client.call("mcp.test", { params: { id: name } });
  await client.call("mcp.approve", {
    params: { id: name },
    body: { tools: tested.tools.map((tool) => ({ name: tool.name, hash: tool.wants!.hash })) },
  });
}

async function outputs(place: Place, calls: { tool: string; input: unknown }[]): Promise<unknown[]> {
  const { id } = await place.client.call("sessions.make", { body: {} });
  const said = { first: true };
  place.model.script(() => {
    const { first } = said;
    said.first = false;
    return first ? [{ do: "calls", calls }] : [{ do: "text", text: "done" }];
  });
  await place.client.call("sessions.say", { params: { id }, body: { parts: [{ type: "text", text: "go" }] } });
  for (const end = Date.now() + 120_000; ;) {
    const events = (await place.events(id)).map(({ event }) => event);
    if (events.some(({ type }) => type === "turn.completed"))
      return events.flatMap((event) =>
        event.type === "item.completed" && event.item.kind === "tool" ? [event.item.result?.output ?? event.item.result?.error] : [],
      );
    if (Date.now() > end) throw new Error("the turn did not end");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const mode of ["guarded", "contained"] as const)
  test(`S-101 a server in the ${mode} computer`, { skip, timeout: 280_000 }, async (t) => {
    const place = await openPlace({ config: { "computer.mode": mode, "computer.kind": "contained", "mcp.tokens": 100_000 } });
    t.after(() => place.close());
    const { steward } = place.composed;
    const who = { person: "owner", role: "owner", via: "token" } as const;
    const computer = await steward.computer(who);
    const at = `${computer.workspace}/probe.mjs`;
    await computer.write(at, new TextEncoder().encode(probe));
    await computer.write(`${computer.workspace}/hostile.mjs`, new TextEncoder().encode(hostile));
    const inside = `${computer.workspace}/node`; // wherever this one lies, the computer shows its workspace
    await computer.write(inside, await readFile(process.execPath));
    assert.equal((await computer.exec(["chmod", "755", inside])).code, 0);
    await mkdir(join(place.home, "outside"), { recursive: true });
    await writeFile(join(place.home, "steward-secret"), "secret");
    await approved(place, "probe", { command: inside, args: [at] });
    assert.deepEqual(
      await outputs(place, [
        { tool: "probe_write", input: { at: `${computer.workspace}/made` } },
        { tool: "probe_read", input: { at: `${computer.workspace}/made` } },
        { tool: "probe_write", input: { at: join(place.home, "outside", "made") } },
        { tool: "probe_read", input: { at: join(place.home, "steward.db") } },
        { tool: "probe_reach", input: { at: place.gateway.url } },
        { tool: "probe_reach", input: { at: "http://169.254.169.254/" } },
      ]).then((all) => all.map((one) => String(one).replace(/refused: .*/, "refused"))),
      ["written", "mine", "refused", "refused", "refused", "refused"],
    );
    await approved(place, "evil", { command: inside, args: [`${computer.workspace}/hostile.mjs`], seconds: 1 });
    await outputs(place, [{ tool: "evil_garbage", input: {} }]);
    await steward.servers.close();
    const left = async (): Promise<string[]> =>
      (await readdir("/proc"))
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => commandOf(pid))
        .filter((line) => line.includes(at) || line.includes(`${computer.workspace}/hostile.mjs`));
    // What was killed stands in the list until the kernel has come to it.
    for (const end = Date.now() + 60_000; (await left()).length > 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(await left(), []);
  });
