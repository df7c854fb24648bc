// A session with the connections that are in it: reads its log in order, and gives each connection the answers to its own chats, and everybody what came by itself.
import type { Event, Stored } from "../../core/events.ts";
import { textOf } from "../../core/history.ts";
import type { Ask, Failure, Principal } from "../../core/types.ts";
import { type NamedSession, noteTold } from "../named-sessions.ts";
import type { Steward } from "../../run/steward.ts";
import { messageOf } from "../../std/error.ts";
import type { Hub } from "../hub.ts";

/** A connection in a room. */
export interface Guest {
  say(text: string): void;
  /** Open long enough that it does more than ask one thing and go. */
  settled(): boolean;
}
/** Settles when the turn that answers has ended, or waits for a person, so that the connection's next command may begin. */
export interface Chat {
  guest: Guest;
  /** Of the message in the log. */
  key: string;
  done(end: ChatEnd): void;
}
export type ChatEnd = "asks" | "end" | "limit" | "length" | "refusal" | "cancelled" | "failed";
export interface Room {
  place: NamedSession;
  /** `quiet`: it is told what it asked for, and nothing that came by itself. */
  enter(guest: Guest, quiet?: boolean): void;
  leave(guest: Guest): void;
  /** Follows the answer to a message; before it is recorded. */
  follow(chat: Chat): void;
  drop(chat: Chat): void;
  /** This connection stays: it is handed what came by itself since it opened, and what nobody was there for. */
  settle(guest: Guest): void;
}

interface News {
  text: string;
  /** Who has it already. */
  told: ReadonlySet<Guest>;
}
interface State {
  /** With what came while each was not settled yet. */
  guests: Map<Guest, News[]>;
  quiet: Set<Guest>;
  chats: Map<Chat, number | undefined>;
  /** The next event to read. */
  read: number;
  /** A notification that has still to be answered. */
  owing: number | undefined;
  /** What came by itself while nobody stayed. */
  late: News[];
  settling: Set<Guest>;
  reading: boolean;
  again: boolean;
  /** Something was said in this turn; what to say when nothing was. */
  said: boolean;
  notice: string;
}

export interface RoomOptions {
  steward: Steward;
  hub: Hub;
  who: Principal;
  place: NamedSession;
  /** Called when the last connection has left. */
  closed(): void;
}

export function openRoom(options: RoomOptions): Room {
  const { steward, hub, place } = options;
  const { session, told, owing } = place;
  const state: State = {
    guests: new Map(),
    quiet: new Set(),
    chats: new Map(),
    read: told,
    owing: owing ? told : undefined,
    late: [],
    settling: new Set(),
    reading: false,
    again: false,
    said: false,
    notice: "",
  };
  const look = (): void => void readOn(options, state);
  const off = hub.follow(session, ({ live }) => {
    if (!live) look();
  });
  look();
  return {
    place,
    settle(guest) {
      state.settling.add(guest);
      look();
    },
    enter: (guest, quiet = false) => void (quiet ? state.quiet.add(guest) : state.guests.set(guest, [])),
    leave(guest) {
      state.guests.delete(guest);
      state.quiet.delete(guest);
      state.settling.delete(guest);
      for (const chat of state.chats.keys()) if (chat.guest === guest) state.chats.delete(chat);
      if (state.guests.size + state.quiet.size > 0) return;
      off();
      options.closed();
      if (state.late.length === 0 && !state.reading)
        void note(options, state).catch((error: unknown) =>
          steward.log("warning", "What was handed over could not be noted", { session, error: messageOf(error) }),
        );
    },
    follow: (chat) => void state.chats.set(chat, undefined),
    drop: (chat) => void state.chats.delete(chat),
  };
}

/** One reading at a time; what comes meanwhile is read by the same. */
async function readOn(options: RoomOptions, state: State): Promise<void> {
  state.again = true;
  if (state.reading) return;
  state.reading = true;
  const { steward, place } = options;
  try {
    while (state.again) {
      state.again = false;
      for (const stored of await steward.store.events(place.session, { after: state.read })) {
        state.read = stored.seq;
        take(state, stored);
      }
      await handOver(options, state);
    }
  } catch (error) {
    steward.log("warning", "A session's log could not be read", { session: place.session, error: messageOf(error) });
  } finally {
    state.reading = false;
  }
}

const note = ({ steward, who, place }: RoomOptions, { read, owing }: State): Promise<void> =>
  noteTold(steward, who, { name: place.name, told: read, owing: owing !== undefined });

/** Noted before it is sent: handed over at most once. */
async function handOver(options: RoomOptions, state: State): Promise<void> {
  const stay = [...state.guests].filter(([guest]) => guest.settled());
  if (stay.length === 0) return;
  const late = state.late.splice(0);
  if (late.length > 0) await note(options, state);
  for (const [guest, news] of stay) {
    const fresh = state.settling.delete(guest) ? news.splice(0) : [];
    for (const { text, told } of new Set([...late, ...fresh])) if (!told.has(guest)) guest.say(text);
  }
}

/** What came by itself, for all but those who were told already. Those who are not settled yet have it when they are; when nobody is, whoever comes. */
function spread(state: State, text: string, told: ReadonlySet<Guest> = new Set()): void {
  const one: News = { text, told };
  let stays = false;
  for (const [guest, news] of state.guests) {
    if (told.has(guest)) continue;
    if (guest.settled() && !state.settling.has(guest)) stays = true;
    else news.push(one);
  }
  if (stays || told.size === 0) state.late.push(one);
}

function take(state: State, { seq, event }: Stored): void {
  if (event.type === "message.received") return received(state, seq, event);
  if (event.type === "turn.started") Object.assign(state, { said: false, notice: "" });
  if (event.type === "ask.opened") return asking(state, seq, event.ask);
  if (event.type === "turn.completed") return ended(state, event);
  if (event.type !== "item.completed") return;
  if (event.item.kind === "notice" && event.turn === "") return spread(state, event.item.text);
  if (event.item.kind === "notice" && event.item.level !== "info") state.notice = event.item.text;
  if (event.item.kind === "text" && event.item.text && event.turn !== "") tell(state, seq, event.item.text);
}

function received(state: State, seq: number, event: Event & { type: "message.received" }): void {
  for (const chat of state.chats.keys()) if (chat.key === event.key) state.chats.set(chat, seq);
  if (!event.source) return;
  spread(state, textOf(event.parts));
  state.owing = seq;
}

/** To those who asked; what answers a notification goes to everybody else too, once they stay. */
function tell(state: State, seq: number, text: string): void {
  const told = new Set<Guest>();
  for (const [{ guest }, asked] of state.chats) {
    if (asked === undefined || seq <= asked || told.has(guest)) continue;
    told.add(guest);
    guest.say(text);
  }
  if (told.size > 0) state.said = true;
  if (state.owing === undefined || seq <= state.owing) return;
  state.said = true;
  spread(state, text, told);
}

function asking(state: State, seq: number, { prompt, shows }: Ask): void {
  tell(
    state,
    seq,
    [`This needs an answer from the owner of this Steward before I can go on: ${prompt}`, ...(shows ? [shows] : [])].join("\n\n"),
  );
  for (const [chat, asked] of state.chats) if (asked !== undefined) chat.done("asks");
}

export const errorText = ({ message, hint }: Pick<Failure, "message" | "hint">): string => `Error: ${message}${hint ? ` (${hint})` : ""}`;

function ended(state: State, { stop, seen, error }: Event & { type: "turn.completed" }): void {
  const last = closing(state, stop, error);
  if (last !== undefined) tell(state, Number.POSITIVE_INFINITY, last);
  for (const [chat, asked] of state.chats) {
    if (asked === undefined || asked > seen) continue;
    state.chats.delete(chat);
    chat.done(stop);
  }
  if (state.owing !== undefined && state.owing <= seen) state.owing = undefined;
}

function closing({ said, notice }: State, stop: ChatEnd, error: Failure | undefined): string | undefined {
  if (stop === "failed") return errorText(error ?? { message: "unknown" });
  if (said) return undefined;
  return stop === "cancelled" ? "(Stopped.)" : notice || "(There was no answer.)";
}
