// The helper agents of a session, as its person sees them.
import type { Principal } from "../core/types.ts";
import { sessionDoc, teamOf } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";

export interface AgentInfo {
  name: string;
  session: string;
  running: boolean;
  asks: number;
  createdAt: number;
  updatedAt: number;
  snippet?: string;
}

/** Oldest first. */
export async function listAgents(steward: Steward, who: Principal, session: string): Promise<AgentInfo[]> {
  await sessionDoc(steward, who, session);
  const { agents } = await teamOf(steward, who, session);
  return Promise.all(
    agents.map(async ({ name, session: id }) => {
      const { running, asks = 0, createdAt, updatedAt, snippet } = await sessionDoc(steward, who, id);
      return { name, session: id, running: Boolean(running), asks, createdAt, updatedAt, ...(snippet ? { snippet } : {}) };
    }),
  );
}
