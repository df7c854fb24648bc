// Settings of what Steward does by itself.
import * as z from "zod/mini";

const chat = z.optional(z.string().check(z.minLength(1)));

export const heartbeatConfig = z._default(
  z.strictObject({
    /** Whether the sections of HEARTBEAT.md run. Without a section nothing does. */
    enabled: z._default(z.boolean(), true),
    /** The owner's results go to this chat: a channel's name, and the chat's id there. Absent: to the owner. */
    default_channel: chat,
    default_channel_id: chat,
    /** Results go nowhere but into the log and the history. */
    silent: z._default(z.boolean(), false),
    /** Tokens that one run of a section may use. */
    tokens: z._default(z.int().check(z.minimum(1000)), 50_000),
  }),
  () => ({ enabled: true, silent: false, tokens: 50_000 }),
);
