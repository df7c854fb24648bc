// steward sessions: list, show, search, export, rename, delete, and clear out the stale ones.
import { writeFile } from "node:fs/promises";
import type { Client } from "../../client/client.ts";
import type { SessionInfo } from "../../core/api.ts";
import type { Stored } from "../../core/events.ts";
import { emptyView, type Entry, fold } from "../../core/fold.ts";
import { textOf } from "../../core/history.ts";
import { messageOf, StewardError } from "../../std/error.ts";
import { oneLine } from "../../std/text.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { sessionOf, withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { agrees } from "../input.ts";
import { renderer, unrendered } from "../markdown.ts";
import { bold, dim, jsonText, red, table } from "../output.ts";
import { endText } from "../tool-line.ts";
import { ago, markOf, moment } from "../words.ts";

const DAY_MS = 86_400_000;
type Run = (given: Given, client: Client) => Promise<number>;

export const sessions: Command = {
  usage: [
    "sessions [list] [--limit N] [--json]",
    "sessions show ID [--last N] [--json]",
    "sessions search WORDS [--json]",
    "sessions export ID [--format md|json] [--output FILE]",
    "sessions rename ID TITLE",
    "sessions delete ID [--yes]",
    "sessions clear [--days N] [--all] [--yes]",
  ],
  about:
    "Your sessions. An id may be its beginning or end, or `current`. A deleted session can be brought back for seven days with steward undo ID.",
  options: {
    limit: { value: "N", short: "n", help: "how many are listed (50)" },
    last: { value: "N", help: "how many events are read (500)" },
    format: { value: "md|json", help: "of the export (md)" },
    output: { value: "FILE", short: "o", help: "where the export goes instead of standard output" },
    days: { value: "N", help: "clear: not used for so many days (30)" },
    all: { help: "clear: all of them" },
    yes: { short: "y", help: "do not ask" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "show", "search", "export", "rename", "delete", "clear"],
  examples: [
    ["steward sessions", "the newest"],
    ["steward sessions search invoice march", "those with these words"],
    ["steward sessions export current -o talk.md", "the current one as a file"],
    ["steward sessions clear --days 60", "delete what was not used for 60 days"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`sessions has no "${verb}"`, "steward help sessions shows what it takes.");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const verbs: Record<string, Run> = {
  list: async (given, client) => {
    const limit = given.flags.number("limit", { min: 1, max: 1000 }) ?? 50;
    return printList(given, await client.call("sessions.list", { query: { limit: String(limit) } }));
  },
  search: async (given, client) => {
    if (given.args.length === 0) throw usageError("search takes words to look for");
    return printList(
      given,
      await client.call("sessions.list", {
        query: { q: given.args.join(" "), limit: String(given.flags.number("limit", { min: 1, max: 1000 }) ?? 50) },
      }),
    );
  },
  show,
  export: exported,
  rename: async ({ args: [typed, ...words], out, flags }, client) => {
    if (typed === undefined || words.length === 0) throw usageError("rename takes an id and a title");
    const changed = await client.call("sessions.change", {
      params: { id: await sessionOf(client, typed) },
      body: { title: words.join(" ") },
    });
    if (flags.has("json")) out.json(changed);
    else out.line(`Renamed to “${changed.title}”.`);
    return DONE;
  },
  delete: async (given, client) => {
    const { out, flags, args } = given;
    if (args.length !== 1) throw usageError("delete takes one id");
    const session = await client.call("sessions.get", { params: { id: await sessionOf(client, args[0]!) } });
    if (!(await sure(given, `Delete “${nameOf(session)}” (${session.messages} messages)?`))) return DONE;
    const { undo } = await client.call("sessions.remove", { params: { id: session.id } });
    if (flags.has("json")) out.json({ deleted: session.id, undo });
    else out.line(`Deleted. steward undo ${undo} brings it back within seven days.`);
    return DONE;
  },
  clear,
};

const nameOf = ({ title, snippet }: SessionInfo): string => oneLine(title || snippet || "(empty)", 60);

function printList({ out, flags }: Given, { sessions: found, total }: { sessions: SessionInfo[]; total: number }): number {
  if (flags.has("json")) out.json({ sessions: found, total });
  else if (found.length === 0) out.line("No sessions.");
  else {
    const now = Date.now();
    const state = ({ running, asks }: SessionInfo): string => (asks > 0 ? "asks" : running ? "running" : "");
    table(
      out,
      ["id", "used", "messages", "state", "title"],
      found.map((one) => [one.id, ago(one.updatedAt, now), String(one.messages), state(one), nameOf(one)]),
    );
    for (const { snippet, id } of found) if (snippet && total <= 5) out.line(dim(`${id}: ${oneLine(snippet, 110)}`));
    if (total > found.length) out.line(dim(`and ${total - found.length} more`));
  }
  return DONE;
}

async function show({ out, flags, host, args }: Given, client: Client): Promise<number> {
  if (args.length > 1) throw usageError("show takes one id");
  const id = await sessionOf(client, args[0] ?? "current");
  const last = flags.number("last", { min: 1, max: 5000 }) ?? 500;
  const [session, { events }] = await Promise.all([
    client.call("sessions.get", { params: { id } }),
    client.call("sessions.events", { params: { id }, query: { last: String(last) } }),
  ]);
  if (flags.has("json")) {
    out.json({ session, events });
    return DONE;
  }
  out.line(`${bold(nameOf(session))} ${dim(`${id}, ${session.messages} messages, begun ${moment(session.createdAt)}`)}\n`);
  const first = events[0]?.seq ?? 1;
  const view = fold({ ...emptyView(id), seq: first - 1 }, events as unknown as Stored[]);
  if (first > 1) out.line(dim("… earlier ones are left out; --last N shows more\n"));
  const styled = out.tty && !host.env["NO_COLOR"];
  for (const entry of view.entries) for (const line of entryLines(entry, styled)) out.line(line);
  return DONE;
}

function entryLines(entry: Entry, styled: boolean): string[] {
  if (entry.kind === "message")
    return [
      `${bold(`${markOf(entry.source)}${textOf(entry.parts)}`)} ${dim(moment(entry.at))}`,
      ...entry.parts.flatMap((part) => (part.type === "file" ? [dim(`  file ${part.name}`)] : [])),
    ];
  if (entry.kind === "ask") return [dim(`? ${entry.ask.prompt}: ${entry.answered ? entry.answered.answer.choice : "open"}`)];
  if (entry.kind === "compacted") return [dim("(what came before was summed up)")];
  if (entry.kind === "end")
    return [...(entry.error ? [red(entry.error.message)] : []), ...(entry.stop === "cancelled" ? [dim("(stopped)")] : []), ""];
  const { item } = entry;
  if (item.kind === "tool") return [endText(item)];
  const render = styled ? renderer() : unrendered();
  if (item.kind === "text") return item.text.split("\n").map(render.line);
  if (item.kind === "file") return [dim(`file ${item.file.name} ${item.file.id}`)];
  return item.kind === "notice" ? [dim(item.text)] : [];
}

async function exported({ args, flags, out, host }: Given, client: Client): Promise<number> {
  const format = flags.text("format") ?? "md";
  if (args.length > 1) throw usageError("export takes one id");
  if (format !== "md" && format !== "json") throw usageError(`--format takes md or json, not "${format}"`);
  const id = await sessionOf(client, args[0] ?? "current");
  const response = await client.call("sessions.export", { params: { id }, query: { format } });
  const text = await response.text();
  const file = flags.text("output");
  if (file === undefined) {
    if (format === "json") host.stdout.write(`${jsonText(JSON.parse(text))}\n`);
    else out.write(text.endsWith("\n") ? text : `${text}\n`);
    return DONE;
  }
  await writeFile(file, text, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST")
      throw new StewardError("conflict", `${file} is there already`, { hint: "Choose another name; nothing is overwritten." });
    throw new StewardError("invalid", `${file} can't be written: ${messageOf(error)}`);
  });
  out.note(`Written to ${file}.`);
  return DONE;
}

async function clear(given: Given, client: Client): Promise<number> {
  const { out, flags, args } = given;
  if (args.length > 0) throw usageError("clear takes no ids", "steward sessions delete ID deletes one.");
  const days = flags.has("all") ? 0 : (flags.number("days", { min: 0, max: 36_500 }) ?? 30);
  const before = Date.now() - days * DAY_MS + (days === 0 ? DAY_MS : 0);
  const stale: SessionInfo[] = [];
  for (let until = before; ; until = stale.at(-1)!.updatedAt) {
    const { sessions: page } = await client.call("sessions.list", { query: { before: String(until), limit: "1000" } });
    stale.push(...page);
    if (page.length < 1000) break;
  }
  const idle = stale.filter(({ running }) => !running);
  const words = days === 0 ? "" : ` not used for ${days} days`;
  if (idle.length === 0 || !(await sure(given, `Delete ${idle.length} sessions${words}? They can be brought back for seven days.`))) {
    if (flags.has("json")) out.json({ deleted: [] });
    else out.line(idle.length === 0 ? `No sessions${words}.` : "Nothing was deleted.");
    return DONE;
  }
  const deleted = [];
  for (const { id } of idle) deleted.push({ id, undo: (await client.call("sessions.remove", { params: { id } })).undo });
  if (flags.has("json")) out.json({ deleted });
  else out.line(`Deleted ${deleted.length}. steward undo --list shows how to bring them back.`);
  return DONE;
}

/** Asked at a terminal; elsewhere --yes has to say it. */
async function sure({ host, flags }: Given, question: string): Promise<boolean> {
  if (flags.has("yes")) return true;
  if (!host.stdin.isTTY) throw usageError("This deletes, and there is nobody to ask", "--yes says that it is meant.");
  return agrees(host, question);
}
