// npm run bench: every figure that Steward claims, as medians, in a table and as JSON beside it. Names of groups may be given: start turns crowd history size search engines channels heartbeat mcp page install computers. `docs`: tables go into docs/benchmarks.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { channelsCost } from "./channels.ts";
import { computersCost } from "./computers.ts";
import { enginesCost } from "./engines.ts";
import { heartbeatCost } from "./heartbeat.ts";
import { installCost } from "./install.ts";
import { mcpCost } from "./mcp.ts";
import { pageCost } from "./page.ts";
import { searchCost } from "./search.ts";
import { seed } from "./seed.ts";
import { discard, median, newHome, root, startModel, startServer } from "./server.ts";
import { command, type CommandCost } from "./start.ts";
import { oneAfterAnother, requestSizes, together, toolOverhead } from "./turns.ts";

interface Row {
  measure: string;
  value: number | string;
  unit: string;
  /** The aim; an exclamation mark is printed when it is missed. */
  atMost?: number;
  atLeast?: number;
}

const RUNS = 7;
const write = process.argv.includes("docs");
const wanted = process.argv.slice(2).filter((word) => word !== "docs");
const has = (group: string): boolean => wanted.length === 0 || wanted.includes(group);
const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
const rows: Row[] = [];
const add = (measure: string, value: number, unit: string, aim: Pick<Row, "atMost" | "atLeast"> = {}): void => {
  rows.push({ measure, value: round(value, value < 10 ? 2 : 1), unit, ...aim });
  const row = rows.at(-1)!;
  console.log(`${row.measure.padEnd(66)} ${String(row.value).padStart(10)} ${row.unit.padEnd(8)} ${aimText(row)}`);
};

function aimText({ value, atMost, atLeast }: Row): string {
  const missed = (atMost !== undefined && Number(value) > atMost) || (atLeast !== undefined && Number(value) < atLeast);
  return `${atMost !== undefined ? `aim ≤ ${atMost}` : atLeast !== undefined ? `aim ≥ ${atLeast}` : ""}${missed ? "  !" : ""}`;
}

const medianOf = <T>(list: T[], of: (one: T) => number): number => median(list.map(of));

async function start(): Promise<void> {
  const home = newHome();
  const server = await startServer(home);
  for (const [name, args] of [
    ["--version", ["--version"]],
    ["status", ["status"]],
  ] as const) {
    const costs: CommandCost[] = [];
    for (let at = 0; at < RUNS; at++) costs.push(await command(args, home));
    add(
      `./steward ${name}: CPU, launcher included`,
      medianOf(costs, ({ cpuMs }) => cpuMs),
      "ms",
      { atMost: 150 },
    );
    add(
      `./steward ${name}: wall`,
      medianOf(costs, ({ wallMs }) => wallMs),
      "ms",
      { atMost: 150 },
    );
  }
  await server.stop();
  const starts: { readyMs: number; cpuMs: number }[] = [];
  for (let at = 0; at < RUNS; at++) {
    const one = await startServer(home);
    starts.push({ readyMs: one.readyMs, cpuMs: one.cpu() * 1000 });
    await one.stop();
  }
  add(
    "start to healthy",
    medianOf(starts, ({ readyMs }) => readyMs),
    "ms",
    { atMost: 1000 },
  );
  add(
    "start to healthy: CPU",
    medianOf(starts, ({ cpuMs }) => cpuMs),
    "ms",
    { atMost: 1000 },
  );
  const idle = await startServer(home);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const before = idle.cpu();
  await new Promise((resolve) => setTimeout(resolve, 25_000));
  add("resident, idle after 30 s", idle.resident() / 1e6, "MB", { atMost: 95 });
  add("CPU while idle", ((idle.cpu() - before) / 25) * 100, "%", { atMost: 0.5 });
  await idle.stop();
  discard(home);
}

async function turns(): Promise<void> {
  const endpoint = await startModel();
  const home = newHome(endpoint.url);
  const server = await startServer(home);
  const first = await oneAfterAnother(server, endpoint, { count: 1 });
  add("first turns after start, done", first.doneMs, "ms", { atMost: 100 });
  await oneAfterAnother(server, endpoint, { count: 30 });
  const costs = [];
  for (let at = 0; at < RUNS; at++) costs.push(await oneAfterAnother(server, endpoint, { count: 30 }));
  add(
    "one turn: request in → model asked",
    medianOf(costs, ({ toModelMs }) => toModelMs),
    "ms",
    { atMost: 8 },
  );
  add(
    "one turn: request in → first token out",
    medianOf(costs, ({ firstTokenMs }) => firstTokenMs),
    "ms",
    { atMost: 10 },
  );
  add(
    "one turn: request in → done",
    medianOf(costs, ({ doneMs }) => doneMs),
    "ms",
    { atMost: 15 },
  );
  add(
    "one turn: CPU",
    medianOf(costs, ({ cpuMs }) => cpuMs),
    "ms",
    { atMost: 15 },
  );
  add("tool call received → result sent to the model", await toolOverhead(server, endpoint, 30), "ms", { atMost: 10 });
  for (let done = RUNS * 30 + 100; done < 1000; done += 100) await oneAfterAnother(server, endpoint, { count: 100 });
  add("resident after 1,000 turns", server.resident() / 1e6, "MB");
  await server.stop();
  endpoint.stop();
  discard(home);
}

async function crowd(): Promise<void> {
  const endpoint = await startModel();
  const home = newHome(endpoint.url);
  const server = await startServer(home);
  for (const sessions of [1, 10, 50, 100]) {
    const runs = [];
    for (let at = 0; at < RUNS; at++) runs.push(await together(server, endpoint, { sessions, rounds: sessions === 1 ? 50 : 5 }));
    const label = `${sessions} session${sessions === 1 ? "" : "s"} at once`;
    add(
      `${label}: turns a second`,
      medianOf(runs, ({ turnsPerSecond }) => turnsPerSecond),
      "/s",
      { atLeast: 100 },
    );
    add(
      `${label}: done, p50`,
      medianOf(runs, ({ p50Ms }) => p50Ms),
      "ms",
      sessions === 100 ? { atMost: 500 } : {},
    );
    add(
      `${label}: done, p95`,
      medianOf(runs, ({ p95Ms }) => p95Ms),
      "ms",
      sessions === 100 ? { atMost: 1000 } : {},
    );
    add(
      `${label}: CPU a turn`,
      medianOf(runs, ({ cpuMs }) => cpuMs),
      "ms",
      { atMost: 15 },
    );
    add(
      `${label}: resident`,
      medianOf(runs, ({ residentMb }) => residentMb),
      "MB",
      sessions === 100 ? { atMost: 300 } : {},
    );
  }
  await server.stop();
  endpoint.stop();
  discard(home);
}

async function history(): Promise<void> {
  const endpoint = await startModel();
  const home = newHome(endpoint.url);
  const conversations = { 0: undefined, 2000: await seed(home, 2000), 20_000: await seed(home, 20_000) };
  const server = await startServer(home);
  await oneAfterAnother(server, endpoint, { count: 50 });
  const base: number[] = [];
  for (const [messages, conversation] of Object.entries(conversations)) {
    const first = conversation ? await oneAfterAnother(server, endpoint, { conversation, count: 1 }) : undefined;
    const costs = [];
    for (let at = 0; at < RUNS; at++)
      costs.push(await oneAfterAnother(server, endpoint, { ...(conversation ? { conversation } : {}), count: 15 }));
    const [toModel, cpu] = [medianOf(costs, ({ toModelMs }) => toModelMs), medianOf(costs, ({ cpuMs }) => cpuMs)];
    if (base.length === 0) base.push(toModel, cpu);
    add(`${messages} past messages: request in → model asked`, toModel, "ms", { atMost: round(base[0]! * 1.5, 2) });
    add(`${messages} past messages: CPU a turn`, cpu, "ms", { atMost: round(base[1]! * 1.5, 2) });
    if (first) add(`${messages} past messages: second turn after start`, first.doneMs, "ms");
  }
  await server.stop();
  endpoint.stop();
  discard(home);
}

async function size(): Promise<void> {
  const endpoint = await startModel();
  const home = newHome(endpoint.url);
  const server = await startServer(home);
  const sizes = await requestSizes(server, endpoint);
  add('first request for "hi"', sizes.firstBytes, "bytes", { atMost: 10_000 });
  add('first request for "hi", four characters a token', sizes.firstTokens, "tokens", { atMost: 2500 });
  add("request at the 20th turn", sizes.twentiethBytes, "bytes");
  add("least share of a request that the next one begins with", sizes.identical * 100, "%", { atLeast: 100 });
  await server.stop();
  endpoint.stop();
  discard(home);
}

const groups = {
  ...{ start, turns, crowd, history, size },
  search: () => searchCost(add, RUNS),
  engines: () => enginesCost(add),
  channels: () => channelsCost(add),
  heartbeat: () => heartbeatCost(add),
  mcp: () => mcpCost(add, RUNS),
  page: () => pageCost(add, RUNS),
  computers: () => computersCost(add, write),
  install: () => installCost(add),
};
for (const [name, group] of Object.entries(groups))
  if (has(name)) {
    console.log(`\n${name}`);
    await group();
  }
mkdirSync(join(root, "bench", "results"), { recursive: true });
const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30) };
writeFileSync(
  join(root, "bench", "results", "latest.json"),
  `${JSON.stringify({ at: new Date().toISOString(), machine, runs: RUNS, rows }, null, 2)}\n`,
);
console.log(`\nNode ${machine.node}, ${machine.cores} cores of ${machine.cpu}. JSON: bench/results/latest.json`);
process.exitCode = rows.some((row) => aimText(row).endsWith("!")) ? 1 : 0;
