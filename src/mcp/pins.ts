// What the owner has approved of each server: its definition, and each tool by name, description and schema. Everything else is off.
import type { McpTool } from "../core/api-mcp.ts";
import type { ServerConfig } from "../core/config-mcp.ts";
import type { Effect } from "../core/types.ts";
import { OWN_NAMES, sizeOf } from "../run/finding.ts";
import { OWNER_ID } from "../run/persons.ts";
import type { Approval } from "../run/servers.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { revealed } from "../std/text.ts";
import { canonical, definitionHash, definitionText, sha } from "./definitions.ts";
import { type Form, formsOf, type Listing, listingsOf, shownOf } from "./listings.ts";

/** A tool as a server lists it. */
export interface Listed {
  description: string;
  schema: Record<string, unknown>;
  effect: Effect;
  hash: string;
  /** Why it is not used at all. */
  refused?: string;
}
export interface Pin extends Listed {
  /** The name by which the agent calls it. */
  called: string;
  /** Other forms that are approved as well, by hash: those that some people are shown. */
  others?: Record<string, Listed>;
}
export interface PinDoc {
  definition?: { hash: string; text: string };
  tools: Record<string, Pin>;
}

export const pinKey = (server: string): string => `mcp/${server}`;

/** Undone names and texts are bounded: what is longer is refused. */
const LONGEST_NAME = 128;
const LONGEST_TEXT = 8000;
export const LARGEST_SCHEMA = 64 * 1024;
const MOST_TOOLS = 500;
const LARGEST_LIST = 4 * 1024 * 1024;

interface Offered {
  name: string;
  description?: string | undefined;
  inputSchema: unknown;
  annotations?: { readOnlyHint?: boolean | undefined } | undefined;
}

/** The server's list, each tool with its hash. Names that are nothing but names; what is too large is refused and not kept. */
export function listing(offered: Offered[]): Record<string, Listed> {
  const found: Record<string, Listed> = {};
  let size = 0;
  for (const tool of offered.slice(0, MOST_TOOLS)) {
    if (tool.name.length > LONGEST_NAME || !/^[\w./:@ -]+$/.test(tool.name) || tool.name in {} || Object.hasOwn(found, tool.name)) continue;
    const one = listed(tool);
    size += one.description.length + JSON.stringify(one.schema).length;
    found[tool.name] = size > LARGEST_LIST ? { ...one, description: "", schema: {}, refused: "the list of this server is too large" } : one;
  }
  return found;
}

function listed({ name, description = "", inputSchema, annotations }: Offered): Listed {
  const effect: Effect = annotations?.readOnlyHint === true ? "read" : "send";
  const text = canonical(inputSchema);
  const hash = sha(canonical({ name, description, schema: inputSchema, effect }));
  const refused =
    description.length > LONGEST_TEXT
      ? "its description is too long"
      : text.length > LARGEST_SCHEMA
        ? "its schema is too large"
        : (inputSchema as { type?: unknown } | null)?.type !== "object"
          ? "its schema is not that of an object"
          : undefined;
  if (refused !== undefined) return { description: "", schema: {}, effect, hash, refused };
  return { description, schema: inputSchema as Record<string, unknown>, effect, hash };
}

/** As it is stored; what a part alone was written of, too. */
export const pinDoc = (value: unknown): PinDoc => ({ tools: {}, ...(value as Partial<PinDoc> | undefined) });

export const readPins = async (steward: Steward, server: string): Promise<PinDoc> => pinDoc(await steward.store.get(pinKey(server)));

/** The whole text that the owner approves. */
export const toolText = (name: string, { description, schema, effect }: Listed): string =>
  revealed(
    `${name} (${effect === "read" ? "only reads, says the server" : "may change or send something"})\n${description}\n${JSON.stringify(schema, null, 1)}`,
  );

/** All that is approved and listed, read once. */
export interface Known {
  docs: Map<string, PinDoc>;
  /** By person, then by server. */
  listings: Map<string, Map<string, Listing>>;
  /** Whose a name is, other than this server's: Steward's own, and approved tools of other servers. */
  takenBy(called: string, except: string): string | undefined;
}

export async function look(steward: Steward, people: string[]): Promise<Known> {
  const docs = await readDocs(steward);
  const owners = new Map<string, string[]>();
  const add = (called: string, owner: string): void => void owners.set(called, [...(owners.get(called) ?? []), owner]);
  for (const name of [...OWN_NAMES, ...(await steward.tools()).map((tool) => tool.name)]) add(name, "Steward");
  for (const [server, { tools }] of docs) for (const { called } of Object.values(tools)) add(called, server);
  return {
    docs,
    listings: new Map(await Promise.all(people.map(async (person) => [person, await listingsOf(steward, person)] as const))),
    takenBy: (called, except) => owners.get(called)?.find((owner) => owner !== except),
  };
}

export const readDocs = async ({ store }: Steward): Promise<Map<string, PinDoc>> =>
  new Map((await store.list(pinKey(""))).map(({ key, value }) => [key.slice(pinKey("").length), pinDoc(value)]));

/** By person, of this server. */
const shownTo = ({ listings }: Known, name: string, server: ServerConfig): Map<string, Listing> =>
  new Map(
    shownOf(server).flatMap((person) => {
      const listing = listings.get(person)?.get(name);
      return listing === undefined ? [] : [[person, listing] as const];
    }),
  );

const plainName = (server: string, tool: string): string => `${server}_${tool}`.replace(/[^A-Za-z0-9_]/g, "_");

/** Letters, digits and _, at most 64; with a piece of its hash when it would be too long or somebody else's. */
export function calledName(server: string, tool: string, isTaken: (name: string) => boolean): string {
  const plain = plainName(server, tool);
  const changed = plain !== `${server.replaceAll("-", "_")}_${tool.replaceAll("-", "_")}`;
  if (plain.length <= 64 && !changed && !isTaken(plain)) return plain;
  return `${plain.slice(0, 55)}_${sha(`${server}\0${tool}`).slice(0, 8)}`;
}

/** Whether exactly this form is approved. */
export const isApproved = (pin: Pin | undefined, hash: string): boolean =>
  pin !== undefined && (pin.hash === hash || (pin.others !== undefined && Object.hasOwn(pin.others, hash)));

/** The approved form that this person is shown, as far as is known; undefined when they were shown another. */
export function usableForm(
  { tools }: ServerConfig,
  tool: string,
  { pin, listing }: { pin: Pin; listing: Listing | undefined },
): Pin | undefined {
  if (tools && !tools.includes(tool)) return undefined;
  const live = listing && Object.hasOwn(listing, tool) ? listing[tool] : undefined;
  if (live === undefined || live.hash === pin.hash) return pin; // one that is not there now may be later
  return isApproved(pin, live.hash) ? { ...pin, ...pin.others![live.hash] } : undefined;
}

/** Of several forms that people are shown, what the owner has to look at first. */
const foremost = (forms: Form[], pin: Pin | undefined): Form | undefined =>
  forms.find(({ listed: { hash, refused } }) => refused === undefined && !isApproved(pin, hash)) ??
  forms.find(({ listed }) => isApproved(pin, listed.hash)) ??
  forms[0];

/** Tools of a server as pages show them. */
export function toolsOf(name: string, server: ServerConfig, known: Known): McpTool[] {
  const doc = known.docs.get(name) ?? pinDoc(undefined);
  const listings = shownTo(known, name, server);
  const names = [...new Set([...Object.keys(doc.tools), ...[...listings.values()].flatMap((listing) => Object.keys(listing))])].toSorted();
  const taken = (called: string): string | undefined => known.takenBy(called, name);
  const given = new Set<string>();
  return names.map((tool) => {
    const pin = doc.tools[tool];
    const forms = formsOf(listings, tool);
    const form = foremost(forms, pin);
    const live = listings.size > 0 ? form?.listed : pin;
    const shown = (live ?? pin)!;
    const called = pin?.called ?? calledName(name, tool, (one) => taken(one) !== undefined || given.has(one));
    given.add(called);
    const base = {
      name: tool,
      called,
      effect: shown.effect,
      tokens: sizeOf({ name: called, description: shown.description, schema: shown.schema }),
    };
    if (server.tools && !server.tools.includes(tool)) return { ...base, state: "unlisted" as const };
    if (live === undefined) return { ...base, state: "gone" as const };
    if (live.refused !== undefined) return { ...base, state: "refused" as const, why: live.refused };
    const owner = taken(pin?.called ?? plainName(name, tool));
    if (pin && isApproved(pin, live.hash) && owner === undefined) return { ...base, state: "approved" as const };
    const fresh = calledName(name, tool, (one) => taken(one) !== undefined);
    const wants = { hash: live.hash, text: toolText(tool, live), ...(pin ? { before: toolText(tool, pin) } : {}) };
    const why = [
      ...(owner === undefined ? [] : [`the name is that of a tool of ${owner}`]),
      ...(forms.length > 1 ? [`the server shows it so to ${form!.people.join(", ")}`] : []),
    ].join("; ");
    const state = pin ? ("changed" as const) : ("new" as const);
    return { ...base, called: owner === undefined ? called : fresh, state, ...(why === "" ? {} : { why }), wants };
  });
}

/** How many more old forms are kept than there are people of whom it is not known what they are shown. */
const SPARE_FORMS = 20;

/** What of a tool stays approved beside its new form: what somebody is shown, and what those may be shown of whom that is not known (so many people). */
function othersOf(hash: string, before: Pin | undefined, { forms, unknown }: { forms: Form[]; unknown: number }): Pin["others"] {
  if (before === undefined) return undefined;
  const { description, schema, effect, hash: newest } = before;
  const shown = forms.flatMap(({ listed }) => (isApproved(before, listed.hash) ? [listed] : []));
  const all = [{ description, schema, effect, hash: newest }, ...Object.values(before.others ?? {})];
  const perhaps = unknown === 0 ? [] : all.slice(0, unknown + SPARE_FORMS);
  const found = new Map([...shown, ...perhaps].map((one) => [one.hash, one]));
  found.delete(hash);
  return found.size === 0 ? undefined : Object.fromEntries(found);
}

/** Exactly what was shown, or conflict. What was approved before stays so unless nobody is shown it any more. */
export async function approve(
  steward: Steward,
  name: string,
  { server, given, known }: { server: ServerConfig; given: Approval; known: Known },
): Promise<void> {
  const doc = known.docs.get(name) ?? pinDoc(undefined);
  const next: Pick<PinDoc, "tools" | "definition"> = { tools: { ...doc.tools } };
  if (given.definition !== undefined) {
    if (given.definition !== definitionHash(server)) throw changed(`The definition of ${name}`);
    next.definition = { hash: given.definition, text: definitionText(server) };
  }
  const listings = shownTo(known, name, server);
  const unknown = (server.people ?? [OWNER_ID]).filter((person) => !listings.has(person)).length;
  for (const { name: tool, hash } of given.tools) {
    const forms = formsOf(listings, tool);
    const live = forms.find(({ listed }) => listed.hash === hash)?.listed;
    if (live === undefined) throw changed(`The tool ${tool} of ${name}`);
    if (live.refused !== undefined) throw new StewardError("invalid", `The tool ${tool} of ${name} can't be used: ${live.refused}`);
    const before = next.tools[tool];
    const names = new Set(Object.entries(next.tools).flatMap(([other, { called }]) => (other === tool ? [] : [called])));
    const isTaken = (one: string): boolean => known.takenBy(one, name) !== undefined || names.has(one);
    const others = othersOf(hash, before, { forms, unknown });
    next.tools[tool] = {
      ...live,
      called: before && !isTaken(before.called) ? before.called : calledName(name, tool, isTaken),
      ...(others ? { others } : {}),
    };
  }
  // `listed` was kept here once.
  await steward.store.commit({ merge: { [pinKey(name)]: { ...next, listed: null } } });
}

const changed = (what: string): StewardError =>
  new StewardError("conflict", `${what} is not what was shown`, { hint: "Look at it again, then approve it." });
