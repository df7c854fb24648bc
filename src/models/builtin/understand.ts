// Asks every rule in turn what a request means; the first that knows decides.
import { create, createFolder, move, remove, replace, undo, write } from "./edits.ts";
import { find, info, list, read } from "./files.ts";
import { later, reminder } from "./later.ts";
import type { Known, Meaning, Request, Rule } from "./meaning.ts";
import { applications, facts, memory, run, running, web } from "./system.ts";
import { sums, talk, time, unclear } from "./talk.ts";

const RULES: Rule[] = [
  reminder,
  talk,
  later,
  run,
  time,
  sums,
  undo,
  createFolder,
  create,
  replace,
  write,
  memory,
  web,
  facts,
  running,
  list,
  find,
  info,
  read,
  move,
  remove,
  applications,
];

/** Never throws; what no rule knows is `unclear`. */
export function understand(request: Request, known: Known): Meaning {
  if (request.plain !== "")
    for (const rule of RULES) {
      const meaning = rule(request, known);
      if (meaning) return meaning;
    }
  return unclear(request.typed(request.text));
}
