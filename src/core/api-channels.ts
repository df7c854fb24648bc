// Routes about channels: accounts at chat platforms, who is let in there, and messages that were not delivered.
import * as z from "zod/mini";
import { count, id, ok, type Route, text, time } from "./api-shapes.ts";

const name = text.check(z.regex(/^[a-z][a-z0-9-]{0,31}$/, "must be a name such as telegram or team-slack"));
const role = z.enum(["owner", "member", "guest"]);
const state = z.enum(["off", "missing", "opening", "healthy", "doubtful", "waiting", "refused", "elsewhere"]);
const settings = z.record(text.check(z.maxLength(64)), z.union([text.check(z.maxLength(20_000)), z.number(), z.boolean(), z.null()]));

export const channel = z.object({
  name: text,
  kind: text,
  title: text,
  state,
  /** Steward's own account there. */
  account: z.optional(text),
  problem: z.optional(text),
  hint: z.optional(text),
  since: time,
  /** The platform was last heard, and a message last came in. */
  heardAt: z.optional(time),
  messageAt: z.optional(time),
  retryAt: z.optional(time),
  missing: z.array(text),
  /** Messages that wait to go out. */
  waiting: count,
});
export type ChannelView = z.infer<typeof channel>;
const configured = z.object({
  ...channel.shape,
  /** Only the names of its secrets that are set; what stands in the configuration is not secret. */
  secrets: z.array(text),
  settings: z.record(text, z.unknown()),
  strangers: z.enum(["pair", "ignore"]),
  groups: z.record(text, z.object({ people: z.array(text) })),
  allow: z.union([z.array(text), z.record(text, text)]),
  /** It is not in the configuration: a secret of it was found. */
  found: z.boolean(),
});
const kind = z.object({
  name: text,
  title: text,
  /** Markdown: what to do at the platform. */
  guide: text,
  needs: z.array(z.object({ key: text, about: text, secret: z.boolean(), optional: z.boolean(), env: z.array(text) })),
});
export type ChannelKindView = z.infer<typeof kind>;
export type ConfiguredChannel = z.infer<typeof configured>;
const pending = z.object({ id: text, channel: text, from: text, name: text, expiresAt: time });
const paired = z.object({ channel: text, from: text, name: text, person: text, role, at: time });
export const letter = z.object({
  id: text,
  channel: text,
  chat: text,
  at: time,
  text,
  error: text,
  /** It may have arrived all the same. */
  unknown: z.boolean(),
});
const as = { person: z.optional(id), role: z.optional(role) };

export const channelRoutes = {
  "channels.list": {
    method: "GET",
    path: "/api/channels",
    right: "owner",
    summary: "The channels: how each is, and which platforms there are.",
    response: z.object({
      channels: z.array(configured),
      kinds: z.array(kind),
      /** In the words of the older interface. */
      gateway: z.object({
        running: z.boolean(),
        channels: z.array(text),
        pending_approvals: count,
        paired_senders: count,
        routing_mode: text,
      }),
    }),
  },
  "channels.set": {
    method: "PUT",
    path: "/api/channels/:id",
    right: "owner",
    summary: "Makes a channel or changes it; holds at once. Secrets among the settings are kept apart; null takes one out.",
    body: z.strictObject({
      kind: z.optional(name),
      enabled: z.optional(z.boolean()),
      settings: z._default(settings, () => ({})),
      strangers: z.optional(z.enum(["pair", "ignore"])),
      groups: z.optional(
        z.record(text.check(z.maxLength(300)), z.strictObject({ people: z.array(text.check(z.maxLength(300))).check(z.maxLength(1000)) })),
      ),
      allow: z.optional(z.union([z.array(text), z.record(text, text)])),
    }),
    response: configured,
  },
  "channels.remove": {
    method: "DELETE",
    path: "/api/channels/:id",
    right: "owner",
    summary: "Ends a channel and forgets its settings and secrets. Who is paired there stays so.",
    response: ok,
  },
  "channels.test": {
    method: "POST",
    path: "/api/channels/:id/test",
    right: "owner",
    summary: "Tries settings at the platform without keeping them: goes there and back.",
    body: z.strictObject({ kind: z.optional(name), settings: z._default(settings, () => ({})) }),
    response: z.object({ account: text }),
  },
  "channels.connect": {
    method: "POST",
    path: "/api/channels/:id/connect",
    right: "owner",
    summary: "Connects anew at once.",
    response: channel,
  },
  "hooks.take": {
    method: "POST",
    path: "/hooks/:id",
    right: "public",
    summary: "What a platform tells a channel; checked by the channel over the raw bytes.",
    response: z.unknown(),
    raw: "file",
  },
  "pairings.list": {
    method: "GET",
    path: "/api/pairings",
    right: "owner",
    summary: "Who is let in at chat platforms, and who asks to be.",
    response: z.object({ pending: z.array(pending), paired: z.array(paired) }),
  },
  "pairings.accept": {
    method: "POST",
    path: "/api/pairings/:id/accept",
    right: "owner",
    summary: "Lets somebody in who asks: as an existing person, or as a guest of their own.",
    body: z.strictObject(as),
    response: paired,
  },
  "pairings.refuse": {
    method: "POST",
    path: "/api/pairings/:id/refuse",
    right: "owner",
    summary: "Forgets that somebody asks.",
    response: ok,
  },
  "pairings.approve": {
    method: "POST",
    path: "/api/pairings",
    right: "owner",
    summary: "Lets in whoever was told this code there.",
    body: z.strictObject({ channel: name, code: text.check(z.maxLength(40)), ...as }),
    response: paired,
  },
  "pairings.remove": {
    method: "POST",
    path: "/api/pairings/remove",
    right: "owner",
    summary: "Takes somebody out: what comes from there is a stranger's again.",
    body: z.strictObject({ channel: name, from: text.check(z.maxLength(300)) }),
    response: ok,
  },
  "letters.list": {
    method: "GET",
    path: "/api/letters",
    right: "self",
    summary: "Your messages that were not delivered, or of which nobody knows, newest first.",
    response: z.object({ letters: z.array(letter) }),
  },
  "letters.resend": {
    method: "POST",
    path: "/api/letters/:id/resend",
    right: "self",
    summary: "Sends it once more.",
    response: ok,
  },
  "letters.remove": {
    method: "DELETE",
    path: "/api/letters/:id",
    right: "self",
    summary: "Forgets it.",
    response: ok,
  },
} as const satisfies Record<string, Route>;
