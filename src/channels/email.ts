// E-mail: a mailbox of Steward's own, read by IMAP (told by IDLE) and answered by SMTP. An address is a person, a conversation is a thread.
import * as z from "zod/mini";
import type { Channel, ChannelHost, ChannelKind } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";
import { imapFault } from "./email-faults.ts";
import { type Config, isLoopback, type Line } from "./email-line.ts";
import { reading } from "./email-reading.ts";
import { connected, sendMail } from "./email-sending.ts";
import { isAddress } from "./email-sender.ts";
import { answered } from "./email-threads.ts";

const hostName = z
  .string()
  .check(z.regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$/, "must be the name of a server, such as imap.example.org"));
const port = z.number().check(z.int(), z.minimum(1), z.maximum(65_535));
const config = z.strictObject({
  /** Of the mailbox: what is sent comes from it. */
  address: z.string().check(z.refine(isAddress, "must be an e-mail address")),
  password: z.string().check(z.minLength(1)),
  /** The name to sign in with, where it is not the address. */
  user: z.optional(z.string()),
  /** Shown beside the address. */
  name: z._default(z.string().check(z.regex(/^[^\p{Cc}]{1,80}$/u)), "Steward"),
  imapHost: hostName,
  /** 993: encrypted from the first byte; another one: by STARTTLS, and never without. */
  imapPort: z._default(port, 993),
  smtpHost: hostName,
  /** 465: encrypted from the first byte; another one: by STARTTLS, and never without. */
  smtpPort: z._default(port, 465),
  /** `off` only for servers on this machine. */
  encryption: z._default(z.enum(["on", "off"]), "on"),
  folder: z._default(z.string(), "INBOX"),
  /** How the receiving server calls itself in Authentication-Results. Only what it vouches for is somebody. */
  authserv: hostName,
  /** Other servers of the provider through which mails come in, as they stand behind “by” in Received: a name covers all below it. */
  relays: z._default(z.array(hostName).check(z.maxLength(20)), () => []),
  /** `from`: every sender is believed. Only for a mailbox that no stranger can write to: else anybody is whoever they say. */
  trust: z._default(z.enum(["authserv", "from"]), "authserv"),
  /** For so long a server may think. */
  answerSeconds: z._default(z.number().check(z.minimum(1), z.maximum(300)), 30),
});

const MOST_TEXT = 60_000;
const MOST_FILE = 15 * 1024 * 1024;
const SMTP_SEEN_MS = 900_000;

export default {
  name: "email",
  title: "E-mail",
  needs: [
    { key: "address", about: "Address of a mailbox that is Steward's own." },
    { key: "password", about: "Its password; most providers want one made for one program (“app password”).", secret: true },
    { key: "imapHost", about: "Server where its mails are read, such as imap.example.org (port 993)." },
    { key: "smtpHost", about: "Server that sends its mails, such as smtp.example.org (port 465; else set smtpPort)." },
    {
      key: "authserv",
      about:
        "How the server that receives its mails calls itself: the first word behind “Authentication-Results:” in a mail that came in, such as mx.google.com. Without it nobody could know who wrote a mail, so it has to be set; with a wrong one every mail is dropped, and the log says why.",
    },
  ],
  guide: [
    "1. Make a **mailbox of its own** for Steward. Not yours: whoever is let in there talks to Steward, and what is read is marked as seen.",
    "2. In the provider's settings turn on IMAP, and make a password for one program (Gmail: *Security → 2-Step Verification → App passwords*).",
    "3. Send a mail to the new address from your own, open it there in full (*Show original*, *View source*) and look for the first line **Authentication-Results:**. The word right behind it is `authserv` (Gmail: `mx.google.com`); `dmarc=pass` should stand there too. Anybody can write any address into a mail: Steward believes no sender that this server does not vouch for, so without that line the mailbox can't be used.",
    "4. Bring address, password, the two servers and `authserv` here. What was in the mailbox before is not answered.",
    "5. Write to it. Steward answers with a code; approve it, and you are in.",
  ].join("\n"),
  config,
  async open(given, host) {
    if (given.encryption === "off" && !(isLoopback(given.imapHost) && isLoopback(given.smtpHost)))
      throw new StewardError("invalid", "Mail servers on other machines are only spoken to encrypted", {
        hint: `Take channels.${host.name}.encryption out.`,
      });
    const line = await lineOf(given, host);
    try {
      (await connected(line)).quit();
      const { done } = await reading(line);
      return channel(line, done);
    } catch (error) {
      line.stop.abort();
      line.imap.close();
      throw error;
    }
  },
} satisfies ChannelKind<Config>;

async function lineOf(given: Config, host: ChannelHost): Promise<Line> {
  const { ImapFlow } = await import("imapflow");
  const { imapHost, imapPort, encryption, user, address, password, answerSeconds } = given;
  const secure = encryption === "on" && imapPort === 993;
  const ms = answerSeconds * 1000;
  const imap = new ImapFlow({
    ...{ host: imapHost, port: imapPort, secure, auth: { user: user ?? address, pass: password }, logger: false },
    ...(secure ? {} : { doSTARTTLS: encryption === "on" }),
    ...{ disableAutoIdle: true, disableBinary: true, maxIdleTime: 240_000, connectionTimeout: ms, greetingTimeout: ms },
  });
  const line: Line = {
    ...{ config: given, host, imap, stop: new AbortController(), smtp: { at: 0 } },
    ...{ threads: new Map(), roots: new Map() },
  };
  imap.on("error", (error) => host.log("debug", "The mailbox's connection has a fault", { error: error.message }));
  imap.on("close", () => {
    if (!line.stop.signal.aborted) host.lost(new StewardError("unavailable", "The mailbox's connection is gone"));
  });
  try {
    await answered(line, imap.connect());
  } catch (error) {
    line.stop.abort();
    imap.close();
    throw imapFault(error, host.name);
  }
  return line;
}

function channel(line: Line, done: Promise<void>): Channel {
  const { config: given, imap, stop, host } = line;
  return {
    limits: { text: MOST_TEXT, file: MOST_FILE, buttons: 0 },
    length: (markdown) => markdown.length,
    send: (to, message, key) => sendMail(line, { to, message, key }),
    async probe() {
      if (imap.usable)
        await answered(line, imap.noop()).catch((error: unknown) => {
          if (imap.usable) throw error;
        });
      if (!imap.usable) {
        // A new sign-in tells whether the account is refused.
        (await connected(line)).quit();
        throw new StewardError("unavailable", "The mailbox's connection is gone");
      }
      if (host.now() - line.smtp.at > SMTP_SEEN_MS) (await connected(line)).quit();
      return { account: given.address.toLowerCase() };
    },
    async close() {
      stop.abort();
      imap.close();
      await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 1500).unref())]);
    },
  };
}
