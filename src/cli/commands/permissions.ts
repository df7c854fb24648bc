// steward permissions: the switches for what Steward may do at all.
import { type Command, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { bold, dim, green, red } from "../output.ts";

export const permissions: Command = {
  usage: ["permissions [show] [--json]", "permissions enable CAPABILITY", "permissions disable CAPABILITY"],
  about: "What Steward may do at all, whatever the mode: terminal, filesystem, applications and the rest.",
  options: { json: { help: "as JSON" } },
  verbs: ["show", "enable", "disable"],
  examples: [
    ["steward permissions", "the switches and their limits"],
    ["steward permissions disable terminal", "no more commands"],
  ],
  async run({ host, out, flags, args: [verb = "show", capability, ...more] }) {
    const turns = verb === "enable" || verb === "disable";
    if ((!turns && verb !== "show") || more.length > 0 || turns !== (capability !== undefined))
      throw usageError("permissions takes show, or enable or disable with a capability");
    return withClient(host, async (client) => {
      if (turns) {
        const changed = await client.call("permissions.toggle", { body: { capability: capability!, enabled: verb === "enable" } });
        if (flags.has("json")) out.json(changed);
        else out.line(`${changed.capability} is ${changed.enabled ? "on" : "off"}.`);
        return DONE;
      }
      const found = await client.call("permissions.get");
      if (flags.has("json")) {
        out.json(found);
        return DONE;
      }
      for (const [name, { enabled, restrictions }] of Object.entries(found.capabilities)) {
        out.line(`${enabled ? green("on ") : red("off")} ${bold(name)}`);
        for (const [what, value] of Object.entries(restrictions)) {
          const text = Array.isArray(value) ? value.join(", ") : value ? "yes" : "";
          if (text) out.line(dim(`      ${what.replaceAll("_", " ")}: ${text}`));
        }
      }
      return DONE;
    });
  },
};
