// The listener of WebChat and of the plain page: their files, signing in, tickets, WebChat's socket, returned files.
import { createHash } from "node:crypto";
import type { WebSocket } from "ws";
import * as z from "zod/mini";
import type { Principal } from "../../core/types.ts";
import { isNamed } from "../../run/named.ts";
import { isSuspended, type Person, personKey, personOf } from "../../run/persons.ts";
import { hostName, isLoopback, type Own, plainAddress } from "../addresses.ts";
import { type Auth, type Caller, openAuth, type Peer } from "../auth.ts";
import { fit, MAX_OPEN_JSON, readJson } from "../body.ts";
import { corsHeaders, preflight, trusted } from "../guards.ts";
import { SECURITY } from "../headers.ts";
import { type Arrived, openListener } from "../listener.ts";
import { type Live, openLive } from "../live.ts";
import { type Entry, openEntry } from "../os-agent/entry.ts";
import { looksLikeJwt } from "../os-agent/jwt.ts";
import { openPages, type Pages } from "../pages.ts";
import { answerFailure, json, unauthenticated } from "../status.ts";
import type { Gate, Plain } from "../table.ts";
import { looksLikeTicket } from "../tickets.ts";
import { serveWebChat } from "../webchat.ts";
import { giveFile, namesOf, nothingThere, type Wanted, wantedFile } from "./files.ts";

export interface PlainDoor extends Plain {
  /** A one-time link that makes a browser the owner's at this page, for ten minutes. */
  claimLink(): Promise<string>;
  /** Done within 2 seconds. */
  close(): Promise<void>;
}
export interface PlainOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Where OS-Agent's socket listens. */
  socket: Own;
  /** Folder of the built page. */
  web: string | undefined;
  /** What is at `/`: WebChat, or OS-Agent's page, which is there by default. */
  page?: "chat" | "os-agent" | undefined;
}

interface House {
  gate: Gate;
  own: Own;
  socket: Own;
  /** This port's cookies; what is open to programs of this machine is not open to pages. */
  auth: Auth;
  entry: Entry;
  pages: Pages;
  page: "chat" | "os-agent";
  /** WebChat's sockets. */
  live: Live;
}

const claimBody = z.strictObject({ code: z.string().check(z.maxLength(200)) });
/** `chat`: for WebChat's socket. */
const ticketBody = z.strictObject({ user: z.optional(z.string().check(z.maxLength(200))), chat: z.optional(z.boolean()) });
type TicketBody = z.infer<typeof ticketBody>;
const plainName = (host: string): string => {
  const name = isEvery(host) ? "127.0.0.1" : host;
  return name.includes(":") ? `[${name}]` : name;
};
const isEvery = (host: string): boolean => host === "0.0.0.0" || host === "::";

/** Throws conflict when the port is in use. */
export async function openPlain(gate: Gate, { host, port, socket, web, page: first = "os-agent" }: PlainOptions): Promise<PlainDoor> {
  const listener = await openListener(
    { host, port },
    { hint: "Another port for the plain page: steward config set webchat.port 8081, or FRONTEND_PORT." },
  );
  const { steward } = gate;
  const own: Own = { host, port: listener.port };
  const url = `http://${plainName(host)}:${own.port}`;
  const plain: Plain = { own, url, claimUrl: (code) => `${url}/claim#${code}` };
  const auth = openAuth(steward, { localToken: gate.auth.localToken, port: () => own.port, loopback: false });
  const entry = openEntry(gate, own);
  const house: House = { gate, own, socket, auth, entry, pages: openPages(web), page: first, live: openLive(entry) };
  gate.plain = plain;
  listener.serve({ steward, own, visit: (arrived) => visit(house, arrived), upgrade: (arrived) => upgrade(house, arrived) });
  return {
    ...plain,
    claimLink: async () => plain.claimUrl((await auth.claim()).code),
    async close() {
      if (gate.plain === plain) delete gate.plain;
      await listener.close(() => house.live.close());
    },
  };
}

async function visit(house: House, arrived: Arrived): Promise<Response> {
  const { steward } = house.gate;
  const { request } = arrived;
  try {
    const cors = corsHeaders(request.headers, house.own, steward.settings.config()) ?? {};
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) return preflight(cors);
    const response = await answer(house, arrived);
    for (const [name, value] of Object.entries(cors)) response.headers.set(name, value);
    return response;
  } catch (error) {
    return answerFailure(error, steward.log, steward.now());
  }
}

async function answer(house: House, arrived: Arrived): Promise<Response> {
  const { request } = arrived;
  const path = request.url.replace(/^[^/]*\/\/[^/]*/, "").replace(/[?#].*$/s, "") || "/";
  if (request.method === "GET" || request.method === "HEAD") {
    const wanted = wantedFile(path);
    return wanted ? file(house, arrived, wanted) : page(house, arrived, path);
  }
  if (request.method === "POST" && path === "/api/claim") return claim(house, arrived);
  if (request.method === "POST" && path === "/api/ticket") return ticket(house, arrived);
  if (request.method === "POST" && path === "/api/logout") return leave(house, arrived);
  throw nothingThere();
}

/** Both pages are at their own paths; one of them is at `/` too, where the link leads. */
function page(house: House, { request, host }: Arrived, path: string): Response | Promise<Response> {
  const isFirst = path === "/" || path === "/claim";
  if (path === "/chat" || (isFirst && house.page === "chat")) return chatPage(house);
  const asked = path === "/os-agent" ? new Request(new URL("/", request.url), request) : request;
  const found = /^\/(?:s\/|chat\.html)/.test(path) ? undefined : house.pages(asked);
  if (!found) throw nothingThere();
  if (!found.headers.get("content-type")?.startsWith("text/html")) return found;
  const csp = SECURITY["content-security-policy"]!.replace("connect-src 'self'", `connect-src 'self' ${socketUrl(house.socket, host)}`);
  found.headers.set("content-security-policy", csp);
  // Only the page itself may use the microphone, and reach OS-Agent's socket.
  found.headers.set("permissions-policy", SECURITY["permissions-policy"]!.replace("microphone=()", "microphone=(self)"));
  return found;
}

/** WebChat is one file: exactly the script and the style that stand in it may run. */
async function chatPage({ pages }: House): Promise<Response> {
  const found = pages(new Request("http://localhost/chat.html"));
  if (!found) return pages(new Request("http://localhost/")) ?? new Response(null, { status: 404 });
  const text = await found.text();
  const hash = (tag: string): string => {
    const inner = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(text)?.[1] ?? "";
    return `'sha256-${createHash("sha256").update(inner).digest("base64")}'`;
  };
  const csp = SECURITY["content-security-policy"]!.replace("script-src 'self'", `script-src ${hash("script")}`).replace(
    "style-src 'self'",
    `style-src ${hash("style")}`,
  );
  return new Response(text, {
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache", "content-security-policy": csp },
  });
}

/** By the name that the page was called by, where the socket answers to it. */
function socketUrl(socket: Own, host: string): string {
  const name = hostName(host) ?? "127.0.0.1";
  const here = isEvery(socket.host) || (isLoopback(plainAddress(socket.host)) && name === "localhost" && socket.host === "localhost");
  return `ws://${plainName(here ? name : socket.host)}:${socket.port}`;
}

// ---- Who is there

const bearerOf = (headers: Headers): string | undefined => /^Bearer +(\S.*)$/i.exec(headers.get("authorization") ?? "")?.[1];

/** What comes for OS-Agent's socket is contained. */
async function identify({ auth, entry }: House, { request, peer, known }: Arrived, chat = false): Promise<Caller | undefined> {
  const bearer = bearerOf(request.headers);
  const own = bearer === undefined || (chat && !looksLikeJwt(bearer));
  const found = own ? trusted(await auth.caller(request.headers, peer), request) : await entry.byToken(bearer, peer);
  if (found) known();
  return found;
}

/** WebChat's socket: the path, the origin, then a token, a ticket, or an open door. */
async function upgrade(house: House, { headers, url, peer }: { headers: Headers; url: string; peer: Peer }) {
  const { gate, own, auth, entry, live } = house;
  const { steward, hub } = gate;
  corsHeaders(headers, own, steward.settings.config());
  if (url.replace(/\?.*$/s, "") !== "/ws") throw nothingThere();
  const ticket = /(?:^|,)\s*steward\.([\w-]{1,200})\s*(?:,|$)/.exec(headers.get("sec-websocket-protocol") ?? "")?.[1];
  const bearer = bearerOf(headers);
  const show = async (): Promise<Caller | undefined> => {
    if (bearer !== undefined)
      return looksLikeJwt(bearer) ? entry.byToken(bearer, peer) : auth.caller(new Headers({ authorization: `Bearer ${bearer}` }), peer);
    if (ticket !== undefined) return looksLikeTicket(ticket) ? gate.tickets.redeem(ticket) : undefined;
    return entry.isOpen(headers, peer) ? entry.named(steward.settings.config().osAgent.defaultUser) : undefined;
  };
  const caller = await show();
  if (!caller || !(await entry.holds(caller))) throw unauthenticated();
  return (opened: WebSocket) => serveWebChat({ steward, hub, live }, caller, opened);
}

async function claim({ auth }: House, { request, peer, known }: Arrived): Promise<Response> {
  const { code } = fit(claimBody, await readJson(request, { bytes: MAX_OPEN_JSON, ms: 5000, inside: false }), "body") as { code: string };
  const { cookie, ...who } = await auth.redeem(code, peer);
  known();
  return json(who, 200, { "set-cookie": cookie });
}

async function ticket(house: House, arrived: Arrived): Promise<Response> {
  const { gate, socket, entry } = house;
  const { request, peer } = arrived;
  const { osAgent } = gate.steward.settings.config();
  const { user, chat = false } = fit(
    ticketBody,
    (await readJson(request, { bytes: MAX_OPEN_JSON, ms: 5000, inside: false })) ?? {},
    "body",
  ) as TicketBody;
  const known = await identify(house, arrived, chat);
  // Where OS-Agent's door is open, it is for this page too; anybody else's page was refused by its origin.
  const guest = known || !entry.isOpen(request.headers, peer) ? undefined : await entry.named(user?.trim() || osAgent.defaultUser);
  const caller = known ?? guest;
  if (!caller) throw unauthenticated();
  const { person } = caller.principal;
  const [folder] = await namesOf(gate.steward, caller.principal);
  const answered = {
    ticket: gate.tickets.make(caller),
    socket: socketUrl(socket, arrived.host),
    user: (await personOf(gate.steward, person))?.name ?? person,
    session: osAgent.defaultSession,
    folder,
    guest: guest !== undefined,
  };
  return json(answered, 200, caller.cookie ? { "set-cookie": caller.cookie } : {});
}

async function leave(house: House, arrived: Arrived): Promise<Response> {
  const { gate, auth } = house;
  const caller = await identify(house, arrived);
  if (!caller?.ambient) throw unauthenticated();
  await gate.steward.store.commit({ drop: [caller.by] });
  gate.live.revoke(caller.by);
  house.live.revoke(caller.by);
  return json({ success: true }, 200, { "set-cookie": auth.noCookie(arrived.peer) });
}

// ---- Returned files

async function file(house: House, arrived: Arrived, wanted: Wanted): Promise<Response> {
  const { request, peer } = arrived;
  const caller = await identify(house, arrived);
  const who = caller?.principal ?? (await byName(house, { headers: request.headers, peer, user: wanted.user }));
  if (!who) {
    // A link that was followed shows no proof of its own: the page fetches the file with its proof.
    if (request.headers.get("sec-fetch-mode") !== "navigate") throw unauthenticated();
    return new Response(null, {
      status: 303,
      headers: { location: `${house.page === "chat" ? "/os-agent" : "/"}#${request.url.replace(/^[^/]*\/\/[^/]*\//, "")}` },
    });
  }
  const given = await giveFile(house.gate.steward, who, wanted);
  if (request.method !== "HEAD") return given;
  await given.body?.cancel();
  return new Response(null, { headers: given.headers });
}

/** Where OS-Agent's door is open to this machine, its programs and this page come as the user they name; here too. */
async function byName(
  { gate, entry }: House,
  { headers, peer, user }: { headers: Headers; peer: Peer; user: string },
): Promise<Principal | undefined> {
  const site = headers.get("sec-fetch-site") ?? "same-origin";
  if (site !== "same-origin" || headers.has("origin") || !entry.isOpen(headers, peer)) return undefined;
  const persons = (await gate.steward.store.list(personKey("")))
    .map(({ value }) => value as Person)
    .filter((person) => isNamed(person.id) && !isSuspended(person));
  const found = persons.find((person) => person.computer === user) ?? persons.find((person) => person.name === user);
  return found && { person: found.id, role: found.role, via: "osAgent" };
}
