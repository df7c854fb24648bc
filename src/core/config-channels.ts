// The settings of channels that are the same for all; each adapter owns the rest of its entry.
import * as z from "zod/mini";

const id = z.string().check(z.minLength(1), z.maxLength(300));

export const channelEntry = z.looseObject({
  /** Absent: it is used as soon as its secrets are found. */
  enabled: z.optional(z.boolean()),
  /** The adapter, when the entry does not bear its name: a second account at the same platform. */
  kind: z.optional(z.string()),
  /** What somebody unknown gets who writes to it alone: a pairing code, or nothing. */
  strangers: z._default(z.enum(["pair", "ignore"]), "pair"),
  /** Platform ids that are served without a code: each as the person named, or as a guest of their own. */
  allow: z._default(z.union([z.array(id), z.record(id, z.string())]), () => []),
  /** Rooms in which it answers, by their platform ids, and the platform ids of those whom it answers there. Nobody else. */
  groups: z._default(z.record(id, z.strictObject({ people: z._default(z.array(id), () => []) })), () => ({})),
  /** After so long in doubt the owner is told by another channel. */
  alertMinutes: z._default(z.number().check(z.minimum(1)), 10),
  /** For so long a message waits for a platform that can't be reached. */
  keepHours: z._default(z.number().check(z.minimum(1)), 72),
});
export type ChannelEntry = z.infer<typeof channelEntry>;

/** What src/chats reads of a webhook's entry: in whose name it speaks is settled here, by the owner, and by nothing that comes in. */
export const hookSettings = {
  /** Whose session it is. Absent: a guest's of its own. */
  person: z.optional(id),
  as: z._default(z.enum(["owner", "member", "guest"]), "guest"),
  /** What is to be done with what comes in: instructions, unlike that itself. */
  prompt: z._default(z.string().check(z.minLength(1), z.maxLength(10_000)), "A webhook has brought this."),
  /** Where answers and notices go. */
  url: z.optional(z.url()),
};
const hook = z.object(hookSettings);
export type Hook = z.infer<typeof hook>;
/** The one chat of each webhook. */
export const HOOK_CHAT = "webhook";

/** Undefined for every other kind of channel, and for one that is not set up rightly: that is not open. */
export const hookOf = (name: string, entry: ChannelEntry | undefined): Hook | undefined =>
  (entry?.kind ?? name) === "webhook" ? hook.safeParse(entry ?? {}).data : undefined;

export const channelsConfig = z._default(
  z.record(z.string().check(z.regex(/^[a-z][a-z0-9-]{0,31}$/, "must be a name such as telegram or team-slack")), channelEntry),
  () => ({}),
);

/** Secrets of the adapters that Steward brings along, by key of the entry, and the environment variables that may hold them, best first. A second account has no variables. */
export const CHANNEL_SECRETS: Record<string, Record<string, string[]>> = {
  telegram: { token: ["TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"], webhookSecret: [] },
  slack: { botToken: ["SLACK_BOT_TOKEN"], appToken: ["SLACK_APP_TOKEN"], signingSecret: ["SLACK_SIGNING_SECRET"] },
  discord: { token: ["DISCORD_BOT_TOKEN", "DISCORD_TOKEN"] },
  webhook: { secret: ["WEBHOOK_SECRET"] },
  email: { password: ["EMAIL_PASSWORD"] },
  matrix: { accessToken: ["MATRIX_ACCESS_TOKEN"] },
};

/** The name under which a secret of an entry is kept: `telegram.token`. */
export const secretName = (entry: string, key: string): string => `${entry}.${key.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)}`;
