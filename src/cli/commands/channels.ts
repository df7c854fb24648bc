// steward channels: accounts at chat platforms: list, add, set, test, remove; who is let in there; what was not delivered.
import type { Client } from "../../client/client.ts";
import type { ConfiguredChannel } from "../../core/api-channels.ts";
import { approve, forget, pairings, resend, undelivered, unpair } from "../channel-people.ts";
import { add, only, set, unset } from "../channel-settings.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { agrees } from "../input.ts";
import { dim, green, red, table, yellow } from "../output.ts";
import { ago, moment } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const channels: Command = {
  usage: [
    "channels [list] [--json]",
    "channels add PLATFORM [--name NAME]",
    "channels set NAME KEY [VALUE]",
    "channels unset NAME KEY",
    "channels on|off|connect|test NAME",
    "channels remove NAME [--yes]",
    "channels pairings [--json]",
    "channels approve CHANNEL CODE [--as PERSON] [--role ROLE]",
    "channels unpair CHANNEL ID [--yes]",
    "channels undelivered [--json]",
    "channels resend|forget ID",
  ],
  about:
    "Chat apps in which people reach Steward. add leads through what has to be done at the platform, tries each token there and keeps it with the secrets. Who writes for the first time gets a code; approve lets them in. Rooms answer only those who are listed for them (Steward's page, or channels.NAME.groups).",
  options: {
    name: { value: "NAME", help: "add: another name, for a second account at the same platform" },
    as: { value: "PERSON", help: "approve: who it is (steward people); else a guest of their own" },
    role: { value: "ROLE", help: "approve: at most this there: owner, member or guest" },
    yes: { short: "y", help: "do not ask" },
    json: { help: "as JSON" },
  },
  verbs: [
    "list",
    "add",
    "set",
    "unset",
    "on",
    "off",
    "connect",
    "test",
    "remove",
    "pairings",
    "approve",
    "unpair",
    "undelivered",
    "resend",
    "forget",
  ],
  examples: [
    ["steward channels add telegram", "asks for the token, tries it, and connects"],
    ["steward channels approve telegram ABCD-EFGH-JKLM --as owner", "that is you"],
    ["steward channels", "how each is"],
    ["pass show slack | steward channels set slack botToken", "a secret from a password store"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`channels has no "${verb}"`, "steward help channels shows what it takes.");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const verbs: Record<string, Run> = {
  async list({ args, out, flags }, client) {
    if (args.length > 0) throw usageError("list takes nothing");
    const found = await client.call("channels.list");
    if (flags.has("json")) out.json(found);
    else if (found.channels.length === 0)
      out.line(`No channels. steward channels add PLATFORM connects one: ${found.kinds.map(({ name }) => name).join(", ")}.`);
    else {
      const now = Date.now();
      table(
        out,
        ["name", "platform", "state", "last message", "waiting"],
        found.channels.map((one) => [
          one.name,
          one.title,
          stateWords(one),
          one.messageAt === undefined ? "–" : ago(one.messageAt, now),
          String(one.waiting),
        ]),
      );
      for (const { name, problem, hint } of found.channels) if (problem) out.note(`${name}: ${problem}${hint ? ` – ${hint}` : ""}`);
    }
    return DONE;
  },
  add,
  set,
  unset,
  on: (given, client) => turn(given, client, true),
  off: (given, client) => turn(given, client, false),
  async connect({ args, out, flags }, client) {
    const info = await client.call("channels.connect", { params: { id: only(args, "the name of a channel") } });
    if (flags.has("json")) out.json(info);
    else out.line(`${info.name}: connecting anew. steward channels shows how it is.`);
    return DONE;
  },
  async test({ args, out, flags }, client) {
    const name = only(args, "the name of a channel");
    const { account } = await client.call("channels.test", { params: { id: name }, body: { settings: {} } });
    if (flags.has("json")) out.json({ name, account });
    else out.line(`${name} works, as ${account}.`);
    return DONE;
  },
  async remove(given, client) {
    const name = only(given.args, "the name of a channel");
    if (!given.flags.has("yes") && !(await agrees(given.host, `Remove ${name} with its settings and secrets?`))) return DONE;
    await client.call("channels.remove", { params: { id: name } });
    if (given.flags.has("json")) given.out.json({ removed: name });
    else given.out.line("Removed.");
    return DONE;
  },
  pairings,
  approve,
  unpair,
  undelivered,
  resend,
  forget,
};

function stateWords({ state, retryAt }: ConfiguredChannel): string {
  if (state === "healthy") return green("works");
  if (state === "refused" || state === "missing") return red(state === "missing" ? "settings are missing" : "refused");
  if (state === "waiting") return yellow(retryAt === undefined ? "tries again" : `tries again at ${moment(retryAt).slice(11)}`);
  return state === "elsewhere" ? "another process has it" : state === "off" ? dim("off") : yellow(state);
}

async function turn({ args, out, flags }: Given, client: Client, enabled: boolean): Promise<number> {
  const name = only(args, "the name of a channel");
  const changed = await client.call("channels.set", { params: { id: name }, body: { enabled, settings: {} } });
  if (flags.has("json")) out.json(changed);
  else out.line(`${name} is ${enabled ? "on" : "off"}.`);
  return DONE;
}
