// The parts of a mail: which are its words, which are files. Each is fetched by itself, and never more of it than was allowed.
import type { MessageStructureObject } from "imapflow";
import type { InboundFile } from "../core/channel.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { within } from "../std/within.ts";
import { imapFault } from "./email-faults.ts";
import type { Line } from "./email-line.ts";
import { answered } from "./email-threads.ts";
import { clipped, fromHtml, ownWords, type Words } from "./email-words.ts";

const MOST_PARTS = 60;
const MOST_DEPTH = 12;
const MOST_WORDS = 400_000;
/** So many mails within a mail are read; all of them are files as well. */
const MOST_MAILS = 3;

interface Leaf {
  node: MessageStructureObject;
  name: string;
}

/** Outermost first, so many and so deep; a mail within a mail is one file. */
function leavesOf(root: MessageStructureObject): Leaf[] {
  const out: Leaf[] = [];
  const walk = (node: MessageStructureObject, depth: number): void => {
    if (out.length >= MOST_PARTS || depth > MOST_DEPTH) return;
    if (node.type.startsWith("multipart/")) for (const child of node.childNodes ?? []) walk(child, depth + 1);
    else out.push({ node, name: (node.dispositionParameters?.["filename"] ?? node.parameters?.["name"] ?? "").slice(0, 500) });
  };
  walk(root, 0);
  return out;
}

const isWords = ({ node, name }: Leaf): boolean =>
  (node.type === "text/plain" || node.type === "text/html") && node.disposition !== "attachment" && name === "";
const NO_FILES = /^(application\/(pgp-signature|pkcs7-signature|x-pkcs7-signature)|message\/delivery-status|text\/rfc822-headers)$/;

export interface Content extends Words {
  files: InboundFile[];
}

/** Throws StewardError. `forwards`: its subject says that it is passed on. */
export async function contentOf(line: Line, uid: number, forwards: boolean): Promise<Content> {
  const mail = await answered(line, line.imap.fetchOne(String(uid), { uid: true, bodyStructure: true }, { uid: true }));
  if (!mail || !mail.bodyStructure) {
    if (!line.imap.usable) throw new StewardError("unavailable", "The mailbox's connection is gone");
    throw new StewardError("invalid", "This mail can't be read: it is gone, or in too many layers");
  }
  const leaves = leavesOf(mail.bodyStructure);
  const mails = leaves.filter(({ node }) => node.type === "message/rfc822" && node.part !== undefined).slice(0, MOST_MAILS);
  // With a mail attached it is that which is passed on.
  const above = forwards && mails.length === 0;
  const { own, passed } = ownWords(await wordsOf(line, uid, { leaves, whole: above }), above);
  const attached: string[] = [];
  for (const { node } of mails) attached.push(await mailWords(line, uid, node));
  return { own, passed: clipped([passed, ...attached].filter((one) => one !== "").join("\n\n")), files: filesOf(line, uid, leaves) };
}

/** Plain text where there is some, else what the page shows. */
async function wordsOf(line: Line, uid: number, { leaves, whole }: { leaves: Leaf[]; whole: boolean }): Promise<string> {
  const words = leaves.filter(isWords);
  const plain = words.filter(({ node }) => node.type === "text/plain" && (node.size ?? 0) > 0).slice(0, 5);
  const texts: string[] = [];
  for (const { node } of plain) texts.push((await part(line, { uid, node, most: MOST_WORDS })).text);
  const text = texts.join("\n\n");
  const page = words.find(({ node }) => node.type === "text/html");
  if (text.trim() !== "" || !page) return text;
  return fromHtml((await part(line, { uid, node: page.node, most: MOST_WORDS })).text, whole);
}

/** Of a mail within the mail: from whom, about what, and its words. */
async function mailWords(line: Line, uid: number, { part: at, envelope, childNodes = [] }: MessageStructureObject): Promise<string> {
  const [inner] = childNodes;
  if (!inner) return "";
  // The only part of a mail within has a number of its own at the server.
  const leaves = leavesOf(inner.part === at ? { ...inner, part: `${at}.1` } : inner);
  const from = (envelope?.from ?? []).map(({ name = "", address = "" }) => `${name} <${address}>`.trim()).join(", ");
  const text = await wordsOf(line, uid, { leaves, whole: true });
  return `From: ${oneLine(from, 300)}\nSubject: ${oneLine(envelope?.subject ?? "", 300)}\n\n${text.trim()}`;
}

function filesOf(line: Line, uid: number, leaves: Leaf[]): InboundFile[] {
  return leaves
    .filter((leaf) => !isWords(leaf) && !NO_FILES.test(leaf.node.type))
    .map(({ node, name }): InboundFile => ({
      name: fileName(name, node.type),
      mime: node.type.slice(0, 100),
      size: decodedSize(node),
      async bytes(limit) {
        if (decodedSize(node) > limit * 1.01 + 100) throw new StewardError("limit", "The file is larger than allowed");
        const { bytes } = await part(line, { uid, node, most: Math.ceil(limit * 1.5) + 1000 });
        if (bytes.length > limit) throw new StewardError("limit", "The file is larger than allowed");
        return bytes;
      },
    }));
}

/** Only the last piece of a path, without what is not seen. */
function fileName(name: string, type: string): string {
  const last = name
    .split(/[\\/]/)
    .at(-1)!
    .replace(/[\p{Cc}\p{Cf}]/gu, "")
    .trim()
    .slice(0, 200);
  if (last !== "" && !/^\.+$/.test(last)) return last;
  return type === "message/rfc822" ? "mail.eml" : `file.${/\/([a-z0-9]{1,8})$/.exec(type)?.[1] ?? "bin"}`;
}

const decodedSize = ({ size = 0, encoding = "" }: MessageStructureObject): number =>
  encoding.toLowerCase() === "base64" ? Math.floor((size * 3) / 4.1) : size;

interface Wanted {
  uid: number;
  node: MessageStructureObject;
  most: number;
}

async function part(line: Line, { uid, node, most }: Wanted): Promise<{ text: string; bytes: Uint8Array<ArrayBuffer> }> {
  const key = node.part ?? "1";
  const query = { uid: true, bodyParts: [{ key, start: 0, maxLength: most }] };
  const got = await within(line.imap.fetchOne(String(uid), query, { uid: true }), 120_000, () => new Error("no answer")).catch(
    (error: unknown) => {
      throw imapFault(error, line.host.name);
    },
  );
  const raw = got ? [...(got.bodyParts?.values() ?? [])][0] : undefined;
  if (!raw && !line.imap.usable) throw new StewardError("unavailable", "The mailbox's connection is gone");
  if (!raw) throw new StewardError("not_found", "This mail is not in the mailbox any more");
  return decoded(raw, node);
}

/** As a mail of this one part. What the server says of it goes into the head only in known forms. */
async function decoded(
  raw: Uint8Array,
  { type, encoding = "", parameters = {} }: MessageStructureObject,
): Promise<{ text: string; bytes: Uint8Array<ArrayBuffer> }> {
  const { default: PostalMime } = await import("postal-mime");
  const isText = type === "text/plain" || type === "text/html";
  const charset = /^[\w.:+-]{1,40}$/.exec(parameters["charset"] ?? "")?.[0] ?? "utf-8";
  const transfer = /^(base64|quoted-printable|7bit|8bit|binary)$/i.exec(encoding)?.[0] ?? "8bit";
  const flowed =
    parameters["format"]?.toLowerCase() === "flowed"
      ? `; format=flowed; delsp=${parameters["delsp"]?.toLowerCase() === "yes" ? "yes" : "no"}`
      : "";
  const kind = isText
    ? `text/plain; charset=${charset}${type === "text/plain" ? flowed : ""}`
    : "application/octet-stream\r\nContent-Disposition: attachment";
  const head = Buffer.from(`Content-Type: ${kind}\r\nContent-Transfer-Encoding: ${transfer}\r\n\r\n`);
  const mail = await PostalMime.parse(Buffer.concat([head, raw]));
  const [file] = mail.attachments;
  const bytes = file && typeof file.content !== "string" ? new Uint8Array(file.content as ArrayBuffer) : new Uint8Array(0);
  return { text: mail.text ?? "", bytes };
}
