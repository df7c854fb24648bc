// WebChat's socket /ws: JSON frames, one conversation a connection. What is said takes the same way as everywhere: commands, answers to questions, then a turn.
import type { WebSocket } from "ws";
import { buttonsOf, questionLetter, typedAnswer } from "../chats/questions.ts";
import type { Ask } from "../core/types.ts";
import { cancelTurn, say } from "../run/inbox.ts";
import { makeSession, sessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, messageOf, StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Caller } from "./auth.ts";
import { type Hub, mailbox } from "./hub.ts";
import type { Live } from "./live.ts";
import { chunk, liveText, type Piece, type Telling, told } from "./reply.ts";
import { describeFailure } from "./status.ts";
import { keepAlive } from "./twizzy-socket.ts";

export interface ChatHouse {
  steward: Steward;
  hub: Hub;
  live: Live;
}
type Frame =
  | { type: "session"; id: string }
  | { type: "typing" }
  | { type: "received"; key: string }
  | { type: "chunk"; text: string }
  | { type: "error"; text: string; key?: string }
  | { type: "message"; text: string; format: "markdown" };
interface Chat {
  house: ChatHouse;
  caller: Caller;
  socket: WebSocket;
  /** Of the connection, or of the session once another one was begun. */
  stop: AbortController;
  session: string;
  /** The session is there: with the first message, so that looking leaves nothing behind. */
  made: boolean;
  waiting: number;
  before: Promise<void>;
}

interface Heard {
  type: string;
  text?: unknown;
  /** The client's own name for this message: it is confirmed, and the same twice is one. */
  key?: unknown;
  /** The conversation in which it was sent before, over a connection that is gone. */
  session?: unknown;
}

const MAX_QUEUED_BYTES = 1_048_576;
const MAX_WAITING = 50;
/** Events among which a message is looked for that may have been taken. */
const MOST_LOOKED = 2000;
const KEY = /^[\w.:-]{8,100}$/;

/** Takes over a socket whose caller is known already. */
export function serveWebChat(house: ChatHouse, caller: Caller, socket: WebSocket): void {
  const chat: Chat = {
    ...{ house, caller, socket, stop: new AbortController(), made: false, waiting: 0 },
    ...{ session: newId("ses"), before: Promise.resolve() },
  };
  const off = house.live.add({
    caller,
    end: (reason) => socket.close(reason === "closing" ? 1001 : 4001, reason),
    cut: () => socket.terminate(),
  });
  const beat = keepAlive(socket);
  socket.on("close", () => {
    chat.stop.abort();
    clearInterval(beat);
    off();
  });
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, binary) => take(chat, data as Buffer, binary));
  begin(chat, chat.session, { read: 0 });
}

interface From {
  /** What was told before, and what there is. */
  read: number;
  newest?: number;
  /** The turn that ran at `read`. */
  turn?: string | undefined;
}

/** Nobody follows for a socket that is closed. */
function begin(chat: Chat, session: string, from: From): void {
  const { socket, house } = chat;
  chat.stop.abort();
  chat.session = session;
  if (socket.readyState === socket.CLOSED) return;
  chat.stop = new AbortController();
  send(chat, { type: "session", id: session });
  void follow(chat, { session, ...from }, chat.stop.signal).catch((error: unknown) => {
    house.steward.log("error", "A conversation could not be followed any more", { error: messageOf(error) });
    sendError(chat, error);
    // A connection over which nothing more comes is worse than none.
    socket.close(1011, "The conversation can't be followed any more");
  });
}

function send({ socket }: Chat, frame: Frame): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > MAX_QUEUED_BYTES) return socket.terminate();
  socket.send(JSON.stringify(frame));
}
const sendText = (chat: Chat, text: string): void => send(chat, { type: "message", text, format: "markdown" });

function sendError(chat: Chat, error: unknown, key?: string): void {
  const { steward } = chat.house;
  const { message, hint } = describeFailure(error, steward.log, steward.now()).body.error as { message: string; hint?: string };
  send(chat, { type: "error", text: hint ? `${message}. ${hint}` : message, ...(key === undefined ? {} : { key }) });
}

// ---- What the person says

/** One after the other, in the order in which they came; only Stop waits for nothing. */
function take(chat: Chat, data: Buffer, binary: boolean): void {
  if (binary) return send(chat, { type: "error", text: "Frames must be text" });
  const frame = readFrame(data.toString());
  const key = typeof frame.key === "string" && KEY.test(frame.key) ? frame.key : undefined;
  const failed = (error: unknown): void => sendError(chat, error, key);
  if (frame.type === "stop") return void stopped(chat).catch(failed);
  if (chat.waiting >= MAX_WAITING) return failed(new StewardError("limit", "Too many messages are waiting; send this one later"));
  chat.waiting++;
  chat.before = chat.before
    .then(() => heard(chat, { ...frame, key }))
    .catch(failed)
    .finally(() => chat.waiting--);
}

async function stopped({ house, caller, session, made }: Chat): Promise<void> {
  if (made) await cancelTurn(house.steward, caller.principal, session);
}

/** A JSON object that names its type is a frame; everything else is what was said. */
function readFrame(text: string): Heard {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null && "type" in value && typeof value.type === "string") return value as Heard;
  } catch {
    // plain text
  }
  return { type: "message", text };
}

async function heard(
  chat: Chat,
  { type, text, key: given, session: before }: Omit<Heard, "key"> & { key: string | undefined },
): Promise<void> {
  const { steward } = chat.house;
  const who = chat.caller.principal;
  if (type !== "message" || typeof text !== "string")
    return send(chat, { type: "error", text: 'Send {"type": "message", "text": "…"}, or the text alone' });
  if (text.trim() === "") return;
  if (given !== undefined && typeof before === "string") await goOn(chat, before, given);
  const { session } = chat;
  if (!chat.made) await makeSession(steward, who, { id: session });
  chat.made = true;
  const key = given ?? newId("key");
  const answers = await typedAnswer(steward, { who, session, key, text });
  const { reply } = answers ? {} : await say(steward, who, { session, parts: [{ type: "text", text }], key });
  if (given !== undefined) send(chat, { type: "received", key: given });
  if (!reply) return;
  sendText(chat, reply.text);
  if (reply.session === undefined || reply.session === session) return;
  const [newest] = await steward.store.events(reply.session, { last: 1 });
  begin(chat, reply.session, { read: newest?.seq ?? 0 });
}

/** The conversation of a connection that broke, for a message of which its sender does not know whether it was taken: from there on everything is told again. One that nothing was said in is not there. */
async function goOn(chat: Chat, before: string, key: string): Promise<void> {
  const { steward } = chat.house;
  if (chat.made || before === chat.session) return;
  const known = await sessionDoc(steward, chat.caller.principal, before).catch((error: unknown) => {
    if (!hasCode(error, "not_found")) throw error;
  });
  if (!known || known.deletedAt || known.quiet || known.parent !== undefined || known.task !== undefined) return;
  const last = await steward.store.events(before, { last: MOST_LOOKED });
  const newest = last.at(-1)?.seq ?? 0;
  const read = last.findLast(({ event }) => event.type === "message.received" && event.key === key)?.seq ?? newest;
  const begun = last.findLast(({ event, seq }) => seq < read && (event.type === "turn.started" || event.type === "turn.completed"))?.event;
  chat.made = true;
  begin(chat, before, { read, newest, ...(begun?.type === "turn.started" ? { turn: begun.turn } : {}) });
}

// ---- What comes of it

/** In words only: there are no buttons here. */
function questionText(chat: Chat, ask: Ask): string {
  const labels = buttonsOf(ask).map(({ label }) => label);
  const { text } = questionLetter(chat.caller.principal.person, ask, { channel: "webchat", chat: chat.session });
  return labels.length > 0 ? `${text}\n\nAnswer with one of: ${labels.join(", ")}.` : text;
}

async function follow(chat: Chat, { session, newest = 0, turn, ...from }: From & { session: string }, signal: AbortSignal): Promise<void> {
  const { store } = chat.house.steward;
  const box = mailbox();
  const off = chat.house.hub.follow(session, box.push);
  signal.addEventListener("abort", box.wake, { once: true });
  const state: Telling = { turn, asked: 0, sent: new Map(), text: "", said: false, notice: "" };
  let { read } = from;
  box.push({ session, seq: newest });
  try {
    while (!signal.aborted) {
      const mail = box.shift();
      if (!mail) await box.wait(60_000);
      else if ("live" in mail) show(chat, state, chunk(state, liveText(state, mail.live)));
      else if (mail.seq > read)
        for (const stored of await store.events(session, { after: read })) {
          read = stored.seq;
          const { event } = stored;
          if (event.type === "turn.started" || event.type === "ask.answered") send(chat, { type: "typing" });
          if (event.type === "item.completed" && event.item.kind === "file")
            sendText(chat, `A file has come: ${event.item.file.name.replace(/[\\`*_[\]<>|~#]/g, "\\$&")}`);
          show(
            chat,
            state,
            told((ask) => questionText(chat, ask), state, stored),
          );
        }
    }
  } finally {
    off();
  }
}

function show(chat: Chat, state: Telling, pieces: Piece[]): void {
  for (const piece of pieces) {
    if (piece.type === "chunk") send(chat, { type: "chunk", text: piece.text });
    if (piece.type === "ask") sendText(chat, piece.text);
    if (piece.type !== "end") continue;
    if (piece.failed) send(chat, { type: "error", text: piece.text });
    else sendText(chat, piece.text);
    Object.assign(state, { text: "", turn: undefined, sent: new Map() });
  }
}
