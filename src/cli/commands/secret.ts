// steward secret: keys and passwords, kept in the system's keychain or an encrypted file. A value never stands on the command line.
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { readAll, readHidden } from "../input.ts";
import { table } from "../output.ts";

export const secret: Command = {
  usage: ["secret [list] [--json]", "secret set NAME", "secret remove NAME"],
  about: "Stores keys and passwords. The value is typed unseen, or read from standard input; it is never shown again.",
  options: { json: { help: "as JSON" } },
  verbs: ["list", "set", "remove"],
  examples: [
    ["steward secret set anthropic", "asks for the key"],
    ["pass show kimi | steward secret set kimi-code", "from a password store"],
  ],
  async run(given) {
    const [verb = "list", name, ...more] = given.args;
    if (verb === "list" && name === undefined) return list(given);
    if (verb === "set" && more.length > 0)
      throw usageError(
        "The value does not go on the command line, where others can see it",
        `Type it when asked: steward secret set ${name}`,
      );
    if ((verb !== "set" && verb !== "remove") || name === undefined || more.length > 0)
      throw usageError("secret takes list, or set or remove with a name");
    return verb === "set" ? set(given, name) : remove(given, name);
  },
};

async function list({ host, out, flags }: Given): Promise<number> {
  const found = await withClient(host, (client) => client.call("secrets.list"));
  if (flags.has("json")) out.json(found);
  else if (found.secrets.length === 0) out.line("No secrets.");
  else
    table(
      out,
      ["name", "kept in"],
      found.secrets.map(({ name, where }) => [name, where]),
    );
  return DONE;
}

async function set({ host, out, flags }: Given, name: string): Promise<number> {
  const typed = host.stdin.isTTY ? await readHidden(host, `Value of ${name} (not shown): `) : await readAll(host.stdin);
  const value = typed.replace(/\r?\n$/, "").trim();
  if (value === "") throw usageError("The value is empty; nothing was stored");
  const stored = await withClient(host, (client) => client.call("secrets.set", { params: { id: name }, body: { value } }));
  if (flags.has("json")) out.json({ name, where: stored.where, ...(stored.note ? { note: stored.note } : {}) });
  else
    out.line(
      `Stored in ${stored.where === "keychain" ? "the keychain" : `an encrypted ${stored.where}`}.${stored.note ? ` ${stored.note}` : ""}`,
    );
  return DONE;
}

async function remove({ host, out, flags }: Given, name: string): Promise<number> {
  await withClient(host, (client) => client.call("secrets.remove", { params: { id: name } }));
  if (flags.has("json")) out.json({ removed: name });
  else out.line("Removed.");
  return DONE;
}
