// The session of an agent that speaks the Agent Client Protocol: begun with Steward's tools, or gone on with where the agent still has it.
import { StewardError, hasCode } from "../std/error.ts";
import type { Agent } from "./acp-agents.ts";
import { type Connection, type Fields, fieldsOf, RpcFailure } from "./acp-connection.ts";
import { toolsRelay } from "./acp-relay.ts";
import type { Ended, Frame } from "./frame.ts";

/** For what an agent does before it asks its model. */
export const START_MS = 60_000;
const AUTH_REQUIRED = -32_000;

export interface Session {
  id: string;
  connection: Connection;
  /** What the agent said it can. */
  can: Fields;
  fresh: boolean;
}

export async function openSession(frame: Frame, agent: Agent, connection: Connection): Promise<Session> {
  const { place, turn } = frame;
  const hello = { protocolVersion: 1, clientCapabilities: {}, clientInfo: { name: "steward", title: "Steward", version: "1" } };
  const { agentCapabilities, protocolVersion, _meta } = await connection.request("initialize", hello, START_MS);
  if (protocolVersion !== 1)
    throw new StewardError(
      "unavailable",
      `${agent.name} speaks version ${String(protocolVersion)} of the Agent Client Protocol; Steward speaks 1`,
    );
  const can = {
    ...fieldsOf(agentCapabilities),
    steering: fieldsOf(fieldsOf(_meta).steering).supported,
  };
  if (agent.auth !== undefined) await connection.request("authenticate", { methodId: agent.auth }, START_MS);
  const system = within(can, "sessionCapabilities", "systemPrompt") !== undefined;
  const params = {
    cwd: place.cwd,
    mcpServers: [await toolServer(frame, within(can, "mcpCapabilities", "http") === true)],
    ...(system ? { systemPrompt: { mode: "append", content: [{ type: "text", text: turn.instructions }] } } : {}),
    ...(agent.meta === undefined ? {} : { _meta: agent.meta }),
  };
  const kept = keptId(agent, turn.resume?.id);
  const resumed = kept !== undefined && (await goOn(connection, can, { ...params, sessionId: kept }));
  const id = resumed ? kept : await begin(connection, agent, params);
  if (agent.mode !== undefined) await connection.request("session/set_mode", { sessionId: id, modeId: agent.mode }, START_MS);
  return { id, connection, can, fresh: !resumed };
}

async function toolServer({ place }: Frame, http: boolean): Promise<Fields> {
  const pairs = (all: { [name: string]: string }): Fields[] => Object.entries(all).map(([name, value]) => ({ name, value }));
  const { url, headers } = place.doors.tools;
  if (http) return { type: "http", name: "steward", url, headers: pairs(headers) };
  const { command, env } = await toolsRelay(place);
  return { name: "steward", command: command[0], args: command.slice(1), env: pairs(env) };
}

/** False when the session is not to be had any more. */
async function goOn(connection: Connection, can: Fields, params: Fields): Promise<boolean> {
  const method = within(can, "sessionCapabilities", "resume") ? "session/resume" : can.loadSession === true ? "session/load" : undefined;
  if (method === undefined) return false;
  return connection.request(method, params, START_MS).then(
    () => true,
    (error: unknown) => {
      if (error instanceof RpcFailure || hasCode(error, "not_found")) return false;
      throw error;
    },
  );
}

async function begin(connection: Connection, { name }: Agent, params: Fields): Promise<string> {
  try {
    return String((await connection.request("session/new", params, START_MS)).sessionId);
  } catch (error) {
    if (!(error instanceof RpcFailure) || error.rpc !== AUTH_REQUIRED) throw error;
    throw new StewardError("unavailable", `${name} wants a login of its own: ${error.message}`, {
      hint: `Where it takes a key from a variable, engines.acp.agents.${name}.env sets it.`,
    });
  }
}

export const within = (can: Fields, part: string, name: string): unknown => fieldsOf(can[part])[name] ?? undefined;

/** Another agent may have been chosen since. */
const keptId = ({ name }: Agent, id: string | undefined): string | undefined =>
  id?.startsWith(`${name} `) ? id.slice(name.length + 1) : undefined;

export function resumable({ name }: Agent, { id, can }: Session, { stop, lost }: Ended): Pick<Ended, "resume"> {
  const keeps = can.loadSession === true || within(can, "sessionCapabilities", "resume") !== undefined;
  return keeps && stop !== "failed" && !lost ? { resume: `${name} ${id}` } : {};
}
