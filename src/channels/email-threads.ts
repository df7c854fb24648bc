// Which mails make a conversation: what each answers decides, also after a restart and when programs name only a part of it. And questions to the mailbox that must not wait for ever.
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";
import { remember } from "./bounds.ts";
import { imapFault } from "./email-faults.ts";
import { type Line, type Thread } from "./email-line.ts";

/** Printable ASCII: they stand in heads and keys. */
const IDS = /<[!-;=?-~]{3,250}>/g;
export const idsIn = (value = ""): string[] => value.match(IDS) ?? [];
export const isId = (text: string): boolean => idsIn(text)[0] === text;

/** Within the time that the server has. */
export function answered<T>({ config, host }: Pick<Line, "config" | "host">, work: Promise<T>): Promise<T> {
  const late = (): Error => new StewardError("unavailable", "The mailbox does not answer");
  return within(work, config.answerSeconds * 1000, late).catch((error: unknown) => {
    throw imapFault(error, host.name);
  });
}

/** What a mail says it answers, nearest first; the last is the first of the conversation, if its program names all. */
export const answersOf = (inReplyTo: string | undefined, references: string | undefined): string[] => [
  ...new Set([...idsIn(inReplyTo).slice(0, 1), ...idsIn(references).toReversed()]),
];

/** Of a mail of Steward's own in a conversation: its Message-ID names the first one, since there is no copy of it to look into. */
export function messageIdOf(plain: string, domain: string, root: string | undefined): string {
  const id = root === undefined ? "" : `<steward.${plain}+${Buffer.from(root.slice(1, -1)).toString("base64url")}@${domain}>`;
  return isId(id) ? id : `<steward.${plain}@${domain}>`;
}

function namedRoot({ config }: Line, id: string): string | undefined {
  const [, root, domain] = /^<steward\.[\w.-]+\+([\w-]+)@([^@]+)>$/.exec(id) ?? [];
  if (root === undefined || domain !== config.address.split("@")[1]) return undefined;
  const named = `<${Buffer.from(root, "base64url").toString()}>`;
  return isId(named) ? named : undefined;
}

/** The first mail of the conversation, as far as that is known without asking. */
export function knownRoot(line: Line, chat: string, answers: string[]): string | undefined {
  for (const id of answers) {
    const root = line.roots.get(`${chat} ${id}`) ?? namedRoot(line, id);
    if (root !== undefined) return root;
  }
  return undefined;
}

/** Else what lies in the mailbox of what it answers tells. Undefined: nothing of it does. */
export async function lookedUpRoot(line: Line, chat: string, answers: string[]): Promise<string | undefined> {
  for (const id of answers.slice(0, 3)) {
    const mail = await newest(line, { from: chat, header: { "message-id": id } });
    if (!mail) continue;
    const before = answersOf(mail.inReplyTo, mail.references);
    return knownRoot(line, chat, before) ?? before.at(-1) ?? id;
  }
  return undefined;
}

interface Known extends Thread {
  root: string;
  id: string;
  answers: string[];
}

/** Only of people who may speak: what others write must not change what is known. */
export function note(line: Line, chat: string, { root, id, answers, subject, references }: Known): void {
  for (const one of [...answers, id]) if (!line.roots.has(`${chat} ${one}`)) remember(line.roots, `${chat} ${one}`, root);
  const before = line.threads.get(`${chat} ${root}`)?.references ?? references;
  remember(line.threads, `${chat} ${root}`, { subject, references: chained(root, [...before, id]) });
}

/** Not all of a long one; the first stays, or programs take what follows for another conversation. */
function chained(root: string, more: string[]): string[] {
  const rest = [...new Set(more)].filter((id) => id !== root);
  return [root, ...rest.slice(-11)];
}

/** What is known of a conversation, looked up in the mailbox after a restart. */
export async function threadOf(line: Line, { chat, thread: root = "" }: Address): Promise<Thread> {
  const known = line.threads.get(`${chat} ${root}`);
  if (known) return known;
  const mail =
    (await newest(line, { from: chat, header: { references: root } })) ??
    (await newest(line, { from: chat, header: { "in-reply-to": root } })) ??
    (await newest(line, { from: chat, header: { "message-id": root } }));
  const references = chained(root, mail ? [...idsIn(mail.references), ...idsIn(mail.id)] : []);
  const thread = { subject: mail?.subject ?? "", references };
  remember(line.threads, `${chat} ${root}`, thread);
  return thread;
}

interface Found {
  id: string;
  subject: string;
  inReplyTo: string;
  references: string;
}

async function newest(line: Line, asked: { from: string; header: Record<string, string> }): Promise<Found | undefined> {
  const uids = await answered(line, line.imap.search(asked, { uid: true }));
  const uid = Array.isArray(uids) ? uids.at(-1) : undefined;
  if (uid === undefined) return undefined;
  const mail = await answered(line, line.imap.fetchOne(String(uid), { uid: true, envelope: true, headers: ["references"] }, { uid: true }));
  if (!mail) return undefined;
  const { messageId: id = "", inReplyTo = "", subject = "" } = mail.envelope ?? {};
  return { id, subject, inReplyTo, references: mail.headers?.toString("latin1") ?? "" };
}
