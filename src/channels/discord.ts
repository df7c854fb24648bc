// Discord by its gateway and its REST interface, through the parts of discord.js: nothing has to be public. Its settings and set-up; the account itself is loaded when there is one.
import * as z from "zod/mini";
import type { ChannelKind } from "../core/channel.ts";
import type { DiscordConfig } from "./discord-account.ts";
import { withName } from "./hints.ts";

const config = z.strictObject({
  token: z.string().check(z.regex(/^[\w-]{20,}\.[\w-]{4,}\.[\w-]{20,}$/, "must be a bot's token: three parts with dots between")),
  /** Where its REST interface is. */
  api: z._default(z.url(), "https://discord.com/api"),
  /** Everything that is written in rooms; needs Message Content Intent at the developer portal. False: only what mentions the bot. */
  messageContent: z._default(z.boolean(), true),
  /** So long its gateway may take to answer a heartbeat. */
  answerSeconds: z._default(z.number().check(z.minimum(0.1), z.maximum(30)), 8),
});

/** See channels, write, also in threads, attach files, read what was said, react. */
const RIGHTS = "274878008384";

export default {
  name: "discord",
  title: "Discord",
  needs: [
    { key: "token", about: "The bot's token: discord.com/developers/applications → your application → Bot → Reset Token.", secret: true },
  ],
  guide: [
    "1. At **discord.com/developers/applications**: *New Application*, with the name that Steward shall have there.",
    "2. *Bot* → *Reset Token*: bring the token here. It is shown once.",
    "3. *Bot* → *Privileged Gateway Intents*: switch on **Message Content Intent**. The other two are not needed.",
    "4. *Installation*: the link *None*, and under *Bot* switch *Public Bot* off, so that nobody else can invite it.",
    `5. Invite it to a server of yours, with the Application ID of *General Information* in the place of ID: \`https://discord.com/oauth2/authorize?client_id=ID&scope=bot+applications.commands&permissions=${RIGHTS}\``,
    "6. Write to the bot alone: click it in the list of members. Steward answers with a code; approve it, and you are in.",
    "7. For rooms: *Settings* → *Advanced* → *Developer Mode*, then a right click on the channel and on people copies their ids for `groups`.",
  ].join("\n"),
  config,
  async open(given, host) {
    const { openAccount } = await import("./discord-account.ts");
    return withName(host, (own) => openAccount(given, own));
  },
} satisfies ChannelKind<DiscordConfig>;
