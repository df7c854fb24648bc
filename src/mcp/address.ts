// A server at an address: every request through the one outbound client, to the server's own origin; what signing in needs, only where it was declared.
import type { AuthProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { ServerConfig } from "../core/config-mcp.ts";
import type { Fetch } from "../core/ports.ts";
import { isLoopback } from "../run/addresses.ts";
import { outbound, type Outbound } from "../run/outbound.ts";
import { StewardError } from "../std/error.ts";
import type { Log } from "../std/log.ts";
import { within } from "../std/within.ts";
import type { Sdk } from "./connection.ts";
import type { Provider } from "./oauth.ts";

export interface Address {
  fetch: Fetch;
  /** With which token the request was made that this answers. */
  tokenOf(response: Response): string | undefined;
  /** Throws denied unless a person may be sent there to sign in. */
  mayVisit(url: URL): void;
  /** An issuer whose metadata was read before, through this same way. */
  declared(issuer: string): void;
  close(): Promise<void>;
}

const DISCOVERY = /^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(?:\/|$)|\/\.well-known\/openid-configuration$/;
const OWN_BYTES = 64e6;
const OTHER_BYTES = 1e6;
const GOODBYE_MS = 1500;

/** Others than the server: its declared issuers (whose metadata was read), and what the owner lists. By https, or on this machine where the server is too. */
export function openAddress({ url = "", oauth }: ServerConfig, log: Log): Address {
  const own = new URL(url);
  const local = isLoopback(own.hostname);
  const listed = new Set(oauth?.origins ?? []);
  const issuers = new Set<string>();
  const sent = new WeakMap<Response, string>();
  const clients = {
    own: outbound({ log, allow: (origin) => origin === own.origin || listed.has(origin), maxBytes: OWN_BYTES }),
    public: outbound({ log, maxBytes: OTHER_BYTES }),
    here: outbound({ log, allow: (origin) => local && isLoopback(new URL(origin).hostname), maxBytes: OTHER_BYTES, idleMs: 60_000 }),
  };
  const isKnown = (origin: string): boolean => origin === own.origin || listed.has(origin);
  const refuse = (at: URL, why: string): never => {
    throw new StewardError("denied", `The server ${own.host} led to ${at.origin}, ${why}, so it is not asked`, {
      hint: "If that is right, list it: steward config set mcp.servers.NAME.oauth.origins '[\"https://…\"]'",
    });
  };
  const isHere = (at: URL): boolean => local && isLoopback(at.hostname);
  const mayVisit = (at: URL): void => {
    if (at.protocol !== "https:" && !isHere(at)) refuse(at, "which is not https");
    if (!isKnown(at.origin) && !issuers.has(at.origin)) refuse(at, "which it did not declare");
  };
  const clientFor = (at: URL, method: string): Outbound => {
    if (isKnown(at.origin)) return clients.own;
    if (at.protocol !== "https:" && !isHere(at)) refuse(at, "which is not https");
    const reads = method === "GET" && DISCOVERY.test(at.pathname);
    if (reads) issuers.add(at.origin);
    else if (!issuers.has(at.origin)) refuse(at, "which it did not declare");
    return isHere(at) ? clients.here : clients.public;
  };
  return {
    fetch: async (input, init) => {
      const at = new URL(input instanceof Request ? input.url : input);
      const response = platforms(await clientFor(at, (init?.method ?? "GET").toUpperCase())(input, { ...init, redirect: "manual" }));
      const token = /^Bearer (.+)$/.exec(new Headers(init?.headers).get("authorization") ?? "")?.[1];
      if (token !== undefined) sent.set(response, token);
      return response;
    },
    tokenOf: (response) => sent.get(response),
    mayVisit,
    declared(issuer) {
      const at = URL.parse(issuer);
      if (at && (at.protocol === "https:" || isHere(at))) issuers.add(at.origin);
    },
    close: async () => void (await Promise.all([clients.own.close(), clients.public.close(), clients.here.close()])),
  };
}

/** As the platform's own class: the client library takes no other for an answer of OAuth. */
function platforms({ body, status, statusText, headers }: Response): Response {
  return new Response([204, 205, 304].includes(status) ? null : body, { status, statusText, headers });
}

interface Way {
  url: string;
  headers: Record<string, string>;
  address: Address;
  provider: Provider | AuthProvider;
}

/** Streamable HTTP. Its own reconnecting is bounded; its session is ended with it, where the server hears that in time. */
export function addressTransport(mcp: Sdk, { url, headers, address, provider }: Way): StreamableHTTPClientTransport {
  const transport = new mcp.StreamableHTTPClientTransport(new URL(url), {
    fetch: (at, init) => address.fetch(at, init),
    requestInit: { headers },
    authProvider: provider,
    reconnectionOptions: { initialReconnectionDelay: 500, maxReconnectionDelay: 15_000, reconnectionDelayGrowFactor: 2, maxRetries: 5 },
  });
  const close = transport.close.bind(transport);
  transport.close = async () => {
    const late = (): Error => new Error("The server did not hear of the end in time");
    await within(transport.terminateSession(), GOODBYE_MS, late).catch(() => undefined); // it ends there by itself, too
    await close();
  };
  return transport;
}
