// steward ask: open questions, and answering one.
import type { Client } from "../../client/client.ts";
import type { Ask } from "../../core/types.ts";
import { StewardError } from "../../std/error.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { type Connection, withClient } from "../connect.ts";
import { DONE, exitCodes, INTERRUPTED, UNANSWERED } from "../exit.ts";
import { dim, type Output } from "../output.ts";
import { flaggedAnswer, howToAnswer, questionLines } from "../question.ts";
import { openScreen } from "../screen.ts";
import { openTeller } from "../tell.ts";
import { attend, type Ended } from "../turn.ts";

export const ask: Command = {
  usage: ["ask list [--json]", "ask answer ID allow|deny|TEXT [--task | --always]"],
  about: "Questions that Steward waits for: lists them, answers one. Without a running Steward the answer's turn is finished here.",
  options: {
    task: { help: "allow for the rest of the task" },
    always: { help: "allow this scope for 30 days" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "answer"],
  examples: [
    ["steward ask list", "what is open"],
    ["steward ask answer ask_0hp… allow", "allow it once"],
    ["steward ask answer ask_0hp… deny", "refuse it"],
  ],
  async run(given) {
    const [verb = "list", id, ...words] = given.args;
    if (verb === "list" && id === undefined) return withClient(given.host, (client) => list(given, client));
    if (verb !== "answer" || id === undefined || words.length === 0)
      throw usageError("ask takes list, or answer with an id and the answer", "steward help ask shows examples.");
    return withClient(given.host, (_, connection) => answer(given, connection, { id, typed: words.join(" ") }), true);
  },
};

async function list({ out, flags }: Given, client: Client): Promise<number> {
  const { asks } = await client.call("asks.list");
  if (flags.has("json")) out.json({ asks });
  else if (asks.length === 0) out.line("No open questions.");
  else for (const one of asks) print(out, one);
  return DONE;
}

function print(out: Output, one: Ask): void {
  for (const line of questionLines(one).slice(0, -1)) out.line(line);
  out.line(`${dim(`  ${howToAnswer(one, Date.now())}`)}\n`);
}

async function answer(given: Given, { client, embedded }: Connection, { id, typed }: { id: string; typed: string }): Promise<number> {
  const { out, flags } = given;
  const found = (await client.call("asks.list")).asks.find((one) => one.id === id);
  if (!found)
    throw new StewardError("not_found", "There is no such open question", { hint: "steward ask list shows those that are open." });
  if (flags.has("task") && flags.has("always")) throw usageError("--task and --always exclude each other");
  const reply = flaggedAnswer(found, typed, {
    wide: flags.has("always") ? "always" : flags.has("task") ? "task" : undefined,
    now: Date.now(),
  });
  const { seq = 0 } = await client.call("sessions.get", { params: { id: found.session } });
  await client.call("asks.answer", { params: { id }, body: reply });
  if (!embedded) {
    if (flags.has("json")) out.json({ answered: id, ...reply });
    else out.line(`Answered: ${reply.choice}.`);
    return DONE;
  }
  const { ended, next } = await finish(given, client, { ask: found, after: seq });
  if (flags.has("json")) out.json({ answered: id, ...reply, ...(ended ?? { asks: next }) });
  else for (const one of next) print(out, one);
  if (!ended) return UNANSWERED;
  return ended.stop === "cancelled" ? INTERRUPTED : ended.error ? exitCodes[ended.error.code] : DONE;
}

/** Follows the turn until it ends or asks again. */
async function finish(
  { host, flags }: Given,
  client: Client,
  { ask: { session, turn }, after }: { ask: Ask; after: number },
): Promise<{ ended: Ended | undefined; next: Ask[] }> {
  const leaving = new AbortController();
  const teller = flags.has("json") ? undefined : openTeller(openScreen({ ...host, live: true }));
  const next: Ask[] = [];
  const watcher = {
    ...teller,
    ask(one: Ask) {
      next.push(one);
      leaving.abort();
    },
  };
  const ended = await attend({ client, session, leaving: leaving.signal, watcher }, after, turn);
  if (ended) teller?.ended(ended);
  return { ended, next };
}
