// What is refused before anything is looked at: foreign hosts and origins, forged state changes. Who asks is `auth.ts`.
import type { Config } from "../core/config.ts";
import { type Own, originAllowed } from "./addresses.ts";
import { type Caller, PROOF } from "./auth.ts";
import { refusal } from "./status.ts";

export const isChange = (method: string): boolean => method !== "GET" && method !== "HEAD" && method !== "OPTIONS";

export const wrongHost = () =>
  refusal("denied", "This server is not called by that name", {
    status: 421,
    hint: "Call it by localhost, or add the name: steward config set server.hosts '[\"steward.lan\"]'.",
  });

export const wrongOrigin = () =>
  refusal("denied", "This page's origin is not allowed", {
    status: 403,
    hint: "If it is yours: steward config set server.origins '[\"http://localhost:3000\"]'.",
  });

/** Headers for an origin that may read the answer; undefined for a request without Origin. Throws for any other. */
export function corsHeaders(headers: Headers, own: Own, config: Config): Record<string, string> | undefined {
  const origin = headers.get("origin");
  if (origin === null) return undefined;
  if (!originAllowed(origin, own, config)) throw wrongOrigin();
  if (!config.server.origins.includes(origin)) return undefined;
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    vary: "Origin",
    "cross-origin-resource-policy": "cross-origin",
  };
}

export const preflight = (cors: Record<string, string>): Response =>
  new Response(null, {
    status: 204,
    headers: {
      ...cors,
      "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": `authorization, content-type, last-event-id, ${PROOF}`,
      "access-control-max-age": "600",
    },
  });

/** A cookie alone proves nothing about who sent the request: the browser has to say that Steward's own (or an added) page did. The Origin was checked before. */
export function trusted(caller: Caller | undefined, request: Request): Caller | undefined {
  if (!caller?.ambient || request.headers.has("origin")) return caller;
  const site = request.headers.get("sec-fetch-site");
  if (!isChange(request.method)) return site === null || site === "same-origin" || site === "none" ? caller : undefined;
  if (site === "same-origin") return caller;
  throw refusal("denied", "A change with only a cookie must come from Steward's own page", {
    status: 403,
    hint: "Programs send a token: steward token.",
  });
}
