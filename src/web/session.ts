// The open session: its events folded into entries, followed live over one connection, older pages on demand.
import { batch, computed, signal } from "@preact/signals";
import type { LiveEvent, Stored } from "../core/events.ts";
import { emptyView, fold, type Entry, type View } from "../core/fold.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { follow } from "../client/stream.ts";
import { isAboutAgents, leaveAgents, openAgents, refreshAgents } from "./agents.ts";
import { call, request } from "./api.ts";
import { refreshChoice } from "./choice.ts";
import { spoken } from "./notices.ts";
import { refreshSoon } from "./sessions.ts";
import { refreshJournal } from "./undo.ts";
import { enter } from "./people.ts";

export type Connection = "connecting" | "connected" | "reconnecting" | "offline" | "paused";
const PAGE = 200;

export const connection = signal<Connection>("connecting");
export const view = signal<View | undefined>(undefined);
/** Entries of older pages, oldest page first. Each was folded by itself: pages are cut where a turn has ended. */
export const older = signal<readonly Entry[][]>([]);
export const loadingOlder = signal(false);
/** Nothing older is left to load. */
export const atStart = signal(true);
/** Why the session can't be shown. */
export const trouble = signal<string | undefined>(undefined);

export const running = computed(() => view.value?.turn !== undefined);

interface Open {
  id: string;
  stop: AbortController;
  /** The lowest number that is shown, and events below it that wait for the rest of their turn. */
  floor: number;
  head: Stored[];
  queue: (Stored | LiveEvent)[];
  timer?: number;
  /** What is asked of the server again in a moment, once for all the events that want it. */
  due: Set<(session: string) => Promise<void>>;
  wake?: () => void;
}
const open: { now?: Open } = {};

export function leaveSession(): void {
  open.now?.stop.abort();
  delete open.now;
  leaveAgents();
  batch(() => {
    view.value = undefined;
    older.value = [];
    atStart.value = true;
    trouble.value = undefined;
    connection.value = "connected";
  });
}

export async function openSession(id: string): Promise<void> {
  if (open.now?.id === id && !trouble.value) return;
  leaveSession();
  const mine: Open = { id, stop: new AbortController(), floor: 1, head: [], queue: [], due: new Set() };
  open.now = mine;
  connection.value = "connecting";
  while (!mine.stop.signal.aborted) {
    try {
      await loadNewest(mine);
      break;
    } catch (error) {
      if (mine.stop.signal.aborted) return;
      if (hasCode(error, "denied")) void enter(); // whoever was shut out is told why
      if (hasCode(error, "not_found") || hasCode(error, "denied")) return void (trouble.value = messageOf(error));
      connection.value = navigator.onLine ? "reconnecting" : "offline";
      await pause(mine, 1500);
    }
  }
  void refreshJournal(id);
  void openAgents(id);
  await stayConnected(mine);
}

/** The newest page; when no turn ends in it, further pages until one does or the beginning is reached. */
async function loadNewest(mine: Open): Promise<void> {
  const { events } = await page(mine, { last: PAGE });
  let all = events;
  let cut = boundary(all);
  while (cut === undefined && (all[0]?.seq ?? 1) > 1) {
    const before = await page(mine, { last: PAGE, before: all[0]!.seq });
    all = [...before.events, ...all];
    cut = boundary(all);
  }
  if (mine.stop.signal.aborted) return;
  mine.floor = all[0]?.seq ?? 1;
  batch(() => (view.value = shownFrom(mine, all, cut ?? 0)));
}

/** What comes before `cut` waits. A clear that is shown is the beginning of the conversation, one that waits is not reached yet. */
function shownFrom(mine: Open, events: Stored[], cut: number): View {
  mine.head = events.slice(0, cut);
  const shown = events.slice(cut);
  atStart.value = (mine.floor <= 1 && cut === 0) || shown.some(clears);
  // All of it has been seen, so that nothing is sent once more when a title is all that came after a turn.
  return { ...fold(emptyView(mine.id), shown), seq: events.at(-1)?.seq ?? 0 };
}

const page = (mine: Open, query: { last: number; before?: number }): Promise<{ events: Stored[] }> =>
  call("sessions.events", {
    params: { id: mine.id },
    query: Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)])),
    signal: mine.stop.signal,
  }) as Promise<{ events: Stored[] }>;

/** What is older than this is out of the conversation. */
const clears = (event: Stored | LiveEvent): boolean =>
  "event" in event && event.event.type === "session.updated" && event.event.cleared === true;

/** The first place in `events` where no turn is open: its start when that is the log's, else after the first turn that ends, when more follows. */
function boundary(events: Stored[]): number | undefined {
  if ((events[0]?.seq ?? 1) === 1) return 0;
  const index = events.slice(0, -1).findIndex(({ event }) => event.type === "turn.completed");
  return index < 0 ? undefined : index + 1;
}

export async function loadOlder(): Promise<void> {
  const mine = open.now;
  if (!mine || loadingOlder.value || atStart.value) return;
  loadingOlder.value = true;
  try {
    let cut: number | undefined;
    do {
      const more = mine.floor > 1 ? (await page(mine, { last: PAGE, before: mine.floor })).events : [];
      mine.floor = more[0]?.seq ?? 1;
      mine.head = [...more, ...mine.head];
      cut = mine.floor <= 1 ? 0 : boundary(mine.head);
    } while (cut === undefined);
    if (mine.stop.signal.aborted) return;
    const from = cut;
    batch(() => (older.value = [shownFrom(mine, mine.head, from).entries, ...older.value]));
  } catch {
    if (!mine.stop.signal.aborted) await pause(mine, 1000);
  } finally {
    loadingOlder.value = false;
  }
}

async function stayConnected(mine: Open): Promise<void> {
  while (!mine.stop.signal.aborted && !trouble.value) {
    if (await hiddenFor(mine)) continue;
    const link = new AbortController();
    const unwatch = watchPage(link);
    const signal = AbortSignal.any([mine.stop.signal, link.signal]);
    const onState = ({ state }: { state: "open" | "waiting" }): void => {
      connection.value = state === "open" ? "connected" : navigator.onLine ? "reconnecting" : "offline";
    };
    try {
      for await (const event of follow(request, mine.id, { after: view.value?.seq ?? 0, signal, onState })) take(mine, event);
    } catch (error) {
      if (hasCode(error, "denied")) void enter();
      if (!signal.aborted) trouble.value = messageOf(error);
    }
    unwatch();
    flush(mine);
  }
}

/** A hidden page keeps its connection for a minute; one that is seen again, or has a network again, does not wait for its next attempt. */
function watchPage(link: AbortController): () => void {
  const timer: { id?: ReturnType<typeof setTimeout> } = {};
  const check = (): void => {
    clearTimeout(timer.id);
    if (document.hidden) timer.id = setTimeout(() => link.abort(), 60_000);
    else if (connection.value !== "connected") link.abort();
  };
  const lost = (): void => void (connection.value = "offline");
  document.addEventListener("visibilitychange", check);
  addEventListener("online", check);
  addEventListener("offline", lost);
  if (document.hidden) check();
  return () => {
    clearTimeout(timer.id);
    document.removeEventListener("visibilitychange", check);
    removeEventListener("online", check);
    removeEventListener("offline", lost);
  };
}

/** Resolves to true after having waited for the page to be seen again, to false at once when there is nothing to wait for. */
async function hiddenFor(mine: Open): Promise<boolean> {
  if (!document.hidden || connection.value === "connecting" || connection.value === "reconnecting") return false;
  connection.value = "paused";
  await new Promise<void>((resolve) => {
    const done = (): void => {
      document.removeEventListener("visibilitychange", done);
      resolve();
    };
    document.addEventListener("visibilitychange", done);
    mine.stop.signal.addEventListener("abort", done, { once: true });
  });
  if (!mine.stop.signal.aborted) connection.value = "reconnecting";
  return true;
}

/** Ends early when the network or the page comes back. */
function pause(mine: Open, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", done);
    mine.stop.signal.addEventListener("abort", done, { once: true });
  });
}

/** Pieces of one frame are folded together. A hidden page has no frames. */
function take(mine: Open, event: Stored | LiveEvent): void {
  mine.queue.push(event);
  if (mine.timer !== undefined) return;
  mine.timer = document.hidden ? window.setTimeout(() => flush(mine), 100) : requestAnimationFrame(() => flush(mine));
}

function flush(mine: Open): void {
  delete mine.timer;
  const events = mine.queue;
  mine.queue = [];
  if (events.length === 0 || mine.stop.signal.aborted || !view.value) return;
  batch(() => {
    view.value = fold(view.value!, events);
    if (events.some(clears)) {
      older.value = [];
      atStart.value = true;
    }
  });
  for (const event of events) if ("event" in event) notice(mine, event);
}

/** What a durable event means outside of the conversation: the list, the journal, the screen reader. */
function notice(mine: Open, { event }: Stored): void {
  if (event.type === "turn.started" || event.type === "turn.completed" || event.type === "session.updated" || event.type === "ask.opened")
    refreshSoon();
  if (
    (event.type === "item.started" || event.type === "item.completed") &&
    event.item.kind === "tool" &&
    isAboutAgents(event.item.call.tool)
  )
    soon(mine, refreshAgents);
  if (event.type === "item.completed" && event.item.kind === "tool" && event.item.result?.undo) soon(mine, refreshJournal);
  if (event.type === "item.completed" && event.item.kind === "text") spoken.value = `Steward: ${event.item.text.slice(0, 400)}`;
  if (event.type === "session.updated" || event.type === "turn.started") soon(mine, refreshChoice);
  if (event.type === "ask.opened") spoken.value = `Steward asks: ${event.ask.prompt}`;
  if (event.type === "turn.completed" && event.stop === "failed") spoken.value = `The turn failed. ${event.error?.message ?? ""}`;
}

/** Events that come all at once, as after a lost connection, are one request of each kind. */
function soon(mine: Open, ask: (session: string) => Promise<void>): void {
  if (mine.due.size === 0)
    setTimeout(() => {
      if (!mine.stop.signal.aborted) for (const one of mine.due) void one(mine.id);
      mine.due.clear();
    }, 250);
  mine.due.add(ask);
}
