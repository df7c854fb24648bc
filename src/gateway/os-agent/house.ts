// What OS-Agent's connections share, and how one takes its seat: rooms of sessions, terminals, files that came back.
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import { computerName } from "../../run/computers.ts";
import { type NamedSession, namedSession } from "../named-sessions.ts";
import { messageOf, StewardError } from "../../std/error.ts";
import type { Own } from "../addresses.ts";
import type { Caller, Peer } from "../auth.ts";
import { type Live, openLive } from "../live.ts";
import { describeFailure } from "../status.ts";
import type { Gate } from "../table.ts";
import { type Restarts, serveConnection } from "./connection.ts";
import { type Crowd, openCrowd } from "./crowd.ts";
import { openDepartures } from "./departures.ts";
import { type Entry, openEntry, type Query } from "./entry.ts";
import { isPython } from "./fit.ts";
import { readToken } from "./frames.ts";
import { computerOf, type Link } from "./link.ts";
import { openReturned, type Receiver, type Returned } from "./returned.ts";
import { openRoom, type Room } from "./room.ts";
import type { Terminals } from "./terminals.ts";
import { openWire } from "./wire.ts";

export interface House {
  gate: Gate;
  entry: Entry;
  live: Live;
  rooms: Map<string, Room>;
  returned: Returned;
  terminals: Terminals;
  restarts: Restarts;
  crowd: Crowd;
  /** A client of this person has gone. */
  gone(who: Link["who"]): void;
}

const SETTLED_MS = 2000;
const FIRST_FRAME_MS = 10_000;
const BEAT_MS = 30_000;
const MOST_PERSONS = 10_000;

export function openHouse(gate: Gate, own: Own, signal: AbortSignal): House {
  const { steward } = gate;
  const entry = openEntry(gate, own);
  const returned = openReturned({
    steward,
    async link({ person }, { id, name }) {
      if (!gate.plain) return `${gate.url()}/api/files/${id}`;
      return `${gate.plain.url}/files/${await computerName(steward, person)}/${encodeURIComponent(name)}`;
    },
  });
  const crowd = openCrowd();
  const isHere = (person: string): boolean => crowd.count(person) > 0 || gate.live.has(person);
  const persons = new Map<string, string>();
  const personOf = async (session: string): Promise<string> => {
    const known = persons.get(session);
    if (known !== undefined) return known;
    const [first] = await steward.store.events(session, { limit: 1 });
    const person = first?.event.type === "session.created" ? first.event.person : "";
    if (persons.size >= MOST_PERSONS) persons.clear();
    persons.set(session, person);
    return person;
  };
  const off = gate.hub.all(({ session, live }) => {
    if (live || session === undefined || returned.idle()) return;
    personOf(session).then(returned.look, (error: unknown) =>
      steward.log("warning", "A session could not be read", { session, error: messageOf(error) }),
    );
  });
  signal.addEventListener("abort", off, { once: true });
  return {
    gate,
    entry,
    returned,
    live: openLive({ ...gate.auth, holds: (caller) => entry.holds(caller) }),
    rooms: new Map(),
    terminals: gate.shells,
    restarts: openRestarts(),
    crowd,
    gone: openDepartures({ steward, isHere, signal }),
  };
}

function openRestarts(): Restarts {
  const current = new Map<string, AbortController>();
  return {
    signal(person) {
      const one = current.get(person) ?? new AbortController();
      current.set(person, one);
      return one.signal;
    },
    restart(person) {
      current.get(person)?.abort();
      current.delete(person);
    },
  };
}

export interface Arrival {
  /** Undefined: the credential comes in the first frame. */
  caller: Caller | undefined;
  query: Query;
  peer: Peer;
  incoming: IncomingMessage;
  /** Its credential was good, so the connection no longer counts as a stranger's. */
  known(): void;
}
type Frame = [data: Buffer, binary: boolean];

/** Frames wait until the session is there. */
export async function welcome(house: House, socket: WebSocket, arrival: Arrival): Promise<void> {
  const { steward } = house.gate;
  const early: Frame[] = [];
  const state: { sink(...frame: Frame): void } = { sink: (...frame) => void early.push(frame) };
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, binary) => state.sink(data as Buffer, binary));
  try {
    const caller = arrival.caller ?? (await house.entry.byToken(await firstFrame(socket, state), arrival.peer));
    arrival.known();
    if (!arrival.caller) socket.send(JSON.stringify({ result: "ok" }));
    socket.pause();
    const place = await namedSession(steward, caller.principal, arrival.query.session);
    if (socket.readyState !== socket.OPEN) return;
    const { message } = seat(house, socket, { ...arrival, caller, place });
    state.sink = message;
    socket.resume();
    for (const frame of early.splice(0)) message(...frame);
  } catch (error) {
    const { error: failure } = describeFailure(error, steward.log, steward.now()).body;
    socket.resume();
    socket.send(JSON.stringify({ error: (failure as { message: string }).message }));
    socket.close(arrival.caller ? 1011 : 4401, "refused");
  }
}

/** The credential of a client that can send no header and wants none in its address. */
async function firstFrame(socket: WebSocket, state: { sink(...frame: Frame): void }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const late = (): void => reject(new StewardError("denied", 'The first frame must be {"token": "…"}'));
  const timer = setTimeout(late, FIRST_FRAME_MS);
  const { sink } = state;
  socket.once("close", late);
  state.sink = (data, binary) => {
    state.sink = sink;
    const token = binary ? undefined : readToken(data.toString("utf8"));
    if (token === undefined) late();
    else resolve(token);
  };
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("close", late);
  });
}

interface Seated extends Arrival {
  caller: Caller;
  place: NamedSession;
}

function seat(house: House, socket: WebSocket, { caller, query, incoming, place }: Seated): { message(...frame: Frame): void } {
  const { gate, live, returned, terminals, restarts, crowd, gone } = house;
  const { steward } = gate;
  const who = caller.principal;
  const stop = new AbortController();
  const off = live.add({
    caller,
    end: (reason) => socket.close(reason === "closing" ? 1001 : 4401, reason),
    cut: () => socket.terminate(),
  });
  const mine = crowd.enter(who.person, socket, incoming.socket);
  const wire = openWire({ seat: mine, crowd, python: isPython(incoming.headers["user-agent"]), log: steward.log, now: steward.now });
  const state = { settled: false };
  const guest: Receiver = { wire, say: (text) => wire.say(text), settled: () => state.settled };
  const room = roomFor(house, who, place);
  const link: Link = { steward, who, room, terminals, wire, signal: stop.signal, think: query.think, events: query.events };
  room.enter(guest, query.quiet);
  if (!query.quiet) returned.add(who, guest);
  steward.lookout.attend(who.person);
  const settle = setTimeout(() => {
    if (query.quiet) return;
    state.settled = true;
    room.settle(guest);
    returned.settle(who.person, guest);
  }, SETTLED_MS);
  const beat = keepAlive(socket, incoming);
  socket.on("close", () => {
    stop.abort();
    clearTimeout(settle);
    clearInterval(beat);
    off();
    crowd.leave(mine);
    returned.remove(who, guest);
    room.leave(guest);
    gone(who);
  });
  // Nobody waits for it yet; whoever needs it is told what is wrong.
  computerOf(link).catch((error: unknown) => {
    if (!stop.signal.aborted) steward.log("info", "A computer is not ready yet", { person: who.person, error: messageOf(error) });
  });
  return serveConnection({ link, guest, seat: mine, restarts });
}

function roomFor({ rooms, gate }: House, who: Link["who"], place: NamedSession): Room {
  const { session } = place;
  const known = rooms.get(session);
  if (known) return known;
  const room = openRoom({
    steward: gate.steward,
    hub: gate.hub,
    who,
    place,
    closed: () => {
      if (rooms.get(session) === room) rooms.delete(session);
    },
  });
  rooms.set(session, room);
  return room;
}

/** From half-dead connections nothing comes, no answer to a ping either; they are dropped at the second. One that is not read from is not asked. */
function keepAlive(socket: WebSocket, { socket: raw }: IncomingMessage): NodeJS.Timeout {
  const state = { read: -1 };
  return setInterval(() => {
    if (socket.isPaused) return void (state.read = -1);
    if (raw.bytesRead === state.read) return socket.terminate();
    state.read = raw.bytesRead;
    socket.ping();
  }, BEAT_MS).unref();
}
