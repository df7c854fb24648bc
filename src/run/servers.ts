// What the rest of Steward knows of MCP servers. How they are run is src/mcp's.
import type { McpServer } from "../core/api-mcp.ts";
import type { Tool } from "../core/ports.ts";
import type { Principal } from "../core/types.ts";

/** Throws StewardError throughout; a name that this person may not know of is not_found. */
export interface Servers {
  /** Approved tools that this principal may use. Starts nothing; the same approvals give the same tools in the same order. */
  tools(who: Principal): Promise<Tool[]>;
  /** Writes the servers into the file in which this engine's program looks for them, in the person's workspace. Never throws: problems are logged. */
  prepare(who: Principal, engine: string): Promise<void>;
  list(): Promise<McpServer[]>;
  /** Conflict where the name is taken, unless it is to be replaced. */
  add(name: string, server: unknown, replace?: boolean): Promise<McpServer>;
  remove(name: string): Promise<void>;
  approve(name: string, given: Approval): Promise<McpServer>;
  test(who: Principal, name: string): Promise<{ server: McpServer; ms: number; version?: string }>;
  mine(who: Principal): Promise<{ name: string; what: string; signedIn: boolean }[]>;
  /** `by`: the credential of the browser that begins, `page`: the origin of Steward's page there. */
  signIn(who: Principal, name: string, how: { by: string; page: string | undefined }): Promise<{ url?: string; signedIn: boolean }>;
  signedIn(who: Principal, by: string, given: Callback): Promise<{ server: string; signedIn: boolean }>;
  signOut(who: Principal, name: string): Promise<void>;
  /** Ends what runs for a person who is being removed, and forgets their tokens. */
  forget(person: string): Promise<void>;
  close(): Promise<void>;
}
/** Hashes of what was shown. */
export interface Approval {
  definition?: string | undefined;
  tools: { name: string; hash: string }[];
}
export interface Callback {
  state: string;
  code?: string | undefined;
  iss?: string | undefined;
  error?: string | undefined;
}

/** For a Steward that uses none. */
export const noServers = {
  tools: async () => [],
  prepare: async () => {},
  list: async () => [],
  forget: async () => {},
  close: async () => {},
} as unknown as Servers;
