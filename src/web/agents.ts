// The helper agents of the open session, and whether the open session is a helper's itself. Looked at when a call is about them, and while one runs.
import { signal } from "@preact/signals";
import type { Answered } from "../core/api.ts";
import { call } from "./api.ts";

export type Agent = Answered<"agents.list">["agents"][number];
export const agents = signal<readonly Agent[]>([]);
/** Set when the open session is a helper's: the session it works for. */
export const senior = signal<string | undefined>(undefined);

const AGAIN_MS = 1500;
const LOOKS = 4;
const state: { session?: string; timer?: ReturnType<typeof setTimeout> } = {};

export function leaveAgents(): void {
  clearTimeout(state.timer);
  delete state.session;
  agents.value = [];
  senior.value = undefined;
}

export async function openAgents(session: string): Promise<void> {
  leaveAgents();
  state.session = session;
  const info = await call("sessions.get", { params: { id: session } }).catch(() => undefined);
  if (state.session !== session) return;
  senior.value = info?.parent;
  if (info && !info.parent) await refreshAgents(session, 1);
}

/** Nothing when another session is open by now. */
export async function refreshAgents(session: string, looks = LOOKS): Promise<void> {
  clearTimeout(state.timer);
  const answer = await call("agents.list", { params: { id: session } }).catch(() => undefined);
  if (state.session !== session) return;
  if (answer) agents.value = answer.agents;
  const busy = agents.value.some(({ running }) => running);
  // One that was just asked begins a moment later.
  if (busy || looks > 1) state.timer = setTimeout(() => void refreshAgents(session, looks - 1), document.hidden ? AGAIN_MS * 10 : AGAIN_MS);
}

export const isAboutAgents = (tool: string): boolean => tool === "spawn_agent" || tool === "send_to_agent";
