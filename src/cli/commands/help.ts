// steward help: the list of commands, or one in full.
import { type Command, usageError } from "../command.ts";
import { DONE } from "../exit.ts";
import { describe, nearest, overview } from "../help.ts";

export const help: Command = {
  usage: ["help [COMMAND]"],
  about: "Lists the commands, or explains one.",
  options: {},
  examples: [
    ["steward help", "all commands"],
    ["steward help chat", "one command"],
  ],
  async run({ commands, out, args: [name] }) {
    if (name === undefined) {
      overview(out, commands);
      return DONE;
    }
    const known = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (known) describe(out, name, await known.load());
    else {
      const meant = nearest(name, Object.keys(commands));
      throw usageError(`There is no command "${name}"`, meant ? `Did you mean steward help ${meant}?` : "steward help lists the commands.");
    }
    return DONE;
  },
};
