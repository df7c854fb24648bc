// What a thousand idle heartbeats cost: a section that looks into a folder in which nothing changes, a whole Steward, a real endpoint, a clock that is moved on.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compose } from "../src/compose.ts";
import { modelServer } from "../src/testing/model-server.ts";
import { discard, newHome } from "./server.ts";

type Add = (measure: string, value: number, unit: string, aim?: { atMost?: number }) => void;

const BEATS = 1000;
const MINUTE_MS = 60_000;

export async function heartbeatCost(add: Add): Promise<void> {
  const model = await modelServer({
    script: ({ body }) =>
      JSON.stringify(body.messages).includes('"role":"tool"')
        ? [{ do: "text", text: "NOTHING TO REPORT" }]
        : [{ do: "calls", calls: [{ tool: "list_directory", input: { path: "inbox" } }] }],
  });
  const home = newHome(model.url);
  const clock = { at: Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS };
  mkdirSync(join(home, "workspace", "inbox"), { recursive: true });
  writeFileSync(
    join(home, "workspace", "HEARTBEAT.md"),
    "# Heartbeat\n\n## Every minute\n- Look whether something lies in the folder inbox\n",
  );
  const { steward, worker, close } = await compose({
    ...{ home, version: "0.0.0", auto: false, now: () => clock.at },
    env: { PATH: process.env["PATH"], HOME: home, STEWARD_KEYCHAIN: "off" },
    overrides: { model: "compatible/test-1", "providers.compatible": { baseUrl: `${model.url}/v1`, key: "x" }, "computer.mode": "full" },
  });
  await steward.schedules.look();
  const beat = async (): Promise<void> => {
    clock.at += MINUTE_MS;
    await worker.drain();
  };
  await beat();
  const before = model.requests.length;
  if (before === 0) throw new Error("the first heartbeat asked no model");
  const [cpu, began] = [process.cpuUsage(), performance.now()];
  for (let at = 0; at < BEATS; at++) await beat();
  const { user, system } = process.cpuUsage(cpu);
  add(`${BEATS} idle heartbeats: requests to a model`, model.requests.length - before, "", { atMost: 0 });
  add("an idle heartbeat: CPU", (user + system) / 1000 / BEATS, "ms", { atMost: 15 });
  add("an idle heartbeat: wall", (performance.now() - began) / BEATS, "ms");
  await close();
  await model.close();
  discard(home);
}
