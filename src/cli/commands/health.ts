// steward health: every part of Steward and how it is.
import { bytes } from "../../std/text.ts";
import { type Command, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE, exitCodes } from "../exit.ts";
import { bold, dim, green, red, table, yellow } from "../output.ts";

const COLOURS: Record<string, (text: string) => string> = { healthy: green, degraded: yellow, unhealthy: red };

export const health: Command = {
  usage: ["health [--json]"],
  about: "How each part of Steward is: model, store, sandbox, breakers, memory, queue and caches. Exit code 1 when something is unhealthy.",
  options: { json: { help: "as JSON" } },
  examples: [["steward health --json", "for monitoring"]],
  async run({ host, out, flags, args }) {
    if (args.length > 0) throw usageError("health takes no further words");
    const found = await withClient(host, (client) => client.call("health.get"));
    const code = found.status === "unhealthy" ? exitCodes.internal : DONE;
    if (flags.has("json")) {
      out.json(found);
      return code;
    }
    const { status, components = [], breakers = [], memory, queue, caches = {} } = found;
    const colour = (word: string): string => (COLOURS[word] ?? dim)(word);
    out.line(`${bold("Steward")} is ${colour(status)}\n`);
    table(
      out,
      ["part", "state", "what"],
      components.map((one) => [one.name, colour(one.status), one.message]),
    );
    for (const { name, state, failures } of breakers) out.line(`breaker ${name}: ${state}${failures > 0 ? `, ${failures} failures` : ""}`);
    if (memory) out.line(`\n${dim("memory")}  ${bytes(memory.residentBytes)} resident, ${bytes(memory.heapBytes)} heap`);
    if (queue) out.line(`${dim("queue ")}  ${queue.running} running, ${queue.due} due, ${queue.later} later`);
    for (const [name, { size, max_size, hits, misses }] of Object.entries(caches))
      out.line(`${dim("cache ")}  ${name}: ${size} of ${max_size}, ${hits} hits, ${misses} misses`);
    return code;
  },
};
