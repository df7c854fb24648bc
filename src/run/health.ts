// How Steward is: its parts, breakers, memory, queue and caches, and the one sentence for the banner.
import { statfsSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import type { Answered } from "../core/api.ts";
import { messageOf } from "../std/error.ts";
import { bytes } from "../std/text.ts";
import type { Steward } from "./steward.ts";

type Health = Answered<"health.get">;
type Component = NonNullable<Health["components"]>[number];
type Found = Pick<Component, "status" | "message">;
const RANK = { healthy: 0, unknown: 1, degraded: 2, unhealthy: 3 } as const;
const LIMIT_MS = 10_000;

export async function health(steward: Steward): Promise<Health> {
  const components = await Promise.all([
    component(steward, "llm_connection", async () => model(steward)),
    component(steward, "plugins", async () => ({ status: "healthy", message: `${(await steward.tools()).length} tools` })),
    component(steward, "system", async () => system(steward)),
    component(steward, "store", async () => store(steward)),
    component(steward, "sandbox", async () => sandbox(steward)),
    component(steward, "settings", async () => settings(steward)),
    component(steward, "heartbeat", async () => heartbeat(steward)),
    ...(await channels(steward)),
  ]);
  const worst = components.reduce((a, b) => (RANK[b.status] > RANK[a.status] ? b : a));
  const { rss, heapUsed } = process.memoryUsage();
  const { due, later, running } = await steward.store.jobs().catch(() => ({ due: 0, later: 0, running: 0 }));
  const { file, command, app } = steward.caches;
  return {
    status: worst.status,
    version: steward.version,
    uptimeSeconds: process.uptime(),
    components,
    breakers: steward.breakers.list(),
    memory: { residentBytes: rss, heapBytes: heapUsed },
    queue: { due, later, running },
    caches: { file_cache: file.stats(), command_cache: command.stats(), app_cache: app.stats() },
    ...(RANK[worst.status] >= RANK.degraded ? { banner: `${worst.name}: ${worst.message}` } : {}),
  };
}

/** Each that is turned on. */
async function channels(steward: Steward): Promise<Promise<Component>[]> {
  const on = (await steward.chats.list()).filter(({ state }) => state !== "off");
  return on.map(({ name, state, title, problem }) =>
    component(steward, `channel ${name}`, async () => ({
      status:
        state === "healthy" || state === "elsewhere" ? "healthy" : state === "refused" || state === "missing" ? "unhealthy" : "degraded",
      message: problem ?? `${title}: ${state}`,
    })),
  );
}

async function component(steward: Steward, name: string, look: () => Promise<Found>): Promise<Component> {
  const at = steward.now();
  const timer: { id?: NodeJS.Timeout } = {};
  const late = new Promise<Found>((resolve) => {
    timer.id = setTimeout(() => resolve({ status: "unknown", message: "No answer within 10 s" }), LIMIT_MS);
  });
  const found = await Promise.race([look().catch((error: unknown): Found => ({ status: "unhealthy", message: messageOf(error) })), late]);
  clearTimeout(timer.id);
  return { name, ...found, responseMs: steward.now() - at, lastCheck: at };
}

function model(steward: Steward): Found {
  const current = steward.models.current();
  const breaker = steward.breakers.list().find(({ name }) => name === `model ${current.split("/")[0]}`);
  if (breaker && breaker.state !== "closed")
    return { status: breaker.state === "open" ? "unhealthy" : "degraded", message: `${current} failed ${breaker.failures} times in a row` };
  return { status: "healthy", message: current };
}

function heartbeat({ schedules }: Steward): Found {
  const [first, ...more] = schedules.problems();
  if (first === undefined) return { status: "healthy", message: "every section of HEARTBEAT.md can be read" };
  return { status: "degraded", message: more.length > 0 ? `${first} And ${more.length} more.` : first };
}

function system({ home }: Steward): Found {
  const { bsize, bavail, blocks } = statfsSync(home);
  const used = { memory: 1 - freemem() / totalmem(), disk: blocks === 0 ? 0 : 1 - bavail / blocks };
  const text = `memory ${Math.round(used.memory * 100)} % used, disk ${Math.round(used.disk * 100)} % used (${bytes(bavail * bsize)} free)`;
  return { status: loadStatus(used), message: text };
}

/** Parts in use, 0 to 1: over 75 % of memory or 80 % of the disk is degraded, over 90 % of either unhealthy. */
export function loadStatus({ memory, disk }: { memory: number; disk: number }): Found["status"] {
  if (memory > 0.9 || disk > 0.9) return "unhealthy";
  return memory > 0.75 || disk > 0.8 ? "degraded" : "healthy";
}

async function store({ store: kept }: Steward): Promise<Found> {
  await kept.get("health");
  return { status: "healthy", message: "answers" };
}

async function sandbox(steward: Steward): Promise<Found> {
  const { mode } = steward.settings.config().computer;
  const line = await steward.sandbox();
  // Where nobody's commands run on this machine itself, a container engine does as well.
  if (mode === "contained" && line.startsWith("none")) {
    const { why, problem } = await steward.computers.choice();
    return { status: problem === undefined ? "healthy" : "degraded", message: problem ?? why };
  }
  return {
    status: mode === "full" || line.startsWith("none") ? "degraded" : "healthy",
    message: mode === "full" ? "Full mode: commands run unconfined on this machine" : line,
  };
}

function settings(steward: Steward): Found {
  const problem = steward.settings.problem() ?? steward.permissions.problem();
  return problem ? { status: "degraded", message: problem } : { status: "healthy", message: "valid" };
}
