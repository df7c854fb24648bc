// Routes about the JSON memory, kept facts, and the helper agents of a session.
import { editMemory, getMemory, memoryHistory, memoryLimit, resetMemory, setMemory } from "../../run/json-memory.ts";
import { facts } from "../../run/memory.ts";
import { listAgents } from "../agents.ts";
import { factChanges, forgetFact, restoreFact } from "../facts.ts";
import type { Handlers } from "../table.ts";

type Names =
  | "memory.get"
  | "memory.put"
  | "memory.edit"
  | "memory.reset"
  | "memory.history"
  | "memory.search"
  | "memory.sync"
  | "memory.facts"
  | "memory.restore"
  | "memory.forget"
  | "agents.list";

export const memory = {
  "memory.get": async ({ steward, who }) => ({
    memory: await getMemory(steward, who),
    limit: memoryLimit(steward),
    facts: await facts(steward, who),
  }),
  "memory.put": async ({ steward, who, body: { memory, before } }) => ({ memory: await setMemory(steward, who, memory, before) }),
  "memory.edit": async ({ steward, who, body: { field, value, protected: inside } }) => ({
    memory: await editMemory(steward, who, {
      field,
      ...(value === undefined ? {} : { value }),
      ...(inside === undefined ? {} : { protected: inside }),
    }),
  }),
  "memory.reset": async ({ steward, who }) => ({ memory: await resetMemory(steward, who) }),
  "memory.history": async ({ steward, who }) => ({
    versions: (await memoryHistory(steward, who)).map(({ id, at, by, memory: text }) => ({ id, at, by, memory: text })),
  }),
  "memory.search": async ({ steward, who, query: { q, limit = 20 } }) => {
    const { shared } = steward.store;
    const hits = await steward.search.find(who, { words: q, limit });
    return { hits, ...(shared && "missing" in shared ? { missing: shared.missing } : {}) };
  },
  "memory.sync": async ({ steward, who, visit }) => steward.search.sync(who, visit.request.signal),
  "memory.facts": async ({ steward, who }) => ({ changes: await factChanges(steward, who) }),
  "memory.restore": async ({ steward, who, id }) => ({ fact: await restoreFact(steward, who, id) }),
  "memory.forget": async ({ steward, who, id }) => {
    await forgetFact(steward, who, id);
    return { success: true };
  },
  "agents.list": async ({ steward, who, id }) => ({ agents: await listAgents(steward, who, id) }),
} satisfies Pick<Handlers, Names>;
