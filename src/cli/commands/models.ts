// steward models: which providers are set up, and which of their models answer.
import { type Command, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { bold, dim, green, yellow } from "../output.ts";

export const models: Command = {
  usage: ["models [--probe] [--json]"],
  about: "Lists providers and their models. Choose one with steward config set model PROVIDER/NAME.",
  options: {
    probe: { help: "ask each provider which of its models answer" },
    json: { help: "as JSON" },
  },
  examples: [
    ["steward models --probe", "what can be used right now"],
    ["steward config set model ollama/qwen2.5", "use one"],
  ],
  async run({ host, out, flags, args }) {
    if (args.length > 0) throw usageError("models takes no further words");
    const found = await withClient(host, (client) => client.call("models.list", flags.has("probe") ? { query: { probe: "1" } } : {}));
    if (flags.has("json")) {
      out.json(found);
      return DONE;
    }
    out.line(`In use: ${bold(found.current)}\n`);
    for (const { name, ready, keySet, problem, models: names } of found.providers) {
      out.line(
        `${ready ? green("●") : dim("○")} ${name.padEnd(12)} ${problem ? yellow(problem) : ready ? "ready" : keySet ? "key is set" : dim("not set up")}`,
      );
      for (const model of names) out.line(`    ${name}/${model}${found.current === `${name}/${model}` ? dim("  in use") : ""}`);
    }
    return DONE;
  },
};
