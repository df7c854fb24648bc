// The tests of `npm test`, file by file: as many at once as the machine carries, never more than may share a scarce thing, what takes longest first. An argument picks files by a regular expression.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dirname);

/** What only so many files at a time may use. They wait a lot and compute a little, so that they go beside others. */
interface Scarce {
  name: string;
  most: number;
  files: RegExp;
}
const scarce: Scarce[] = [
  {
    name: "walls",
    most: 1,
    files:
      /^(apps|computers(-own)?|desktop|docker(-(contract|image|steward|workplace))?|escape(-link)?|kill-computers|sandbox(-handover)?)\.test/,
  },
  { name: "programs", most: 2, files: /^(doors-programs|engines?-.*\.slow)/ },
  { name: "browser", most: 1, files: /^(pages|contracts-page|contracts-os-agent-clients|library-package)\b/ },
];
const scarceOf = (file: string): Scarce | undefined => scarce.find(({ files }) => files.test(file));

/** Seconds of those that take half a minute or more, roughly. They decide only what goes first. */
const LONG: { readonly [file: string]: number } = {
  ...{ "engine-opencode": 90, "engines-switch": 90, "engine-acp": 70, "engine-claude-faults": 50, "doors-programs": 50 },
  ...{ "docker-steward": 140, escape: 70, computers: 60, "docker-contract": 60, "docker-image": 50 },
  ...{ "pages-computer": 70, pages: 50, "pages-long": 40, "pages-plain": 30, "pages-people": 30 },
  ...{ kill: 130, "channels-chaos": 100, "mcp-conformance": 40, fuzz: 30, "cli-commands": 30, "contracts-os-agent": 30 },
};
const cost = (file: string): number =>
  LONG[file.split(".")[0]!] ?? (scarceOf(file) || /\.slow\.|^(computers|contracts|launcher|nodes)\b/.test(file) ? 10 : 3);

interface Done {
  file: string;
  ok: boolean;
  /** Since the suite began, and how long it took. */
  from: number;
  seconds: number;
  /** How long it went on after its last test. */
  after: number;
  output: string;
}

/** The longest that a file may take: one that leaves something behind would never end otherwise. */
const LIMIT_MS = 20 * 60_000;

async function run(file: string): Promise<Done> {
  const from = seconds();
  const flags = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-isolation=none",
    "--test-timeout=300000",
    "--test-reporter=spec",
  ];
  const child = spawn(process.execPath, [...flags, join("test", file)], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const state = { output: "", last: from };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => {
      state.output += piece;
      if (/^\s*[✔✖]/m.test(piece)) state.last = seconds();
    });
  const limit = setTimeout(() => {
    state.output += `\n✖ test/${file} has not ended within ${LIMIT_MS / 60_000} minutes\n`;
    child.kill("SIGKILL");
  }, LIMIT_MS);
  const code = await new Promise<number>((resolve, reject) => child.on("error", reject).on("exit", (status) => resolve(status ?? 1)));
  // What it has left behind may hold its output open for ever.
  await Promise.race([new Promise((resolve) => child.once("close", resolve)), new Promise((resolve) => setTimeout(resolve, 2000))]);
  clearTimeout(limit);
  running.delete(child);
  // Without a report to its end it may have ended before its tests.
  const ended = seconds();
  const ok = code === 0 && /^ℹ fail 0$/m.test(state.output);
  return { file, ok, from, seconds: ended - from, after: ended - state.last, output: state.output };
}
const running = new Set<ReturnType<typeof spawn>>();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of running) child.kill(signal);
    process.exit(130);
  });

/** The counts that each file's report ends with. */
const counted = (output: string, what: string): number => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
/** Of a file that failed: what its report says of the failed ones, which it repeats at its end; all of it when it came to no report. */
const faults = (output: string): string => {
  const at = output.lastIndexOf("✖ failing tests:");
  return (at >= 0 ? output.slice(at) : output.slice(-20_000)).trimEnd();
};

const skipped = (output: string): string[] => output.match(/^\s*﹣ .*$/gm) ?? [];

const began = performance.now();
const seconds = (): number => (performance.now() - began) / 1000;
const waiting = readdirSync(join(root, "test"))
  .filter((file) => file.endsWith(".test.ts") && new RegExp(process.argv[2] ?? "").test(file))
  .sort((a, b) => cost(b) - cost(a) || (a < b ? -1 : 1));
const taken = new Map<Scarce, number>();
const all: Done[] = [];

/** Seconds that must still go by when it is put off: its own, or those of all that wait for the same scarce thing. */
function urgency(file: string): number {
  const kind = scarceOf(file);
  if (kind === undefined) return cost(file);
  return waiting.filter((one) => scarceOf(one) === kind).reduce((sum, one) => sum + cost(one), 0) / kind.most;
}

/** Takes the most urgent that may run now, until none is left that ever may. */
async function lane(): Promise<void> {
  for (;;) {
    const free = waiting.filter((one) => {
      const kind = scarceOf(one);
      return kind === undefined || (taken.get(kind) ?? 0) < kind.most;
    });
    const file = free.reduce<string | undefined>(
      (best, one) => (best === undefined || urgency(one) > urgency(best) ? one : best),
      undefined,
    );
    if (file === undefined) return;
    waiting.splice(waiting.indexOf(file), 1);
    const kind = scarceOf(file);
    if (kind) taken.set(kind, (taken.get(kind) ?? 0) + 1);
    const done = await run(file);
    if (kind) taken.set(kind, taken.get(kind)! - 1);
    all.push(done);
    console.log(
      `${done.ok ? "ok    " : "FAILED"} test/${file} ${done.seconds.toFixed(1)} s from ${done.from.toFixed(0)} s on, ${counted(done.output, "pass")} hold${done.after > 5 ? `; it went on for ${done.after.toFixed(0)} s after its last test` : ""}`,
    );
    for (const line of skipped(done.output)) console.log(line);
    if (!done.ok) console.log(faults(done.output));
  }
}

/** Seconds of the processor that ended children and theirs have used; nothing where the system does not tell. */
function computed(): string {
  try {
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ");
    return `, ${((Number(fields[13]) + Number(fields[14])) / 100).toFixed(0)} s of processors`;
  } catch {
    return "";
  }
}

const sum = (some: Done[], what: (one: Done) => number): number => some.reduce((total, one) => total + what(one), 0);
const lanes = availableParallelism() + 2;
await Promise.all(Array.from({ length: lanes }, lane));
const failed = all.filter(({ ok }) => !ok);
for (const { file, output } of failed) console.log(`\n=== test/${file}\n${faults(output)}\n`);
const rows = scarce.map(({ name, most, files }) => {
  const own = all.filter(({ file }) => files.test(file));
  const end = Math.max(0, ...own.map(({ from, seconds: took }) => from + took));
  return `${name} ${(sum(own, ({ seconds: took }) => took) / most).toFixed(0)} s in a row, over at ${end.toFixed(0)} s`;
});
const busy = sum(all, ({ seconds: took }) => took) / lanes / seconds();
console.log(`${rows.join("; ")}; ${lanes} lanes, ${(busy * 100).toFixed(0)} % taken${computed()}`);
const tests = (what: string): number => sum(all, ({ output }) => counted(output, what));
console.log(
  `${all.length} files, ${tests("pass")} tests hold, ${tests("skipped")} are skipped, ${tests("fail") + tests("cancelled")} failed; ${seconds().toFixed(0)} s`,
);
if (failed.length > 0) console.log(`failed: ${failed.map(({ file }) => `test/${file}`).join(" ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
