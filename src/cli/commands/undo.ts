// steward undo: takes changes back, or lists what can be taken back.
import type { UndoInfo } from "../../core/api.ts";
import { StewardError } from "../../std/error.ts";
import { type Command, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE, exitCodes } from "../exit.ts";
import { dim, green, type Output, red, table, yellow } from "../output.ts";
import { ago } from "../words.ts";

export const undo: Command = {
  usage: ["undo [ID] [--json]", "undo --list [--limit N] [--json]"],
  about: "Takes back the newest change, or the one with that id. What is there now is kept, so an undo can be undone.",
  options: {
    list: { short: "l", help: "what was changed, newest first" },
    limit: { value: "N", short: "n", help: "how many are listed (30)" },
    json: { help: "as JSON" },
  },
  examples: [
    ["steward undo", "the newest change"],
    ["steward undo --list", "what can be taken back"],
  ],
  async run({ host, out, args, flags }) {
    if (args.length > 1 || (flags.has("list") && args.length > 0)) throw usageError("undo takes one id, or --list");
    const limit = flags.number("limit", { min: 1, max: 2000 }) ?? 30;
    const [id] = args;
    const { entries } = await withClient(host, (client) =>
      flags.has("list")
        ? client.call("undo.list", { query: { limit: String(limit) } })
        : id === undefined
          ? client.call("undo.newest")
          : client.call("undo.one", { params: { id } }),
    );
    if (flags.has("json")) out.json({ entries });
    else if (flags.has("list")) list(out, entries);
    else
      for (const { summary, state, reason } of entries)
        out.line(state === "undone" ? `${green("✓")} Undone: ${summary}` : `${red("✗")} ${summary}: ${reason ?? state}`);
    const failed = flags.has("list") ? undefined : entries.find(({ state }) => state !== "undone");
    if (failed && flags.has("json")) throw new StewardError("conflict", failed.reason ?? `It is ${failed.state}`);
    return failed ? exitCodes.conflict : DONE;
  },
};

function list(out: Output, entries: UndoInfo[]): void {
  if (entries.length === 0) return out.line("Nothing was changed.");
  const state = { done: green("can be undone"), undone: dim("undone"), failed: red("failed"), impossible: yellow("can't be undone") };
  table(
    out,
    ["id", "when", "state", "what"],
    entries.map((one) => [one.id, ago(one.at, Date.now()), state[one.state], one.summary]),
  );
}
