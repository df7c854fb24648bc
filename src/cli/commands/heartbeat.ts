// steward heartbeat: what HEARTBEAT.md says that is done by itself.
import { type Command, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { table, yellow } from "../output.ts";
import { lineOf } from "./cron.ts";

export const heartbeat: Command = {
  usage: ["heartbeat [show] [--json]", "heartbeat read [--json]"],
  about:
    "The sections of HEARTBEAT.md and when each is due. The file is read again by itself soon after it changes; read does it now. steward identity edit HEARTBEAT.md changes it, steward cron pause ID pauses one section.",
  options: { json: { help: "as JSON" } },
  verbs: ["show", "read"],
  examples: [["steward heartbeat", "what is done by itself, and what of the file can't be read"]],
  async run({ host, out, flags, args }) {
    const [verb = "show", ...more] = args;
    if ((verb !== "show" && verb !== "read") || more.length > 0) throw usageError("heartbeat takes show or read");
    return withClient(host, async (client) => {
      const found = await client.call("heartbeat.get", { query: verb === "read" ? { read: "1" } : {} });
      if (flags.has("json")) out.json(found);
      else {
        if (!found.enabled) out.line("It is turned off: steward config set heartbeat.enabled true turns it on.");
        else if (found.sections.length === 0)
          out.line("HEARTBEAT.md has no sections, so nothing is done by itself. steward identity edit HEARTBEAT.md");
        else table(out, ["id", "when", "next", "state", "section"], found.sections.map(lineOf));
        for (const problem of found.problems) out.line(yellow(problem));
      }
      return DONE;
    });
  },
};
