// Channels: each that shall run has its settings, and its webhook its secret. Whether messages travel is said by a running Steward.
import { CHANNEL_SECRETS, secretName } from "../core/config-channels.ts";
import { type Check, ok, warning } from "./check.ts";

export const check: Check = {
  name: "channels",
  async check({ settings, steward }) {
    const { channels } = settings().config();
    const on = Object.entries(channels).filter(([, { enabled }]) => enabled !== false);
    if (on.length === 0) return ok("none in the configuration; steward channels add PLATFORM connects one");
    const { secrets } = await steward();
    const problems: string[] = [];
    for (const [name, entry] of on) {
      const keys = Object.keys(CHANNEL_SECRETS[entry.kind ?? name] ?? {});
      const [first] = keys;
      if (first !== undefined && entry[first] === undefined && !(await secrets.where(secretName(name, first))))
        problems.push(`${name}: ${first} is missing`);
      for (const key of keys)
        if (typeof entry[key] === "string")
          problems.push(`${name}: ${key} stands in config.json, where it can be read; steward channels set ${name} ${key} keeps it apart`);
    }
    if (problems.length > 0) return warning(problems[0]!, "steward channels shows how each is.", { details: problems.slice(1) });
    return ok(on.map(([name]) => name).join(", "));
  },
};
