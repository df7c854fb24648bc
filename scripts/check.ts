// `npm run check`: format, lint, types, then the tests that need nothing but Node. One line per step with its seconds.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dirname);
const tool = (name: string): string => join(root, "node_modules", ".bin", name);

/** Slow, or in need of a browser, a server, a sandbox or a network: only `npm test` runs these. */
const elsewhere = /^(pages|nodes|postgres|contracts|live|launcher|bench|kill|computers|sandbox|apps|desktop|docker|escape)\b|\.slow\./;
const tests = (): string[] =>
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts") && !elsewhere.test(file))
    .map((file) => join("test", file))
    .sort();

interface Step {
  name: string;
  command: string;
  args: string[];
}

const still: Step[] = [
  { name: "format", command: process.execPath, args: [tool("oxfmt"), "--check", "src", "test", "scripts", "bench"] },
  { name: "lint", command: process.execPath, args: [tool("oxlint"), "--type-aware", "src", "test", "scripts", "bench"] },
  { name: "types", command: process.execPath, args: [tool("tsc"), "--noEmit", "-p", "."] },
];
const moving = (): Step => ({
  name: "tests",
  command: process.execPath,
  args: [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-concurrency=2",
    "--test-timeout=60000",
    "--test-reporter=spec",
    ...tests(),
  ],
});

/** What was read and stripped once is not read and stripped again by each test file. A build throws it away. */
const kept = join(root, "dist", "cache");

/** Prints one line; the output only when it failed. */
async function run(step: Step): Promise<boolean> {
  const began = performance.now();
  const child = spawn(step.command, step.args, {
    cwd: root,
    env: { NODE_COMPILE_CACHE: kept, ...process.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const keep = (piece: Buffer): void => void (output += piece.toString("utf8"));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const code = await new Promise<number>((resolve, reject) => child.on("error", reject).on("close", (status) => resolve(status ?? 1)));
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${step.name.padEnd(8)} ${((performance.now() - began) / 1000).toFixed(1)} s`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

const began = performance.now();
const results: boolean[] = [];
for (const step of process.argv.includes("--still") ? still : [...still, moving()]) results.push(await run(step));
console.log(`${results.every(Boolean) ? "all checks hold" : "some checks failed"}, ${((performance.now() - began) / 1000).toFixed(1)} s`);
process.exitCode = results.every(Boolean) ? 0 : 1;
