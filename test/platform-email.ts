// E-mail as a platform: real servers, and between them and Steward a proxy that refuses, breaks and goes silent on demand. A mail counts as sent when it lies in its mailbox.
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createTransport, type SendMailOptions } from "nodemailer";
import PostalMime, { type Email } from "postal-mime";
import { type Fault, type Kept, type Platform, type Said, until } from "../src/testing/channel-platform.ts";
import { type MailPlace, PASSWORD } from "./mail-place.ts";

interface More {
  /** Any mail from elsewhere. */
  mail(options: SendMailOptions): Promise<string>;
  address: string;
  /** What lies in a mailbox. */
  box(address: string): Promise<Email[]>;
  /** How many. */
  mails(address: string): number;
}
interface State {
  fault: { fault: Fault; times: number } | undefined;
  frozen: boolean;
  revoked: boolean;
  calls: string[];
  kept: Kept[];
  sockets: Set<Socket>;
}

const numbers = { now: 0 };

export async function emailPlatform(place: MailPlace): Promise<Platform & More> {
  const n = ++numbers.now;
  const [address, mia, ben] = [`steward${n}@test.local`, `mia${n}@test.local`, `ben${n}@far.local`] as const;
  const boxes = new Map<string, string>([address, mia, ben].map((one) => [one, place.mailbox(one)] as const));
  const state: State = { fault: undefined, frozen: false, revoked: false, calls: [], kept: [], sockets: new Set() };
  const box = async (of: string): Promise<Email[]> =>
    Promise.all(filesIn(boxes.get(of)!).map((file) => PostalMime.parse(readFileSync(file))));
  const arrived = async (id: string): Promise<void> => {
    const found = await until(
      async () => (await Promise.all([mia, ben].map(box))).flat().find(({ messageId }) => messageId === id),
      `the mail ${id} arrives`,
    );
    if (!state.kept.some((one) => one.id === id)) state.kept.push(keptOf(found));
  };
  const smtp = await proxy(state, place.ports.submission, (client) => smtpFaults(state, client, arrived));
  const imap = await proxy(state, place.ports.imap, () => ({ toServer: (chunk) => noted(state, chunk), toClient: () => true }));
  const sender = createTransport({ host: "127.0.0.1", port: place.ports.mx, ignoreTLS: true });
  const mail = async (options: SendMailOptions): Promise<string> => (await sender.sendMail({ to: address, ...options })).messageId;
  return {
    ...{ mail, box, address, mails: (of: string) => filesIn(boxes.get(of)!).length },
    ...{ people: [mia, ben], rooms: ["", ""], kept: () => [...state.kept], calls: () => state.calls },
    config: {
      ...{ address, password: PASSWORD, imapHost: "127.0.0.1", imapPort: imap.port, smtpHost: "127.0.0.1", smtpPort: smtp.port },
      ...{ encryption: "off", authserv: "mx.test.local", answerSeconds: 60 },
    },
    soon: { answerSeconds: 3 },
    say: async ({ from = mia, text, bot, file }: Said) => ({
      id: await mail({
        ...{ from: { name: "Mia", address: from }, subject: "", text },
        ...(bot ? { headers: { "Auto-Submitted": "auto-generated" } } : {}),
        ...(file ? { attachments: [{ filename: file.name, content: Buffer.from(file.bytes) }] } : {}),
      }),
    }),
    fail: (fault, times) => void (state.fault = times > 0 ? { fault, times } : undefined),
    async cut() {
      for (const socket of state.sockets) socket.destroy();
    },
    async freeze() {
      state.frozen = true;
      for (const socket of state.sockets) socket.pause();
    },
    revoke() {
      state.revoked = true;
      for (const socket of state.sockets) socket.destroy();
    },
    async close() {
      sender.close();
      for (const socket of state.sockets) socket.destroy();
      await Promise.all([smtp, imap].map(({ server }) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

const filesIn = (box: string): string[] =>
  ["new", "cur"].flatMap((folder) => {
    try {
      return readdirSync(join(box, folder)).map((name) => join(box, folder, name));
    } catch {
      return [];
    }
  });

function keptOf({ messageId, to, references, text, attachments }: Email): Kept {
  const thread = /<[^<>]+>/.exec(references ?? "")?.[0];
  const [file] = attachments;
  return {
    ...{ id: messageId!, chat: to?.[0]?.address ?? "", text: (text ?? "").trim(), edits: 0 },
    ...(thread === undefined ? {} : { thread }),
    ...(file ? { file: { name: file.filename ?? "", bytes: new Uint8Array(file.content as ArrayBuffer) } } : {}),
  };
}

/** What is fetched of a mail beside its head. */
function noted(state: State, chunk: Buffer): true {
  if (/BODY\.PEEK\[\]|BODYSTRUCTURE/.test(chunk.toString("latin1"))) state.calls.push("structure");
  for (const [, part] of chunk.toString("latin1").matchAll(/BODY\.PEEK\[([\d.]+)\]/g))
    state.calls.push(part === "1" ? `words ${part}` : `download ${part}`);
  if (chunk.includes(" IDLE")) state.calls.push("idle");
  if (/AUTH|LOGIN/i.test(chunk.toString("latin1"))) state.calls.push("sign-in");
  return true;
}

interface Way {
  /** False: it goes no further. */
  toServer(chunk: Buffer): boolean;
  toClient(chunk: Buffer): boolean;
}
type Between = (client: Socket) => Way;

/** Who signs in has another password than the server knows: it is the real server that refuses. */
function otherPassword(chunk: Buffer): Buffer {
  const given = (text: string): string =>
    text.replaceAll(PASSWORD, "wrong horse").replace(/[A-Za-z0-9+/]{24,}=*/g, (word) => {
      const plain = Buffer.from(word, "base64").toString("latin1");
      return plain.includes(PASSWORD) ? Buffer.from(plain.replace(PASSWORD, "wrong horse"), "latin1").toString("base64") : word;
    });
  return Buffer.from(given(chunk.toString("latin1")), "latin1");
}

async function proxy(state: State, port: number, between: Between): Promise<{ port: number; server: Server }> {
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const way = between(client);
    for (const [one, other, pass] of [
      [client, upstream, way.toServer],
      [upstream, client, way.toClient],
    ] as const) {
      state.sockets.add(one);
      one.on("data", (chunk: Buffer) => {
        if (!state.frozen && pass(chunk)) other.write(one === client && state.revoked ? otherPassword(chunk) : chunk);
      });
      one.on("error", () => {});
      one.on("close", () => {
        state.sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, server };
}

function smtpFaults(state: State, client: Socket, arrived: (id: string) => Promise<void>): Way {
  const talk = { data: "", ended: false, refusal: "" };
  const takes = (...faults: Fault[]): boolean => {
    const { fault } = state;
    if (!fault || fault.times === 0 || !faults.includes(fault.fault)) return false;
    fault.times--;
    return true;
  };
  return {
    toServer(chunk) {
      const text = chunk.toString("latin1");
      if (text.startsWith("AUTH")) state.calls.push("sign-in");
      if (text.startsWith("MAIL FROM")) {
        talk.data = "";
        talk.ended = false;
        if (takes("limited")) talk.refusal = "450 4.7.1 You send too much, wait";
        if (takes("error")) talk.refusal = "451 4.3.0 Something is broken here";
        if (takes("broken-before")) client.destroy();
      }
      // It sends the next commands without waiting for an answer.
      if (talk.refusal !== "" && !text.startsWith("QUIT")) {
        for (const command of text.trim().split("\r\n"))
          client.write(`${command.startsWith("MAIL") ? talk.refusal : "503 5.5.1 First say from whom"}\r\n`);
        return false;
      }
      if (client.destroyed) return false;
      talk.data += text;
      if (talk.data.endsWith("\r\n.\r\n")) talk.ended = true;
      return true;
    },
    /** The answer to the last byte waits until the mail lies in its mailbox. */
    toClient(chunk) {
      if (!talk.ended || !chunk.toString().startsWith("250")) return true;
      talk.ended = false;
      const id = /^message-id:\s*(<[^>]+>)/im.exec(talk.data)![1]!;
      void arrived(id).then(() => (takes("broken-after") ? client.destroy() : client.write(chunk)));
      return false;
    },
  };
}
