// What each engine costs through Steward, in a contained computer, before a model server that answers at once; and its program alone beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import acp from "../src/engines/acp.ts";
import claude from "../src/engines/claude.ts";
import opencode from "../src/engines/opencode.ts";
import { modelServer } from "../src/testing/model-server.ts";
import { realPrograms, type RealPrograms } from "../test/programs.ts";
import { type Add, alone, sizes, TURNS, watchMemory } from "./engines-alone.ts";
import { below } from "./processes.ts";
import { discard, median, newConversation, newHome, startServer, talker } from "./server.ts";

export async function enginesCost(add: Add): Promise<void> {
  const real = await realPrograms([...claude.programs(), ...opencode.programs(), ...acp.programs(acp.config.parse({}))]);
  if (typeof real === "string") throw new Error(real);
  for (const engine of ["loop", "claude", "opencode", "acp"]) await through(add, engine, real);
  await alone(add, real);
}

async function through(add: Add, engine: string, real: RealPrograms): Promise<void> {
  const model = await modelServer({ script: [{ do: "text", text: "Hello." }] });
  const home = newHome(`${model.url}/v1`);
  const config = JSON.parse(readFileSync(join(home, "config.json"), "utf8")) as object;
  const more = { runtime: { engine }, computer: { mode: "contained", kind: "contained" } };
  writeFileSync(join(home, "config.json"), JSON.stringify({ ...config, model: "compatible/test-1", ...more }));
  real.giveTo(home);
  const server = await startServer(home);
  const talk = await talker(server, await newConversation(server));
  const memory = watchMemory(() => below([server.pid]));
  const cold = await talk.say("hi");
  const warm: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const { sentAt, firstAt } = await talk.say("hi");
    warm.push(firstAt - sentAt);
  }
  add(`${engine} through Steward: first token, first turn`, cold.firstAt - cold.sentAt, "ms");
  add(`${engine} through Steward: first token, later turns`, median(warm), "ms");
  const most = memory();
  if (most > 0) add(`${engine} through Steward: memory of its processes with their walls, resident`, most / 1e6, "MB");
  sizes(add, `${engine} through Steward`, model, engine === "loop" ? { atMost: 2500 } : {});
  talk.close();
  await server.stop();
  await model.close();
  discard(home);
}
