// MCP servers that Steward uses, as the rest of it knows them: defined and approved by the owner, used by those who may. Nothing starts before it is needed.
import type { McpServer } from "../core/api-mcp.ts";
import { mcpConfig, SERVER_NAME, type ServerConfig } from "../core/config-mcp.ts";
import { refusePrototype } from "../core/config.ts";
import type { Tool } from "../core/ports.ts";
import type { Principal } from "../core/types.ts";
import { OWN_NAMES } from "../run/finding.ts";
import { OWNER_ID, personKey } from "../run/persons.ts";
import type { Servers } from "../run/servers.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { definitionHash, definitionText, kindOf, whatOf } from "./definitions.ts";
import { prepare } from "./files.ts";
import { dropListings, keepListing, type Listing, listingsOf, shownOf } from "./listings.ts";
import { openAttempts } from "./oauth.ts";
import { approve, type Known, look, type Pin, pinKey, type PinDoc, readDocs, readPins, toolsOf, usableForm } from "./pins.ts";
import { openRunning, type Running } from "./running.ts";
import { beginSignIn, endSignIn, type SignIn, vaultFor } from "./sign-in.ts";
import { openTools } from "./tools.ts";

const FRESH_MS = 1000;
const MOST_KNOWN = 100;

interface Docs {
  docs: Map<string, PinDoc>;
  listings: Map<string, Listing>;
}

interface Parts {
  steward(): Steward;
  running: Running;
  /** What is approved, and what this person was shown last. */
  docs(person: string): Promise<Docs>;
  /** After a change. */
  forget(): void;
}

export function openServers(steward: () => Steward): Servers {
  const docs = openDocs(steward);
  const redirect = (): string => `http://127.0.0.1:${steward().settings.config().server.port}/mcp-servers`;
  const parts: Parts = {
    steward,
    ...docs,
    running: openRunning({ steward, redirect, listed: (whose, tools) => keepListing(steward(), whose, tools).then(docs.forget) }),
  };
  const toolOf = openTools({
    steward,
    async connection({ principal }, name) {
      const server = usable(steward(), principal, name);
      const { tools: pins } = await approved(steward(), name, server);
      return { connection: await parts.running.connection(principal, name, server), server, pins };
    },
  });
  return {
    async tools(who) {
      const mine = serversOf(steward(), who);
      return mine.length === 0 ? [] : approvedTools(await steward().tools(), { mine, docs: await parts.docs(who.person), toolOf });
    },
    prepare: (who, engine) => prepare(steward(), who, { engine, servers: serversOf(steward(), who) }),
    ...ownersPart(parts),
    ...signIns(parts),
    async forget(person) {
      await parts.running.endFor(person);
      for (const [name, server] of Object.entries(steward().settings.config().mcp.servers))
        await vaultFor(steward(), { name, person, server })?.forget();
    },
    close: () => parts.running.close(),
  };
}

function openDocs(steward: () => Steward): Pick<Parts, "docs" | "forget"> {
  const known = new Map<string, { at: number; found: Promise<Docs> }>();
  const read = async (person: string): Promise<Docs> => {
    const [docs, listings] = await Promise.all([readDocs(steward()), listingsOf(steward(), person)]);
    return { docs, listings };
  };
  return {
    docs(person) {
      const now = performance.now();
      const before = known.get(person);
      if (before && now - before.at < FRESH_MS) return before.found;
      const found = read(person);
      if (known.size >= MOST_KNOWN) known.clear();
      known.set(person, { at: now, found });
      return found;
    },
    forget: () => known.clear(),
  };
}

const peopleOf = ({ people = [OWNER_ID] }: ServerConfig): string[] => people;

/** All servers' documents and what all are shown. */
const lookAt = (steward: Steward): Promise<Known> =>
  look(steward, [...new Set(Object.values(steward.settings.config().mcp.servers).flatMap(shownOf))]);

/** Who uses it, and whoever may have used it before. */
const everybody = async ({ store }: Steward, server: ServerConfig): Promise<string[]> => [
  ...new Set([...shownOf(server), ...(await store.list(personKey(""))).map(({ key }) => key.slice(personKey("").length))]),
];

function ownersPart({ steward, running, forget }: Parts): Pick<Servers, "list" | "add" | "remove" | "approve" | "test"> {
  const described = async (name: string): Promise<McpServer> =>
    describe(steward(), name, { is: running.state(name), known: await lookAt(steward()) });
  return {
    async list() {
      const known = await lookAt(steward());
      return Object.keys(steward().settings.config().mcp.servers).map((name) =>
        describe(steward(), name, { is: running.state(name), known }),
      );
    },
    async add(name, given, replace = false) {
      const server = parsed(name, given);
      const { servers } = steward().settings.config().mcp;
      const before = Object.hasOwn(servers, name) ? servers[name] : undefined;
      if (before && !replace)
        throw new StewardError("conflict", `There is an MCP server ${name} already`, { hint: "--replace puts this one in its place." });
      if (before) await running.end(name);
      if (before) await dropListings(steward(), name, leftOut(before, server));
      steward().settings.set(`mcp.servers.${name}`, server);
      forget();
      return described(name);
    },
    async remove(name) {
      const server = configured(steward(), name);
      await running.end(name);
      steward().settings.set(`mcp.servers.${name}`, undefined);
      await steward().store.commit({ drop: [pinKey(name)] });
      const people = await everybody(steward(), server);
      await dropListings(steward(), name, people);
      for (const person of people) await vaultFor(steward(), { name, person, server })?.forget();
      forget();
    },
    async approve(name, given) {
      await approve(steward(), name, { server: configured(steward(), name), given, known: await lookAt(steward()) });
      forget();
      steward().log("info", "An MCP server was approved", { server: name, definition: given.definition, tools: given.tools.length });
      return described(name);
    },
    async test(who, name) {
      const server = configured(steward(), name);
      await approved(steward(), name, server);
      await running.end(name);
      // What others were shown is asked for anew when they next use it.
      await dropListings(
        steward(),
        name,
        shownOf(server).filter((person) => person !== who.person),
      );
      forget();
      const startedAt = performance.now();
      const { version } = await running.connection(who, name, server);
      return { server: await described(name), ms: Math.round(performance.now() - startedAt), version };
    },
  };
}

function signIns({ steward, running }: Parts): Pick<Servers, "mine" | "signIn" | "signedIn" | "signOut"> {
  const attempts = openAttempts<SignIn>(() => steward().now());
  return {
    async mine(who) {
      const found = serversOf(steward(), who, shownOf).filter(([, { url }]) => url !== undefined);
      return Promise.all(
        found.map(async ([name, server]) => {
          const kept = await vaultFor(steward(), { name, person: who.person, server })?.read();
          return { name, what: whatOf(server), signedIn: kept?.tokens !== undefined };
        }),
      );
    },
    async signIn(who, name, { by, page }) {
      const server = usable(steward(), who, name, shownOf);
      if (page === undefined) throw new StewardError("invalid", "Signing in begins on the page, under MCP servers");
      const redirect = `${page}/mcp-servers`;
      await approved(steward(), name, server);
      const begun = await attempts.begin({ person: who.person, by }, async (state) => ({ name, server, attempt: { state }, redirect }));
      const url = await beginSignIn(steward(), who, begun.held);
      await running.end(name, who.person);
      return url === undefined ? { signedIn: true } : { url: url.href, signedIn: false };
    },
    async signedIn(who, by, callback) {
      const held = attempts.take(callback.state, { person: who.person, by });
      await endSignIn(steward(), who, { held, callback });
      await running.end(held.name, who.person);
      return { server: held.name, signedIn: true };
    },
    async signOut(who, name) {
      const server = usable(steward(), who, name, shownOf);
      await running.end(name, who.person); // first, so that no renewal brings tokens back
      await vaultFor(steward(), { name, person: who.person, server })?.forget();
    },
  };
}

/** Who was shown what this server is not any more, or not to them. */
function leftOut(before: ServerConfig, now: ServerConfig): string[] {
  const still = new Set(definitionHash(before) === definitionHash(now) ? shownOf(now) : []);
  return shownOf(before).filter((person) => !still.has(person));
}

/** Those that this person uses; by `shownOf`, those that they are shown. */
function serversOf(steward: Steward, who: Principal, whose = peopleOf): [string, ServerConfig][] {
  if (who.via === "local") return [];
  return Object.entries(steward.settings.config().mcp.servers).filter(([, server]) => server.enabled && whose(server).includes(who.person));
}

function configured(steward: Steward, name: string): ServerConfig {
  const { servers } = steward.settings.config().mcp;
  if (Object.hasOwn(servers, name)) return servers[name]!;
  throw new StewardError("not_found", `There is no MCP server ${name}`, { hint: "steward mcp list shows them." });
}

function usable(steward: Steward, who: Principal, name: string, whose = peopleOf): ServerConfig {
  const found = serversOf(steward, who, whose).find(([one]) => one === name);
  if (found) return found[1];
  throw new StewardError("not_found", `There is no MCP server ${name}`);
}

async function approved(steward: Steward, name: string, server: ServerConfig): Promise<PinDoc> {
  const doc = await readPins(steward, name);
  if (doc.definition?.hash === definitionHash(server)) return doc;
  throw new StewardError("denied", `The server ${name} is not approved as it is defined now`, {
    hint: `The owner can look at it and approve it: steward mcp approve ${name}`,
  });
}

function parsed(name: string, given: unknown): ServerConfig {
  if (!SERVER_NAME.test(name)) throw new StewardError("invalid", "The name has letters, digits, - and _, and begins with a letter");
  refusePrototype(given);
  const result = mcpConfig.safeParse({ servers: { [name]: given } });
  if (result.success) return result.data.servers[name]!;
  const problems = result.error.issues.map(({ path, message }) => `${path.slice(2).join(".") || name}: ${message}`);
  throw new StewardError("invalid", `The server ${name} is not defined rightly: ${problems.join("; ")}`);
}

interface Approved {
  mine: [string, ServerConfig][];
  docs: Docs;
  toolOf(server: string, name: string, pin: Pin): Tool;
}

/** In the order of the names, so that the same approvals give the same bytes. Steward's own names win. */
function approvedTools(own: Tool[], { mine, docs: { docs, listings }, toolOf }: Approved): Tool[] {
  const taken = new Set([...OWN_NAMES, ...own.map(({ name }) => name)]);
  const found = mine.flatMap(([name, server]) => {
    const doc = docs.get(name);
    if (doc?.definition?.hash !== definitionHash(server)) return [];
    return Object.entries(doc.tools).flatMap(([tool, pin]) => {
      const form = usableForm(server, tool, { pin, listing: listings.get(name) });
      return form === undefined ? [] : [toolOf(name, tool, form)];
    });
  });
  return found.filter(({ name }) => !taken.has(name) && taken.add(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

interface Described {
  is: Pick<McpServer, "note" | "retryAt"> & { state: McpServer["state"] };
  known: Known;
}

function describe(steward: Steward, name: string, { is, known }: Described): McpServer {
  const server = configured(steward, name);
  const hash = definitionHash(server);
  const before = known.docs.get(name)?.definition;
  const agreed = before?.hash === hash;
  return {
    name,
    kind: kindOf(server),
    what: whatOf(server),
    enabled: server.enabled,
    ...is,
    state: !server.enabled ? "off" : agreed ? is.state : "unapproved",
    people: peopleOf(server),
    ...(agreed ? {} : { wants: { hash, text: definitionText(server), ...(before ? { before: before.text } : {}) } }),
    tools: toolsOf(name, server, known),
  };
}
