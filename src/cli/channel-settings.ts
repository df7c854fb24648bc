// steward channels add, set, unset: what an account at a chat platform needs, tried there before it is kept.
import type { Client } from "../client/client.ts";
import type { ChannelKindView } from "../core/api-channels.ts";
import { StewardError } from "../std/error.ts";
import { type Given, usageError } from "./command.ts";
import { DONE } from "./exit.ts";
import { readAll, readHidden, readTyped } from "./input.ts";
import { green } from "./output.ts";

export function only(args: string[], what: string): string {
  const [name] = args;
  if (name === undefined || args.length > 1) throw usageError(`This takes ${what}`, "steward channels shows them.");
  return name;
}

function kindOf(kinds: ChannelKindView[], name: string): ChannelKindView {
  const found = kinds.find((one) => one.name === name);
  if (found) return found;
  throw new StewardError("not_found", `There is no platform ${name}`, { hint: `There are ${kinds.map((one) => one.name).join(", ")}.` });
}

/** Asks for what is needed, one by one, tries it at the platform, and keeps it when it works. */
export async function add(given: Given, client: Client): Promise<number> {
  const { args, out, flags, host } = given;
  const { kinds } = await client.call("channels.list");
  if (args.length === 0) throw usageError("add takes a platform", `There are ${kinds.map(({ name }) => name).join(", ")}.`);
  const kind = kindOf(kinds, only(args, "a platform"));
  const name = flags.text("name") ?? kind.name;
  if (!host.stdin.isTTY)
    throw usageError(
      "add asks for tokens, so it needs a terminal",
      `steward channels set ${name} KEY, with the value on standard input, sets one.`,
    );
  out.line(`${kind.guide}\n`);
  const settings: Record<string, string> = {};
  for (const { key, about, secret, optional } of kind.needs) {
    if (optional) continue;
    out.line(`${key}: ${about}`);
    const value = (secret ? await readHidden(host, `${key} (not shown): `) : await readTyped(host, `${key}: `)).trim();
    if (value !== "") settings[key] = value;
  }
  out.note("Trying it …");
  const { account } = await client.call("channels.test", { params: { id: name }, body: { kind: kind.name, settings } });
  await client.call("channels.set", { params: { id: name }, body: { kind: kind.name, enabled: true, settings } });
  out.line(green(`${kind.title} works, as ${account}.`));
  out.line(`Write to it there; it answers with a code. Then: steward channels approve ${name} CODE --as owner`);
  return DONE;
}

export async function set(given: Given, client: Client): Promise<number> {
  const { args, out, flags, host } = given;
  const [name, key, value, ...more] = args;
  if (name === undefined || key === undefined || more.length > 0) throw usageError("set takes a channel, a key and a value");
  const need = await needOf(client, name, key);
  if (need.secret && value !== undefined)
    throw usageError(
      "A secret does not go on the command line, where others can see it",
      `Type it when asked: steward channels set ${name} ${key}`,
    );
  const typed = value ?? (host.stdin.isTTY ? await readHidden(host, `${need.key} (not shown): `) : await readAll(host.stdin)).trim();
  if (typed === "") throw usageError("The value is empty; nothing was stored");
  const changed = await client.call("channels.set", { params: { id: name }, body: { settings: { [need.key]: plain(typed) } } });
  if (flags.has("json")) out.json(changed);
  else out.line(`Set; it holds at once. steward channels shows how ${name} is.`);
  return DONE;
}

/** What the platform's guide names, in the form that it is kept in; any other is the gateway's to know. */
async function needOf(client: Client, name: string, key: string): Promise<{ key: string; secret?: boolean | undefined }> {
  const { channels: all, kinds } = await client.call("channels.list");
  const { needs } = kindOf(kinds, all.find((one) => one.name === name)?.kind ?? name);
  return needs.find((one) => isSame(one.key, key)) ?? { key };
}

export async function unset({ args, out, flags }: Given, client: Client): Promise<number> {
  const [name, given, ...more] = args;
  if (name === undefined || given === undefined || more.length > 0) throw usageError("unset takes a channel and a key");
  const one = (await client.call("channels.list")).channels.find((channel) => channel.name === name);
  const keys = one ? [...Object.keys(one.settings), ...one.secrets] : [];
  const key = keys.find((known) => isSame(known, given));
  if (key === undefined)
    throw new StewardError("not_found", `${name} has no setting ${given}`, {
      hint: keys.length > 0 ? `It has ${keys.join(", ")}.` : "steward channels shows what there is.",
    });
  const changed = await client.call("channels.set", { params: { id: name }, body: { settings: { [key]: null } } });
  if (flags.has("json")) out.json(changed);
  else out.line(`${key} is taken out; that holds at once.`);
  return DONE;
}

/** botToken may be typed as bot-token. */
const isSame = (key: string, given: string): boolean => key.toLowerCase() === given.replaceAll("-", "").toLowerCase();

const plain = (value: string): string | number | boolean =>
  value === "true" ? true : value === "false" ? false : /^\d{1,6}$/.test(value) ? Number(value) : value;
