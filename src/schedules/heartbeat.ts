// HEARTBEAT.md as schedules: each section one, kept while the others change, gone with it. Everybody has such a file; only the owner's is a file in the workspace.
import { createHash } from "node:crypto";
import type { Principal } from "../core/types.ts";
import { OWNER_ID, type Person } from "../run/persons.ts";
import { type Steward, zoneOf } from "../run/steward.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { removeSchedule, replace } from "./change.ts";
import { plannedAnew } from "./plan.ts";
import { type Section, sectionsOf } from "./sections.ts";
import { type Deliver, type Schedule, schedulesOf, timesOfSchedule, type Wanted, write } from "./state.ts";

const MAKER = { source: "heartbeat" as const, session: "", turn: "", tool: "schedules" };

/** Everybody's sections as they are now. Returns what can't be read of the owner's; that of others is written into the log. */
export async function readHeartbeats(steward: Steward, known: Map<string, string>): Promise<string[]> {
  const people = (await steward.store.list("person/")).map(({ value }) => value as Person).filter(({ id }) => id !== OWNER_ID);
  const all: Principal[] = [
    { person: OWNER_ID, role: "owner", via: "page" },
    ...people.map(({ id, role }): Principal => ({ person: id, role, via: "page" })),
  ];
  const problems: string[] = [];
  for (const who of all) {
    const found = await readOne(steward, who, known).catch((error: unknown) => [messageOf(error)]);
    if (who.person === OWNER_ID) problems.push(...found);
  }
  return problems;
}

/** `known`: what was read of whom, so that what did not change costs nothing. */
async function readOne(steward: Steward, who: Principal, known: Map<string, string>): Promise<string[]> {
  const { heartbeat } = steward.settings.config();
  const text = await steward.own.holds(who, "HEARTBEAT.md");
  const zone = zoneOf(steward);
  const { sections, problems } = sectionsOf(heartbeat.enabled ? text : "", { now: steward.now(), zone });
  const state = JSON.stringify([text, heartbeat, zone]);
  if (known.get(who.person) === state) return problems;
  const all = await schedulesOf(steward, who);
  const mine = all.filter(({ source }) => source === "heartbeat");
  const pairs = paired(sections, mine);
  let whole = true;
  for (const [n, section] of sections.entries()) whole = (await put(steward, who, { section, before: pairs[n], n, all })) && whole;
  for (const doc of mine) if (!pairs.includes(doc)) await removeSchedule(steward, who, doc.id, MAKER).catch(unlessGone);
  for (const problem of problems) steward.log("warning", problem, { person: who.person });
  // When somebody else was faster it is looked at again at the next look.
  if (whole) known.set(who.person, state);
  return problems;
}

function unlessGone(error: unknown): void {
  if (!hasCode(error, "not_found")) throw error;
}

const textOf = ({ heading, prompt }: Pick<Section, "heading" | "prompt">): string => JSON.stringify([heading, prompt]);

/** Which schedule a section was before: the same, else one with this heading, else one with this list; each only once. */
function paired(sections: Section[], docs: Schedule[]): (Schedule | undefined)[] {
  const free = new Set(docs);
  const found: (Schedule | undefined)[] = sections.map(() => undefined);
  const same: ((section: Section, doc: Schedule) => boolean)[] = [
    (section, doc) => doc.text === textOf(section),
    ({ heading }, doc) => doc.name === nameOf(heading),
    ({ prompt }, doc) => "prompt" in doc.action && doc.action.prompt === prompt,
  ];
  for (const is of same)
    for (const [n, section] of sections.entries()) {
      const doc = found[n] ? undefined : [...free].find((one) => is(section, one));
      if (!doc) continue;
      found[n] = doc;
      free.delete(doc);
    }
  return found;
}

const nameOf = (heading: string): string => oneLine(heading, 80);

interface Put {
  section: Section;
  before: Schedule | undefined;
  n: number;
  /** Of this person. */
  all: Schedule[];
}

/** False when somebody else changed it at the same time. */
async function put(steward: Steward, who: Principal, { section, before, n, all }: Put): Promise<boolean> {
  const now = steward.now();
  const { heading, prompt } = section;
  // An interval goes on counting from where it began.
  const counts = (["every", "days"] as const).some((name) => name in section.trigger && before && name in before.trigger);
  const trigger = before?.name === nameOf(heading) && counts ? before.trigger : section.trigger;
  const wanted: Wanted = {
    ...{ name: nameOf(heading), trigger, action: { prompt }, deliver: deliverOf(steward, who) },
    ...{ onMissed: "skip", overlap: "skip", retries: 0, ceiling: { tokens: steward.settings.config().heartbeat.tokens } },
  };
  if (!before) {
    const id = idFor(who, { section, n, all });
    const { person, role } = who;
    const fresh: Schedule = {
      ...wanted,
      ...{
        id,
        person,
        role,
        source: "heartbeat",
        enabled: true,
        stamp: "",
        runs: 0,
        createdAt: now,
        updatedAt: now,
        handled: now,
        text: textOf(section),
      },
    };
    const { schedule, put: rows, jobs } = plannedAnew(fresh, timesOfSchedule(steward, fresh), now);
    return write(steward, { after: schedule }, { put: rows, jobs });
  }
  const after: Schedule = { ...before, ...wanted, role: who.role, text: textOf(section) };
  if (JSON.stringify(after) === JSON.stringify(before)) return true;
  return replace(steward, before, { ...after, updatedAt: now }, { drop: [`p/${who.person}/due-looks/${before.id}`] });
}

/** The same wherever it is read; another where a section that was changed since has it. */
function idFor(who: Principal, { section, n, all }: Omit<Put, "before">): string {
  const id = createHash("sha256")
    .update(JSON.stringify([who.person, n, textOf(section)]))
    .digest("hex")
    .slice(0, 8);
  return all.some((doc) => doc.id === id) ? idFor(who, { section, n: n + 1000, all }) : id;
}

function deliverOf(steward: Steward, { person }: Principal): Deliver {
  const { silent, default_channel: channel, default_channel_id: chat } = steward.settings.config().heartbeat;
  if (silent) return { to: "log" };
  return person === OWNER_ID && channel && chat ? { to: "channel", address: { channel, chat } } : { to: "person" };
}
