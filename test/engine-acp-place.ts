// The stand-in for an ACP agent in an engine's place: it does what its flags say, and writes down what it was asked.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import acp from "../src/engines/acp.ts";
import { openPlace, type PlaceOptions } from "./engine-place.ts";

const agent = join(import.meta.dirname, "stand-in-acp.mjs");
export const limit = { timeout: 280_000 };

/** Closed with the test. */
export async function open(t: TestContext, flags: string[] = [], more: Partial<PlaceOptions<never>> & { idleSeconds?: number } = {}) {
  const { idleSeconds = 600, ...options } = more;
  const command = [process.execPath, agent, ...flags];
  const config = { agent: "mine", agents: { mine: { command } }, idleSeconds };
  const place = await openPlace({ ...options, engine: acp, config, tools: { remind: async () => "kept" } });
  t.after(place.close);
  const asked = (): Promise<string> => readFile(join(place.workplace.cwd, "asked.txt"), "utf8");
  return { ...place, asked };
}
