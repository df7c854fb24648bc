// What servers listed last, to each person: a server may show the same tool to two people in two forms. What is approved of that is pins.ts.
import type { ServerConfig } from "../core/config-mcp.ts";
import { OWNER_ID } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { definitionHash } from "./definitions.ts";
import type { Listed } from "./pins.ts";

/** Tools by name. */
export type Listing = Record<string, Listed>;
interface Kept {
  /** Of what was asked: another server of this name shows other tools. */
  definition: string;
  tools: Listing;
}

/** Who is shown what a server has: those who use it, and the owner, who looks at all of them. */
export const shownOf = ({ people = [] }: ServerConfig): string[] => [...new Set([...people, OWNER_ID])];

const listedKey = (person: string, server: string): string => `p/${person}/mcp-listed/${server}`;

export interface Whose {
  name: string;
  person: string;
  /** With which the server was started. */
  definition: string;
}

/** Writes only what is new, so that looking costs nothing. */
export async function keepListing({ store }: Steward, { person, name, definition }: Whose, tools: Listing): Promise<void> {
  const key = listedKey(person, name);
  const kept: Kept = { definition, tools };
  if (JSON.stringify(await store.get(key)) !== JSON.stringify(kept)) await store.commit({ put: { [key]: kept } });
}

export const dropListings = async ({ store }: Steward, name: string, people: string[]): Promise<void> =>
  void (people.length > 0 && (await store.commit({ drop: people.map((person) => listedKey(person, name)) })));

/** Of all servers as they are defined now, by name. */
export async function listingsOf({ store, settings }: Steward, person: string): Promise<Map<string, Listing>> {
  const prefix = listedKey(person, "");
  const { servers } = settings.config().mcp;
  return new Map(
    (await store.list(prefix)).flatMap(({ key, value }) => {
      const name = key.slice(prefix.length);
      const { definition, tools } = value as Kept;
      return Object.hasOwn(servers, name) && definition === definitionHash(servers[name]!) ? [[name, tools] as const] : [];
    }),
  );
}

/** One form of a tool, and who is shown it. */
export interface Form {
  listed: Listed;
  people: string[];
}

/** In how many forms people are shown this tool. */
export function formsOf(listings: Map<string, Listing>, tool: string): Form[] {
  const found = new Map<string, Form>();
  for (const [person, listing] of listings) {
    const listed = Object.hasOwn(listing, tool) ? listing[tool] : undefined;
    if (listed === undefined) continue;
    const form = found.get(listed.hash) ?? { listed, people: [] };
    form.people.push(person);
    found.set(listed.hash, form);
  }
  return [...found.values()];
}
