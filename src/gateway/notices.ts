// The stream behind the whole page: which of a person's own sessions changed, how many questions are open, what is degraded.
import { openAsks } from "../run/asks.ts";
import { health } from "../run/health.ts";
import { sessionDoc } from "../run/sessions.ts";
import type { Caller } from "./auth.ts";
import { BEAT_MS, frame, type Source } from "./stream.ts";
import type { Gate } from "./table.ts";

/** At most about ten notices a second for one session. */
const GAP_MS = 100;
const MAX_OWNED = 1000;

interface Pending {
  /** Newest number of each session that changed and was not told. */
  changed: Map<string, number>;
  toldAt: Map<string, number>;
  owned: Map<string, boolean>;
  asks: number;
  banner: string;
  over: boolean;
  wake?: () => void;
}

export function noticeSource(gate: Gate, caller: Caller): Source {
  const state: Pending = { changed: new Map(), toldAt: new Map(), owned: new Map(), asks: -1, banner: "", over: false };
  const stop = gate.hub.all(({ session, seq }) => {
    if (session === undefined || seq === undefined) return;
    state.changed.set(session, seq);
    state.wake?.();
  });
  return {
    async next() {
      while (!state.over) {
        if (!(await gate.auth.holds(caller))) return over(state);
        const text = (await told(gate, caller, state)) + (await asked(gate, caller, state));
        if (text) return text;
        const beat = await pause(state);
        if (beat) return (await banner(gate, caller, state)) ?? ": beat\n\n";
      }
      return undefined;
    },
    wake() {
      state.over = true;
      state.wake?.();
    },
    stop,
  };
}

function over(state: Pending): string {
  state.over = true;
  return frame("notice", { type: "ended", reason: "revoked" });
}

/** Sessions that are due to be told; what came too soon after the last time waits. */
async function told(gate: Gate, caller: Caller, state: Pending): Promise<string> {
  let text = "";
  const now = Date.now();
  for (const [session, seq] of state.changed) {
    if (now - (state.toldAt.get(session) ?? 0) < GAP_MS) continue;
    state.changed.delete(session);
    if (!(await isOwn(gate, caller, state.owned, session))) continue;
    remember(state.toldAt, session, now);
    text += frame("notice", { session, seq });
  }
  return text;
}

/** Whose a session is never changes, so it is asked once. */
async function isOwn(gate: Gate, { principal }: Caller, owned: Map<string, boolean>, session: string): Promise<boolean> {
  const known = owned.get(session);
  if (known !== undefined) return known;
  const mine = await sessionDoc(gate.steward, principal, session).then(
    () => true,
    () => false,
  );
  remember(owned, session, mine);
  return mine;
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_OWNED) map.delete(map.keys().next().value!);
}

async function asked(gate: Gate, { principal }: Caller, state: Pending): Promise<string> {
  const open = (await openAsks(gate.steward, principal)).length;
  if (open === state.asks) return "";
  state.asks = open;
  return frame("asks", { open });
}

async function banner(gate: Gate, { principal }: Caller, state: Pending): Promise<string | undefined> {
  const text = principal.role === "guest" ? "" : ((await health(gate.steward)).banner ?? "");
  if (text === state.banner) return undefined;
  state.banner = text;
  return frame("banner", { text });
}

/** Until something changes (and then a moment more, so that bursts become one notice). True after a beat without any. */
async function pause(state: Pending): Promise<boolean> {
  const ms = state.changed.size > 0 ? GAP_MS : BEAT_MS;
  const timer: { id?: NodeJS.Timeout } = {};
  const beat = await new Promise<boolean>((resolve) => {
    if (state.changed.size === 0) state.wake = () => resolve(false);
    timer.id = setTimeout(() => resolve(ms === BEAT_MS), ms);
  });
  clearTimeout(timer.id);
  delete state.wake;
  return beat;
}
