// Help as text: the list of commands, one command in full, and what a mistyped word may have meant.
import { type Command, type Entry, everywhere, type Option } from "./command.ts";
import { bold, dim, type Output } from "./output.ts";

export function overview(out: Output, commands: Record<string, Entry>): void {
  out.line("Steward, your own agent on your own machine.\n");
  out.line(`${bold("Usage")}\n  steward [command] [options]\n`);
  out.line(bold("Commands"));
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  for (const [name, { summary }] of Object.entries(commands)) out.line(`  ${name.padEnd(width)}  ${summary}`);
  out.line(`\n${bold("Options")}`);
  options(out, { ...everywhere, version: { help: "the version" } });
  out.line(`\n${bold("Examples")}`);
  examples(out, [
    ["steward", "start, and open the page"],
    ['steward chat "list the files on my Desktop"', "one request, from the terminal"],
    ["steward help chat", "everything about one command"],
  ]);
}

export function describe(out: Output, name: string, { usage, about, options: own, examples: lines }: Command): void {
  out.line(`${about}\n`);
  out.line(bold("Usage"));
  for (const form of usage) out.line(`  steward ${form}`);
  out.line(`\n${bold("Options")}`);
  options(out, { ...own, ...everywhere });
  out.line(`\n${bold("Examples")}`);
  examples(out, lines);
  if (name === "start") out.line(dim("\nWithout a command, steward starts."));
}

function options(out: Output, given: Record<string, Option>): void {
  const lines = Object.entries(given).map(
    ([name, { value, short, help }]) => [`${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}`, help] as const,
  );
  const width = Math.max(...lines.map(([left]) => left.length));
  for (const [left, help] of lines) out.line(`  ${left.padEnd(width)}  ${help}`);
}

function examples(out: Output, lines: [string, string][]): void {
  const width = Math.max(...lines.map(([left]) => left.length));
  for (const [left, what] of lines) out.line(`  ${left.padEnd(width)}  ${dim(what)}`);
}

/** The word that differs least, when it is near enough to be meant. */
export function nearest(word: string, words: string[]): string | undefined {
  const ranked = words
    .map((one) => ({ one, far: one.startsWith(word) && word.length > 1 ? 0 : distance(word, one) }))
    .sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best && best.far <= Math.ceil(best.one.length * 0.4) ? best.one : undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, left] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, right] of [...b].entries()) next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (left === right ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}
