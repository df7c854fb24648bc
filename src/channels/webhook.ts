// Webhooks: other programs call /hooks/<name>, signed; what Steward says there goes to an address of theirs, signed too.
import * as z from "zod/mini";
import type { ChannelHost, ChannelKind, HookAnswer, HookRequest, Outgoing } from "../core/channel.ts";
import { HOOK_CHAT, hookSettings } from "../core/config-channels.ts";
import { neverLeft } from "../core/left.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { counter } from "./bounds.ts";
import { worded } from "./webhook-payload.ts";
import { signature, verified } from "./webhook-signature.ts";

const isNear = (url: string): boolean => /^http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/?#]|$)/i.test(url);
const config = z.strictObject({
  secret: z.string().check(z.minLength(16, "must have 16 characters at least"), z.maxLength(512)),
  style: z._default(z.enum(["steward", "github"]), "steward"),
  /** Of what came in: `{{path.to.value}}`. Absent: the whole payload. */
  template: z.optional(z.string().check(z.minLength(1), z.maxLength(4000))),
  /** The address's origin, to say that it may be a private one. */
  origin: z.optional(z.url()),
  ...hookSettings,
  url: z.optional(
    z.url().check(z.refine((url) => /^https:\/\//i.test(url) || isNear(url), "must begin with https://, unless it is on this machine")),
  ),
});
type Config = z.infer<typeof config>;

const SEND_MS = 30_000;
const MOST_WRONG = 20;

export default {
  name: "webhook",
  title: "Webhook",
  needs: [
    { key: "secret", about: "What both sides sign with: 16 characters at least, such as `openssl rand -hex 32` gives.", secret: true },
    { key: "prompt", about: 'What is to be done with what comes in, such as "A build has failed; look into it:".', optional: true },
    {
      key: "person",
      about: "In whose name it speaks: their session has the answers. Without one it is a guest of its own.",
      optional: true,
    },
    { key: "as", about: "guest, member or owner: what it may do, and never more than that person. Without it: guest.", optional: true },
    { key: "style", about: "github, for webhooks of GitHub and those like it. Without it: steward.", optional: true },
    {
      key: "template",
      about: "The words made of the payload, such as `{{repository.name}}: {{action}}`. Without it: all of it.",
      optional: true,
    },
    { key: "url", about: "Where answers go by POST. Without it they stand in the session only.", optional: true },
    { key: "origin", about: "Only for an address that is not public: its origin, such as https://10.0.0.5:9000.", optional: true },
  ],
  guide: [
    "1. Make a secret (`openssl rand -hex 32`), bring it here, and give it to the other program.",
    "2. That program sends its messages by POST to `/hooks/NAME` of Steward's address, NAME being this channel's.",
    "3. It signs each: header `x-steward-signature: t=SECONDS,v1=HEX`, HEX being HMAC-SHA256 of `SECONDS.BODY`. GitHub signs by itself: `style` is `github`, its content type `application/json`.",
    "4. From another machine, Steward is reached by a name only when `server.hosts` has it; in front of it stands a proxy with TLS.",
  ].join("\n"),
  config,
  outside: ["url"],
  async open(given, host) {
    host.hook(listener(given, host));
    return {
      limits: { text: 100_000, file: 0, buttons: 0 },
      length: (text) => text.length,
      send: (_to, message, key) => post(given, host, { message, key }),
      repeatable: true,
      probe: async () => ({ account: `/hooks/${host.name}` }),
      close: async () => {},
    };
  },
} satisfies ChannelKind<Config>;

const answer = (status: number, body: object, headers: Record<string, string> = {}): HookAnswer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
const refusal = (status: number, error: string, headers?: Record<string, string>): HookAnswer => answer(status, { error }, headers);

function listener(given: Config, host: ChannelHost): (request: HookRequest) => Promise<HookAnswer> {
  const wrong = counter(host.now, MOST_WRONG);
  return async (request) => {
    const verdict = verified(given, request, host.now());
    if ("wrong" in verdict) {
      const until = wrong(request.peer);
      if (until === undefined) return refusal(401, verdict.wrong);
      return refusal(429, "Too many wrong messages from this address", { "retry-after": String(Math.ceil((until - host.now()) / 1000)) });
    }
    host.heard();
    const { mark } = verdict;
    // It says that the address is right, and nothing else.
    if (given.style === "github" && request.headers["x-github-event"] === "ping") return answer(202, { id: mark });
    const text = worded(request.body, given.template);
    if (text.trim() === "") return refusal(400, "There is nothing in it");
    try {
      const to = { channel: host.name, chat: HOOK_CHAT };
      await host.inbox({ key: mark, kind: "message", from: HOOK_CHAT, to, where: "direct", text, message: mark });
      return answer(202, { id: mark });
    } catch (error) {
      return failed(error, host);
    }
  };
}

function failed(error: unknown, host: ChannelHost): HookAnswer {
  if (hasCode(error, "conflict")) return refusal(409, "This message was taken before");
  if (hasCode(error, "limit")) return refusal(429, messageOf(error), { "retry-after": "60" });
  host.log("warning", "What a webhook brought was not taken", { error: messageOf(error) });
  if (hasCode(error, "denied")) return refusal(403, "It is not taken in this name");
  return refusal(503, "It could not be kept; send it again later", { "retry-after": "30" });
}

/** The same bytes under the same key each time; whoever reads it takes a key once. */
async function post(given: Config, host: ChannelHost, { message, key }: { message: Outgoing; key: string }): Promise<string> {
  if (given.url === undefined) throw new StewardError("invalid", `The webhook ${host.name} has no address to send to (url)`);
  const body = new TextEncoder().encode(JSON.stringify({ type: "message", id: key, channel: host.name, text: message.text }));
  const headers = { "content-type": "application/json", "idempotency-key": key, ...signature(given, body, host.now()) };
  const response = await host
    .fetch(given.url, { method: "POST", headers, body, redirect: "manual", signal: AbortSignal.timeout(SEND_MS) })
    .catch((error: unknown) => {
      throw explained(error);
    });
  await response.body?.cancel().catch(() => {});
  refuse(response, host.now());
  host.heard();
  return key;
}

function explained(error: unknown): unknown {
  if (hasCode(error, "denied"))
    return new StewardError("denied", messageOf(error), { hint: "If the address is meant: name its origin in the setting `origin`." });
  if (neverLeft(error) || (error instanceof StewardError && error.code !== "unavailable")) return error;
  return new Error(messageOf(error)); // it may have arrived
}

/** A redirect is an answer like any other: nothing is sent to where it leads. */
function refuse({ ok, status, headers }: Response, now: number): void {
  if (ok) return;
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(headers.get("retry-after") ?? "");
    const retryAt = seconds > 0 && seconds <= 86_400 ? { retryAt: now + seconds * 1000 } : {};
    throw new StewardError("unavailable", `The webhook's address answered ${status}`, retryAt);
  }
  if (status >= 300 && status < 400)
    throw new StewardError("denied", `The webhook's address answered ${status}: redirects are not followed`);
  throw new StewardError("invalid", `The webhook's address refused the message (${status})`);
}
