// What comes into the mailbox: told by IDLE, read in order of arrival. The place up to which was read moves on only when a mail is durable; nothing is deleted.
import type { FetchMessageObject } from "imapflow";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { imapFault } from "./email-faults.ts";
import type { Line } from "./email-line.ts";
import { HEAD, inboundOf } from "./email-messages.ts";
import { sendMail } from "./email-sending.ts";
import { answered } from "./email-threads.ts";

const AT_ONCE = 8;
const MOST_AFTER_REBUILD = 1000;

/** `done` when it no longer reads. What was there before the first time is not answered. */
export async function reading(line: Line): Promise<{ done: Promise<void> }> {
  const { imap, host, stop } = line;
  const box = await answered(line, imap.mailboxOpen(line.config.folder));
  const place = placeOf((await host.cursor.get()) ?? "", {
    ...{ validity: String(box.uidValidity), newest: box.uidNext - 1 },
    whose: `${line.config.address.toLowerCase()} ${line.config.folder}`,
  });
  await host.cursor.put(written(place));
  const news = { now: Promise.withResolvers<void>() };
  imap.on("exists", () => news.now.resolve());
  stop.signal.addEventListener("abort", () => news.now.resolve());
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        news.now = Promise.withResolvers<void>();
        await takeNew(line, place);
        const begun = Date.now();
        const idling = imap.idle();
        idling.catch(() => {});
        await Promise.race([idling, news.now.promise]);
        // A server that ends it at once must not be asked without a pause.
        if (Date.now() - begun < 50) await Promise.race([news.now.promise, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
      } catch (error) {
        if (!stop.signal.aborted) host.lost(hasCode(error, "unavailable") ? error : imapFault(error, host.name));
        return;
      }
    }
  };
  return { done: run() };
}

interface Place {
  /** The mailbox: in another one nothing was read yet. */
  whose: string;
  validity: string;
  /** What has a higher number is new … */
  uid: number;
  /** … and up to this one only without a mark of having been seen: the mailbox was made anew, so the numbers from before mean nothing. */
  unseen: number;
}

/** `kept`: as it is written, or without a mailbox, as it was once. */
function placeOf(kept: string, { newest, ...now }: Pick<Place, "validity" | "whose"> & { newest: number }): Place {
  const [, was, uid, unseen, whose = now.whose] = /^([^: ]+):(\d+)(?::(\d+))?(?: (.*))?$/.exec(kept) ?? [];
  if (was === undefined || whose !== now.whose) return { ...now, uid: newest, unseen: 0 };
  return was === now.validity ? { ...now, uid: Number(uid), unseen: Number(unseen ?? 0) } : { ...now, uid: 0, unseen: newest };
}
const written = ({ validity, uid, unseen, whose }: Place): string => `${validity}:${uid}${uid < unseen ? `:${unseen}` : ""} ${whose}`;

async function takeNew(line: Line, place: Place): Promise<void> {
  const { imap, host, stop } = line;
  const wanted = await newOnes(line, place);
  host.heard();
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const now = wanted.slice(at, at + AT_ONCE);
    const mails = await answered(line, imap.fetchAll(now.join(","), HEAD, { uid: true }));
    host.heard();
    for (const uid of now) {
      if (stop.signal.aborted) return;
      const mail = mails.find((one) => one.uid === uid);
      // Of a connection that is gone there come none, and no fault.
      if (!mail && !imap.usable) throw new StewardError("unavailable", "The mailbox's connection is gone");
      if (mail) await take(line, mail);
      else host.log("warning", "A mail could not be read: it is gone", { uid });
      place.uid = Math.max(place.uid, uid);
      await host.cursor.put(written(place));
    }
  }
  if (place.uid >= place.unseen) return;
  place.uid = place.unseen;
  await host.cursor.put(written(place));
}

/** In order of arrival. */
async function newOnes(line: Line, { uid, unseen }: Place): Promise<number[]> {
  const search = async (range: string, more: object = {}): Promise<number[]> => {
    const found = await answered(line, line.imap.search({ uid: range, ...more }, { uid: true }));
    if (!Array.isArray(found)) throw new StewardError("unavailable", "The mailbox can't be searched");
    return found.filter((one) => one > uid).toSorted((a, b) => a - b);
  };
  const all = await search(`${uid + 1}:*`);
  if (uid >= unseen) return all;
  const old = (await search(`${uid + 1}:${unseen}`, { seen: false })).filter((one) => one <= unseen);
  if (old.length > MOST_AFTER_REBUILD)
    line.host.log("warning", "The mailbox was made anew, and more in it is not read than is taken; the oldest are left out", {
      mails: old.length,
    });
  return [...old.slice(-MOST_AFTER_REBUILD), ...all.filter((one) => one > unseen)];
}

async function take(line: Line, mail: FetchMessageObject): Promise<void> {
  const { host, imap } = line;
  const message = await inboundOf(line, mail).catch((error: unknown) => {
    // The same would come each time.
    host.log("warning", "A mail could not be read", { uid: mail.uid, error: messageOf(error) });
    return undefined;
  });
  if (!message) return;
  const { text } = await host.inbox(message);
  await answered(line, imap.messageFlagsAdd(String(mail.uid), ["\\Seen"], { uid: true })).catch((error: unknown) => {
    if (!imap.usable) throw error;
  });
  if (text) await sendMail(line, { to: message.to, message: { text }, key: `said-${message.key}` }).catch(() => undefined);
}
