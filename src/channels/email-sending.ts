// Mails that go out: plain text with a page beside it, kept together by the heads that mail programs go by. The server's answer after the last byte is the receipt.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { Outgoing } from "../core/channel.ts";
import type { Address } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import { remember } from "./bounds.ts";
import { signInFault, smtpFault } from "./email-faults.ts";
import { type Line } from "./email-line.ts";
import { isId, messageIdOf, threadOf } from "./email-threads.ts";
import { isAddress } from "./email-sender.ts";
import { pageHtml } from "./page-form.ts";

export interface Letter {
  to: Address;
  message: Outgoing;
  key: string;
}

/** The Message-ID, which the key decides. */
export async function sendMail(line: Line, letter: Letter): Promise<string> {
  const { to } = letter;
  if (!isAddress(to.chat)) throw new StewardError("invalid", "This is no address to which a mail can be sent");
  const { id, bytes } = await composed(line, letter);
  const connection = await connected(line);
  const left = { now: false };
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on("error", reject);
      connection.on("end", () => reject(new Error("The mail server broke the connection off")));
      const body = new Readable({
        read() {
          left.now = true;
          this.push(bytes);
          this.push(null);
        },
      });
      const envelope = { from: line.config.address, to: [to.chat], size: bytes.length };
      connection.send(envelope, body, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    throw smtpFault(error, { name: line.host.name, left: left.now });
  } finally {
    quiet(connection);
    connection.quit();
    setTimeout(() => connection.close(), 2000).unref();
  }
  line.smtp.at = line.host.now();
  if (to.thread !== undefined) remember(line.roots, `${to.chat} ${id}`, to.thread);
  return id;
}

/** Signed in; nothing has been sent then, whatever goes wrong. */
export async function connected({ config, smtp, host }: Line): Promise<SMTPConnection> {
  const { default: Connection } = await import("nodemailer/lib/smtp-connection");
  const { smtpHost, smtpPort, encryption, answerSeconds } = config;
  const ms = answerSeconds * 1000;
  const connection = new Connection({
    ...{ host: smtpHost, port: smtpPort, secure: encryption === "on" && smtpPort === 465, logger: false },
    ...(encryption === "on" ? { requireTLS: true } : { ignoreTLS: true }),
    ...{ connectionTimeout: ms, greetingTimeout: ms, socketTimeout: Math.max(ms, 1000), name: config.address.split("@")[1]! },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.on("error", reject);
      connection.on("end", () => reject(new Error("The mail server broke the connection off")));
      connection.connect(() =>
        connection.login({ user: config.user ?? config.address, pass: config.password }, (error) => (error ? reject(error) : resolve())),
      );
    });
  } catch (error) {
    quiet(connection);
    connection.close();
    throw signInFault(error, host.name);
  }
  connection.removeAllListeners("end");
  quiet(connection);
  smtp.at = host.now();
  return connection;
}

/** What goes wrong with it from now on means nothing; unheard it would end the process. */
function quiet(connection: SMTPConnection): void {
  connection.removeAllListeners("error");
  connection.on("error", () => {});
}

async function composed(line: Line, { to, message, key }: Letter): Promise<{ id: string; bytes: Buffer }> {
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const { config } = line;
  const thread = to.thread === undefined ? undefined : await threadOf(line, to);
  const id = messageId(key, config.address, to.thread);
  const { text, file, replyTo } = message;
  const answers = [replyTo ?? thread?.references.at(-1) ?? ""].find(isId);
  const bytes = await new MailComposer({
    ...{ from: { name: config.name, address: config.address }, to: [{ name: "", address: to.chat }], messageId: id },
    ...{ subject: subjectOf(thread?.subject, message), date: new Date(line.host.now()) },
    ...(thread
      ? { references: [...new Set([...thread.references, answers ?? ""])].filter(isId), ...(answers ? { inReplyTo: answers } : {}) }
      : {}),
    headers: { "Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All" },
    text: text === "" && file ? file.name : text,
    ...(text === "" ? {} : { html: pageHtml(text) }),
    ...(file
      ? { attachments: [{ filename: oneLine(file.name, 200), contentType: mimeOf(file.mime), content: Buffer.from(file.bytes) }] }
      : {}),
    ...{ disableFileAccess: true, disableUrlAccess: true },
  })
    .compile()
    .build();
  return { id, bytes };
}

const mimeOf = (mime: string): string => (/^[\w.+-]+\/[\w.+-]+$/.test(mime) ? mime : "application/octet-stream");

function messageId(key: string, address: string, thread: string | undefined): string {
  const plain = /^[\w.-]{1,80}$/.test(key) ? key : createHash("sha256").update(key).digest("hex").slice(0, 32);
  return messageIdOf(plain, address.split("@")[1]!, thread);
}

/** An answer bears the subject of what it answers; else the first line says what it is about. */
function subjectOf(subject: string | undefined, { text, file }: Outgoing): string {
  if (subject !== undefined) return oneLine(/^re:/i.test(subject) ? subject : `Re: ${subject === "" ? "your mail" : subject}`, 300);
  const first =
    text
      .replace(/[*_`#>[\]]/g, "")
      .trim()
      .split("\n")[0] ?? "";
  return oneLine(first, 78) || oneLine(file?.name ?? "", 78) || "Steward";
}
