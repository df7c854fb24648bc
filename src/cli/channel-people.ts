// steward channels pairings, approve, unpair, undelivered, resend, forget: who is let in at a chat app, and what did not arrive there.
import type { Client } from "../client/client.ts";
import { type Given, usageError } from "./command.ts";
import { only } from "./channel-settings.ts";
import { DONE } from "./exit.ts";
import { agrees } from "./input.ts";
import { dim, red, table, yellow } from "./output.ts";
import { moment } from "./words.ts";

export async function approve({ args, out, flags }: Given, client: Client): Promise<number> {
  const [channel, code, ...more] = args;
  if (channel === undefined || code === undefined || more.length > 0) throw usageError("approve takes a channel and a code");
  const [person, role] = [flags.text("as"), flags.text("role")];
  if (role !== undefined && role !== "owner" && role !== "member" && role !== "guest")
    throw usageError("--role takes owner, member or guest");
  const paired = await client.call("pairings.approve", {
    body: { channel, code, ...(person === undefined ? {} : { person }), ...(role === undefined ? {} : { role }) },
  });
  if (flags.has("json")) out.json(paired);
  else out.line(`${paired.name || paired.from} is in at ${channel}, as ${paired.person} (${paired.role}).`);
  return DONE;
}

export async function unpair(given: Given, client: Client): Promise<number> {
  const [channel, from, ...more] = given.args;
  if (channel === undefined || from === undefined || more.length > 0)
    throw usageError("unpair takes a channel and an id", "steward channels pairings shows them.");
  if (!given.flags.has("yes") && !(await agrees(given.host, `Take ${from} out of ${channel}?`))) return DONE;
  await client.call("pairings.remove", { body: { channel, from } });
  if (given.flags.has("json")) given.out.json({ channel, from });
  else given.out.line("Taken out: what comes from there is a stranger's again.");
  return DONE;
}

export async function pairings({ out, flags }: Given, client: Client): Promise<number> {
  const found = await client.call("pairings.list");
  if (flags.has("json")) out.json(found);
  else if (found.paired.length + found.pending.length === 0) out.line("Nobody is paired, and nobody asks to be.");
  else {
    if (found.pending.length > 0)
      table(
        out,
        ["asks to be let in", "channel", "id", "until"],
        found.pending.map(({ name, channel, from, expiresAt }) => [name || "?", channel, from, moment(expiresAt).slice(11)]),
      );
    if (found.paired.length > 0)
      table(
        out,
        ["person", "role", "channel", "id", "name there", "since"],
        found.paired.map(({ person, role, channel, from, name, at }) => [person, role, channel, from, name, moment(at)]),
      );
  }
  return DONE;
}

export async function undelivered({ out, flags }: Given, client: Client): Promise<number> {
  const found = await client.call("letters.list");
  if (flags.has("json")) out.json(found);
  else if (found.letters.length === 0) out.line("Everything was delivered.");
  else
    for (const { id, channel, at, text, error, unknown } of found.letters) {
      out.line(`${id}  ${channel}  ${moment(at)}  ${unknown ? yellow("perhaps delivered") : red("not delivered")}: ${error}`);
      out.line(dim(`  ${text.slice(0, 200).replace(/\s+/g, " ")}`));
    }
  return DONE;
}

export async function resend({ args, out, flags }: Given, client: Client): Promise<number> {
  const id = only(args, "an id");
  await client.call("letters.resend", { params: { id } });
  if (flags.has("json")) out.json({ id });
  else out.line("It is sent again.");
  return DONE;
}

export async function forget({ args, out, flags }: Given, client: Client): Promise<number> {
  const id = only(args, "an id");
  await client.call("letters.remove", { params: { id } });
  if (flags.has("json")) out.json({ id });
  else out.line("Forgotten.");
  return DONE;
}
