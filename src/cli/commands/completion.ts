// steward completion: a script for the shell, made from the commands themselves.
import { type Command, usageError } from "../command.ts";
import { scripts } from "../completion.ts";
import { DONE } from "../exit.ts";

export const completion: Command = {
  usage: ["completion bash|zsh|fish"],
  about: "Prints a script that completes commands and options in your shell.",
  options: {},
  verbs: ["bash", "zsh", "fish"],
  examples: [
    ['eval "$(steward completion bash)"', "in ~/.bashrc"],
    ['eval "$(steward completion zsh)"', "in ~/.zshrc, after compinit"],
    ["steward completion fish > ~/.config/fish/completions/steward.fish", "once"],
  ],
  async run({ commands, out, args: [shell = "", ...more] }) {
    const make = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (!make || more.length > 0) throw usageError("completion takes bash, zsh or fish");
    out.write(await make(commands));
    return DONE;
  },
};
