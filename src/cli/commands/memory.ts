// steward memory: the JSON memory that the agent reads each turn, its versions, and the kept facts.
import { readFile } from "node:fs/promises";
import type { Client } from "../../client/client.ts";
import { messageOf, StewardError } from "../../std/error.ts";
import { oneLine } from "../../std/text.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { readAll } from "../input.ts";
import { bold, dim, table, yellow } from "../output.ts";
import { ago } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;

export const memory: Command = {
  usage: [
    "memory [show] [--json]",
    "memory set FILE|- [--json]",
    "memory edit FIELD [VALUE] [--protected] [--json]",
    "memory reset [--json]",
    "memory history [--json]",
    "memory search WORDS [--limit N] [--json]",
    "memory sync [--json]",
    "memory facts [--json]",
    "memory forget ID [--json]",
    "memory restore ID [--json]",
  ],
  about:
    "What the agent knows of you: one JSON object, in its instructions each turn, and facts that it was asked to keep. It can read protected_memory, but only you can change it. steward undo takes a change back.",
  options: {
    protected: { help: "edit: a field of protected_memory" },
    limit: { help: "search: how many at most (20)", value: "N" },
    json: { help: "as JSON" },
  },
  verbs: ["show", "set", "edit", "reset", "history", "search", "sync", "facts", "forget", "restore"],
  examples: [
    ["steward memory edit name Ada", "sets one field"],
    ["steward memory edit name", "removes it"],
    ["steward memory edit api_key abc --protected", "what the agent may read only"],
    ["steward memory set memory.json", "the whole, from a file; - is standard input"],
    ['steward memory search "kitchen invoice"', "in what was said, in what is remembered, in files of the workspace"],
    ["steward memory facts", "what was kept and forgotten, by whom"],
    ["steward memory restore fct_1", "brings a forgotten one back"],
    ["steward memory sync", "looks through the workspace now"],
  ],
  async run(given) {
    const [verb = "show", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`memory has no "${verb}"`, "steward help memory shows what it takes.");
    if (given.flags.has("protected") && verb !== "edit") throw usageError("--protected goes with edit");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const verbs: Record<string, Run> = {
  show: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("show takes nothing more");
    const found = await client.call("memory.get");
    if (flags.has("json")) out.json(found);
    else {
      out.line(found.memory);
      for (const { id, text, type, untrusted, local } of found.facts)
        out.line(
          `${dim(`${id} ${type ?? "other"}`)} ${oneLine(text, 200)}${untrusted ? dim(" (after words of others)") : ""}${local ? dim(" (for models of this machine)") : ""}`,
        );
    }
    return DONE;
  },
  set: async (given, client) => {
    const [file, ...more] = given.args;
    if (file === undefined || more.length > 0) throw usageError("set takes a file, or - for standard input");
    const text = file === "-" ? await readAll(given.host.stdin) : await fileText(file);
    return kept(given, await client.call("memory.put", { body: { memory: text } }));
  },
  edit: async (given, client) => {
    const [field, value, ...more] = given.args;
    if (field === undefined || more.length > 0) throw usageError("edit takes a field, and a value unless the field is to go");
    const inside = given.flags.has("protected");
    return kept(
      given,
      await client.call("memory.edit", {
        body: { field, ...(value === undefined ? {} : { value }), ...(inside ? { protected: true } : {}) },
      }),
    );
  },
  reset: async (given, client) => {
    if (given.args.length > 0) throw usageError("reset takes nothing more");
    return kept(given, await client.call("memory.reset"));
  },
  history: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("history takes nothing more");
    const found = await client.call("memory.history");
    if (flags.has("json")) out.json(found);
    else if (found.versions.length === 0) out.line("Nothing was kept yet.");
    else
      table(
        out,
        ["when", "by", "memory"],
        found.versions.map(({ at, by, memory: text }) => [ago(at, Date.now()), by, oneLine(text, 90)]),
      );
    return DONE;
  },
  search: async ({ out, flags, args }, client) => {
    const words = args.join(" ").trim();
    if (words === "") throw usageError("search takes the words to look for");
    const limit = flags.number("limit", { min: 1, max: 200 });
    const { hits, missing } = await client.call("memory.search", {
      query: { q: words, ...(limit === undefined ? {} : { limit: String(limit) }) },
    });
    if (flags.has("json")) out.json({ hits, ...(missing === undefined ? {} : { missing }) });
    else if (hits.length === 0) out.line("Nothing was found. Fewer words find more; steward memory sync looks through the workspace now.");
    else
      for (const hit of hits) {
        const place = hit.from === "said" ? `${hit.session} #${hit.number}` : hit.from === "file" ? `${hit.path}:${hit.line}` : hit.id;
        out.line(`${bold(place)} ${dim(`${hit.from}, ${ago(hit.at, Date.now())}${hit.by === "words" ? "" : `, by ${hit.by}`}`)}`);
        out.line(`  ${oneLine(hit.text, 300)}`);
      }
    if (missing !== undefined && !flags.has("json"))
      out.line(yellow(`Files and meanings are searched in this process's own index only: ${missing}. steward doctor says what to do.`));
    return DONE;
  },
  sync: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("sync takes nothing more");
    const looked = await client.call("memory.sync");
    if (flags.has("json")) out.json(looked);
    else {
      out.line(
        `${looked.files} files, ${looked.pieces} pieces of text${looked.vectors > 0 ? `, ${looked.vectors} with their meaning` : ""} (${looked.ms} ms)`,
      );
      for (const problem of looked.problems) out.line(yellow(problem));
    }
    return DONE;
  },
  facts: async ({ out, flags, args }, client) => {
    if (args.length > 0) throw usageError("facts takes nothing more");
    const { changes } = await client.call("memory.facts");
    if (flags.has("json")) out.json({ changes });
    else if (changes.length === 0) out.line("Nothing was kept yet.");
    else
      table(
        out,
        ["when", "by", "id", "fact"],
        changes.map(({ at, by, did, fact, text, there }) => [
          ago(at, Date.now()),
          `${did} by ${by === "you" ? "you" : "the agent"}`,
          there ? fact : `${fact} (gone)`,
          oneLine(text, 70),
        ]),
      );
    return DONE;
  },
  restore: async ({ out, flags, args }, client) => {
    const [id, ...more] = args;
    if (id === undefined || more.length > 0) throw usageError("restore takes the id of one fact", "steward memory facts shows them.");
    const { fact } = await client.call("memory.restore", { params: { id } });
    if (flags.has("json")) out.json({ fact });
    else out.line(`Kept again: ${oneLine(fact.text, 200)}`);
    return DONE;
  },
  forget: async ({ out, flags, args }, client) => {
    const [id, ...more] = args;
    if (id === undefined || more.length > 0) throw usageError("forget takes the id of one fact", "steward memory shows them.");
    await client.call("memory.forget", { params: { id } });
    if (flags.has("json")) out.json({ forgot: id });
    else out.line(`Forgotten. steward memory restore ${id} brings it back.`);
    return DONE;
  },
};

function kept({ out, flags }: Given, answer: { memory: string }): number {
  if (flags.has("json")) out.json(answer);
  else out.line(answer.memory);
  return DONE;
}

async function fileText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new StewardError("invalid", `${file} can't be read: ${messageOf(error)}`);
  });
}
