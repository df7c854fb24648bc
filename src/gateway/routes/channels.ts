// Routes about channels, who is let in there, and undelivered messages. What they mean is src/chats.
import type { Answered, RouteName } from "../../core/api.ts";
import { channelEntry, secretName } from "../../core/config-channels.ts";
import { masked } from "../../core/config-masked.ts";
import { deadLetters, forgetLetter, resend } from "../../chats/letters.ts";
import { acceptPending, approve, pairings, type Pairing, pendingPairings, refusePending, unpair } from "../../chats/pairing.ts";
import { envOf, removeChannel, setChannel } from "../../chats/setting.ts";
import type { ChannelInfo } from "../../run/chats.ts";
import type { Steward } from "../../run/steward.ts";
import { StewardError } from "../../std/error.ts";
import type { Handlers } from "../table.ts";
import { takeHook } from "./channels-hook.ts";

type Names = Extract<RouteName, `channels.${string}` | `hooks.${string}` | `pairings.${string}` | `letters.${string}`>;
type Configured = Answered<"channels.list">["channels"][number];

const OURS = ["enabled", "kind", "strangers", "allow", "groups", "alertMinutes", "keepHours"];

async function configured(steward: Steward, info: ChannelInfo): Promise<Configured> {
  const given = steward.settings.config().channels[info.name];
  const entry = given ?? channelEntry.parse({});
  const kind = await steward.chats.kind(info.kind).catch(() => undefined);
  const secrets: string[] = [];
  for (const { key, secret } of kind?.needs ?? [])
    if (secret && (await steward.secrets.where(secretName(info.name, key)))) secrets.push(key);
  const settings = masked(Object.fromEntries(Object.entries(entry).filter(([key]) => !OURS.includes(key)))) as Record<string, unknown>;
  const { strangers, groups, allow } = entry;
  return { ...info, secrets, settings, strangers, groups, allow, found: given === undefined };
}

async function one(steward: Steward, name: string): Promise<Configured> {
  const info = (await steward.chats.list()).find((channel) => channel.name === name);
  if (!info) throw new StewardError("not_found", `There is no channel "${name}"`, { hint: "steward channels lists them." });
  return configured(steward, info);
}

async function gatewayOf(steward: Steward): Promise<Answered<"channels.list">["gateway"]> {
  const on = (await steward.chats.list()).filter(({ state }) => state === "healthy" || state === "doubtful").map(({ name }) => name);
  const [pending, paired] = [await pendingPairings(steward), await pairings(steward)];
  return {
    running: on.length > 0,
    channels: on,
    pending_approvals: pending.length,
    paired_senders: paired.length,
    routing_mode: "pairing",
  };
}

const shown = ({ channel, from, name, person, role, at }: Pairing) => ({ channel, from, name, person, role, at });
const given = (as: { person?: string | undefined; role?: Pairing["role"] | undefined }) => ({
  ...(as.person === undefined ? {} : { person: as.person }),
  ...(as.role === undefined ? {} : { role: as.role }),
});

export const channels = {
  "channels.list": async ({ steward }) => ({
    channels: await Promise.all((await steward.chats.list()).map((info) => configured(steward, info))),
    gateway: await gatewayOf(steward),
    kinds: (await steward.chats.kinds()).map((kind) => ({
      ...{ name: kind.name, title: kind.title, guide: kind.guide },
      needs: kind.needs.map(({ key, about, secret = false, optional = false }) => ({
        key,
        about,
        secret,
        optional,
        env: envOf(kind, key),
      })),
    })),
  }),
  "channels.set": async ({ steward, who, id, body }) => {
    await setChannel(steward, id, body);
    steward.log("info", "A channel was changed", { channel: id, by: who.person, via: who.via });
    await steward.chats.refresh();
    return one(steward, id);
  },
  "channels.remove": async ({ steward, who, id }) => {
    await one(steward, id);
    await removeChannel(steward, id);
    steward.log("info", "A channel was taken out", { channel: id, by: who.person, via: who.via });
    await steward.chats.refresh();
    return { success: true };
  },
  "channels.test": async ({ steward, id, body }) => {
    const settings = Object.fromEntries(Object.entries(body.settings).filter(([, value]) => value !== null));
    return steward.chats.test({ name: id, kind: body.kind ?? steward.settings.config().channels[id]?.kind ?? id, settings });
  },
  "channels.connect": ({ steward, id }) => steward.chats.again(id),
  "hooks.take": ({ steward, visit, id }) => takeHook(steward, visit, id),
  "pairings.list": async ({ steward }) => ({
    pending: (await pendingPairings(steward)).map(({ id, channel, from, name, expiresAt }) => ({ id, channel, from, name, expiresAt })),
    paired: (await pairings(steward)).map(shown),
  }),
  "pairings.accept": async ({ steward, id, body }) => shown(await acceptPending(steward, id, given(body))),
  "pairings.refuse": async ({ steward, id }) => {
    await refusePending(steward, id);
    return { success: true };
  },
  "pairings.approve": async ({ steward, who, body: { channel, code, ...as } }) =>
    shown(await approve(steward, { channel, code, by: who.person, ...given(as) })),
  "pairings.remove": async ({ steward, body: { channel, from } }) => {
    await unpair(steward, channel, from);
    return { success: true };
  },
  "letters.list": async ({ steward, who }) => ({
    letters: (await deadLetters(steward, who)).map(({ id, to, at, text, error, unknown }) => ({
      id,
      channel: to.channel,
      chat: to.chat,
      at,
      text,
      error,
      unknown,
    })),
  }),
  "letters.resend": async ({ steward, who, id }) => {
    await resend(steward, who, id);
    return { success: true };
  },
  "letters.remove": async ({ steward, who, id }) => {
    await forgetLetter(steward, who, id);
    return { success: true };
  },
} satisfies Pick<Handlers, Names>;
