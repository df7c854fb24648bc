// A mail as Steward takes it: who wrote it, in which conversation, and, once they may speak, what they say. Until then only its head is fetched.
import { createHash } from "node:crypto";
import type { FetchMessageObject } from "imapflow";
import type { Email } from "postal-mime";
import type { Inbound } from "../core/channel.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import type { Line } from "./email-line.ts";
import { contentOf } from "./email-parts.ts";
import { isAutomatic, plainAddress, senderOf } from "./email-sender.ts";
import { answersOf, idsIn, knownRoot, lookedUpRoot, note } from "./email-threads.ts";

/** A head that does not fit is nobody's. */
const MOST_HEAD = 65_536;
/** What is asked of the mailbox for it. */
export const HEAD = { uid: true, internalDate: true, bodyParts: [{ key: "HEADER", start: 0, maxLength: MOST_HEAD }] };
/** How programs begin the subject of what is passed on. */
const FORWARDS = /^(?:fwd?|wg|tr|rv|enc|doorst|vb|vl|pd)\s*:/i;

/** Undefined: it is not for Steward. */
export async function inboundOf(line: Line, message: FetchMessageObject): Promise<Inbound | undefined> {
  const { host, config } = line;
  const head = message.headers;
  if (!head || head.length === 0 || head.length >= MOST_HEAD) return dropped(line, message, "its head is too long, or none");
  const { default: PostalMime, addressParser } = await import("postal-mime");
  const mail = await PostalMime.parse(head, { maxNestingDepth: 1 });
  const from = mail.headers
    .filter(({ key }) => key === "from")
    .flatMap(({ value }) => addressParser(value, { flatten: true }).map(({ address = "" }) => address));
  const claimed = plainAddress(from[0] ?? "");
  if (claimed === config.address.toLowerCase()) return undefined;
  const sender = senderOf(mail.headers, from, { ...config, relays: [config.imapHost, ...config.relays] });
  if (isAutomatic(mail.headers, claimed)) return bounced(line, message, mail);
  if ("why" in sender) return dropped(line, message, sender.why);
  const chat = sender.address;
  const id = idOf(mail);
  const answers = answersOf(mail.inReplyTo, mail.references);
  const to = { channel: host.name, chat, thread: knownRoot(line, chat, answers) ?? answers.at(-1) ?? id };
  const type = mail.headers.find(({ key }) => key === "content-type")?.value;
  const digest = createHash("sha256").update(JSON.stringify([mail.date, mail.subject, type]));
  const name = mail.from?.name ?? "";
  return {
    ...{ key: `${id}/${digest.digest("hex").slice(0, 16)}`, kind: "message", from: chat, name: name === "" ? chat : name },
    ...{ to, where: "direct", addressed: true, text: "", message: id },
    read: () => read(line, { uid: message.uid, to, mail, answers }),
    ...(message.internalDate === undefined ? {} : { at: new Date(message.internalDate).getTime() }),
  };
}

interface Heard {
  uid: number;
  to: { channel: string; chat: string; thread: string };
  mail: Email;
  answers: string[];
}

async function read(line: Line, { uid, to, mail, answers }: Heard): Promise<Partial<Inbound>> {
  const { chat } = to;
  const subject = (mail.subject ?? "").replace(/\s+/g, " ").trim().slice(0, 300);
  try {
    const known = knownRoot(line, chat, answers);
    const root = known ?? (await lookedUpRoot(line, chat, answers)) ?? to.thread;
    const forwards = FORWARDS.test(subject);
    const { own, passed, files } = await contentOf(line, uid, forwards);
    note(line, chat, { root, id: idOf(mail), answers, subject, references: answers.toReversed() });
    const title = answers.length === 0 && !own.startsWith("/") ? subject : "";
    const [text, more] = forwards ? [own, joined(subject, passed)] : [joined(title, own), passed];
    return { to: { ...to, thread: root }, text, files, ...(more === "" ? {} : { passed: more }) };
  } catch (error) {
    if (!line.imap.usable || hasCode(error, "unavailable")) throw new StewardError("unavailable", messageOf(error));
    // Of one that can't be read the same would come each time.
    line.host.log("warning", "A mail could not be read", { uid, error: messageOf(error) });
    throw error instanceof StewardError ? error : new StewardError("invalid", "This mail can't be read");
  }
}

const joined = (...texts: string[]): string => texts.filter((one) => one !== "").join("\n\n");

function dropped({ host }: Line, { uid }: FetchMessageObject, why: string): undefined {
  host.log("warning", "A mail was not taken: nobody can know who wrote it", { uid, why });
  return undefined;
}

/** What a program wrote is answered by nobody; that a mail did not arrive is told in the log. */
function bounced({ host }: Line, { uid }: FetchMessageObject, { headers, subject = "" }: Email): undefined {
  const type = headers.find(({ key }) => key === "content-type")?.value ?? "";
  if (/report-type\s*=\s*"?delivery-status/i.test(type)) host.log("warning", "A mail came back", { uid, subject: subject.slice(0, 200) });
  return undefined;
}

/** Of a mail without an id: one made from all that its head says. */
function idOf({ messageId, headers }: Email): string {
  const made = (): string => createHash("sha256").update(JSON.stringify(headers)).digest("hex").slice(0, 32);
  return idsIn(messageId)[0] ?? `<${made()}@no-id.invalid>`;
}
