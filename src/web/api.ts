// The page's calls: same origin, cookie and proof, typed by the table of routes but without its schemas, which would weigh a fifth of the page. Streams are the client's.
import type { Answered, GivenBody, GivenQuery, RouteName } from "../core/api.ts";
import { failureOf } from "../client/failure.ts";
import { StewardError } from "../std/error.ts";
import { proof } from "./proof.ts";

/** Checked against core/api.ts by a test. */
export const paths = {
  "health.get": "GET /api/health",
  "claim.redeem": "POST /api/claim",
  "me.get": "GET /api/me",
  "me.leave": "POST /api/logout",
  "claim.make": "POST /api/claim-link",
  "tokens.list": "GET /api/tokens",
  "tokens.make": "POST /api/tokens",
  "tokens.remove": "DELETE /api/tokens/:id",
  "sessions.list": "GET /api/sessions",
  "sessions.make": "POST /api/sessions",
  "sessions.get": "GET /api/sessions/:id",
  "sessions.change": "PATCH /api/sessions/:id",
  "sessions.remove": "DELETE /api/sessions/:id",
  "sessions.clear": "POST /api/sessions/:id/clear",
  "sessions.events": "GET /api/sessions/:id/events",
  "sessions.say": "POST /api/sessions/:id/messages",
  "sessions.cancel": "POST /api/sessions/:id/cancel",
  "agents.list": "GET /api/sessions/:id/agents",
  "asks.answer": "POST /api/asks/:id",
  "grants.list": "GET /api/grants",
  "grants.remove": "DELETE /api/grants/:id",
  "undo.list": "GET /api/undo",
  "undo.one": "POST /api/undo/:id",
  "choice.get": "GET /api/choice",
  "config.get": "GET /api/config",
  "config.change": "PATCH /api/config",
  "models.list": "GET /api/models",
  "secrets.list": "GET /api/secrets",
  "secrets.set": "PUT /api/secrets/:id",
  "secrets.remove": "DELETE /api/secrets/:id",
  "logs.tail": "GET /api/logs",
  "permissions.get": "GET /api/permissions",
  "permissions.put": "PUT /api/permissions",
  "permissions.toggle": "POST /api/permissions/toggle",
} as const satisfies Partial<Record<RouteName, `${string} ${string}`>>;
export type Known = keyof typeof paths;

export interface Given<N extends Known> {
  params?: { id: string };
  query?: GivenQuery<N>;
  body?: GivenBody<N>;
  signal?: AbortSignal;
}

/** Runs when the gateway says that nobody is signed in here. */
export const whenSignedOut = { run: (): void => {}, shutOut: (_why: StewardError): void => {} };

/** The answer's JSON. Throws StewardError; `unavailable` when the server can't be reached. */
export const call = <N extends Known>(name: N, given: Given<N> = {}): Promise<Answered<N>> => ask<N>(paths[name], given);

/** As `call`, for the tables that lazily loaded pages bring along. */
export async function ask<N extends RouteName>(
  route: string,
  given: { params?: { id: string }; query?: GivenQuery<N>; body?: GivenBody<N>; signal?: AbortSignal },
): Promise<Answered<N>> {
  const [method = "GET", path = ""] = route.split(" ");
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(given.query ?? {})) if (value !== undefined) search.set(key, String(value));
  const url = path.replace(":id", encodeURIComponent(given.params?.id ?? "")) + (search.size > 0 ? `?${search}` : "");
  const response = await request(url, {
    method,
    headers: { accept: "application/json", ...(method === "GET" ? {} : { "content-type": "application/json" }) },
    ...(method === "GET" ? {} : { body: JSON.stringify(given.body ?? {}) }),
    ...(given.signal ? { signal: given.signal } : {}),
  });
  return (await response.json()) as Answered<N>;
}

/** As the gateway says it to somebody whose credential is good. */
export const SUSPENDED = "Your access to this Steward is suspended";
export const PROOF = "x-steward-proof";

const AGAIN_MS = 300;

/** A request with the cookie and its proof; what only reads is tried twice, since a network that changes breaks what is connected just then. Throws StewardError for anything but success. */
export async function request(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set(PROOF, proof());
  const send = (): Promise<Response> => fetch(url, { ...init, headers, credentials: "same-origin", redirect: "error" });
  const again = (error: unknown): Promise<Response> => {
    if (init.signal?.aborted || (init.method ?? "GET") !== "GET") throw error;
    return new Promise((resolve) => setTimeout(resolve, AGAIN_MS)).then(send);
  };
  const response = await send()
    .catch(again)
    .catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      throw new StewardError("unavailable", "Steward can't be reached.", { hint: "Is it running? ./steward start", cause: error });
    });
  if (response.ok) return response;
  if (response.status === 401 && !url.startsWith("/api/claim")) whenSignedOut.run();
  const failure = await failureOf(response);
  if (response.status === 403 && failure.message === SUSPENDED) whenSignedOut.shutOut(failure);
  throw failure;
}
