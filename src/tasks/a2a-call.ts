// Agents of other systems as tools: called over A2A through the one outbound client, after the gate has asked; what they answer is data.
import type * as A2A from "@a2a-js/sdk";
import type { Client } from "@a2a-js/sdk/client";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import type { Fetch, Tool, ToolContext, ToolOutput } from "../core/ports.ts";
import type { Principal } from "../core/types.ts";
import { outbound } from "../run/outbound.ts";
import { OWNER_ID } from "../run/persons.ts";
import { redactor } from "../run/redact.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";

type Agent = ReturnType<Steward["settings"]["config"]>["a2a"]["agents"][string];
const input = z.object({ message: z.string(), context: z.optional(z.string()) });
type Wish = z.infer<typeof input>;
export const GROUP = "a2a";
const MOST_TEXT = 100_000;
const PAUSE_MS = 2000;

/** The same configuration gives the same tools. */
export function agentTools(steward: () => Steward): (who: Principal) => Tool[] {
  const made = new Map<string, Tool>();
  return ({ person }) =>
    Object.entries(steward().settings.config().a2a.agents).flatMap(([name, agent]) => {
      if (!(agent.people?.includes(person) ?? person === OWNER_ID)) return [];
      const key = JSON.stringify([name, agent]);
      const tool = made.get(key) ?? toolOf(steward, name, agent);
      made.set(key, tool);
      return [tool];
    });
}

function toolOf(steward: () => Steward, name: string, agent: Agent): Tool {
  const { origin, host } = new URL(agent.url);
  const opened: { fetch?: Fetch } = {};
  const fetch = (): Fetch => (opened.fetch ??= outbound({ allow: (one) => one === origin, log: steward().log, maxBytes: 20e6 }));
  const tool: Tool<Wish> = {
    name: `call_${name}`,
    description: `Ask ${name}, an agent of another system (${host}). context: goes on in an earlier conversation.`,
    capability: "none",
    effect: "send",
    found: "many",
    group: GROUP,
    input,
    run: (wish, context) => called(steward(), { name, agent, fetch: fetch() }, wish, context),
  };
  return tool;
}

interface Called {
  name: string;
  agent: Agent;
  fetch: Fetch;
}

async function called(steward: Steward, to: Called, { message, context: before }: Wish, context: ToolContext): Promise<ToolOutput> {
  const text = visible(message).trim();
  if (text === "" || text.length > MOST_TEXT) throw new StewardError("invalid", `A message has 1 to ${MOST_TEXT} characters`);
  const { client, sdk, hide } = await opened(steward, to);
  const limit = AbortSignal.timeout(to.agent.seconds * 1000);
  const signal = AbortSignal.any([context.signal, limit]);
  const held: { task?: string } = {};
  try {
    const request = {
      tenant: "",
      message: said(sdk, { text, id: context.call, context: before }),
      configuration: CONFIGURATION,
      metadata: undefined,
    };
    let answer = await client.sendMessage(request, { signal });
    while ("status" in answer && goesOn(sdk, answer.status?.state)) {
      held.task = answer.id;
      await sleep(PAUSE_MS, undefined, { signal });
      answer = await client.getTask({ tenant: "", id: answer.id }, { signal });
    }
    return outputOf(sdk, to.name, answer, hide);
  } catch (error) {
    if (held.task !== undefined && signal.aborted)
      await client.cancelTask({ tenant: "", id: held.task, metadata: undefined }).catch(() => undefined);
    if (context.signal.aborted) throw new StewardError("unavailable", "Stopped before it had answered");
    if (limit.aborted) throw new StewardError("unavailable", `${to.name} did not answer within ${to.agent.seconds} seconds`);
    throw error instanceof StewardError
      ? error
      : new StewardError("unavailable", `${to.name}: ${hide(clip(visible(messageOf(error)), 500))}`);
  }
}

const CONFIGURATION: A2A.SendMessageConfiguration = {
  ...{ acceptedOutputModes: ["text/plain"], taskPushNotificationConfig: undefined, historyLength: 0, returnImmediately: false },
};
type Sdk = typeof A2A;

const goesOn = ({ TaskState: all }: Sdk, state: A2A.TaskState | undefined): boolean =>
  state === all.TASK_STATE_SUBMITTED || state === all.TASK_STATE_WORKING;

const said = ({ Role }: Sdk, { text, id, context }: { text: string; id: string; context: string | undefined }): A2A.Message => ({
  ...{
    messageId: id,
    contextId: context ?? "",
    taskId: "",
    role: Role.ROLE_USER,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "text/plain" }],
});

/** Nothing but the address that the owner has set is reached, so the key goes nowhere else. */
async function opened(
  steward: Steward,
  { name, agent, fetch }: Called,
): Promise<{ client: Client; sdk: Sdk; hide: (text: string) => string }> {
  const [sdk, { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory }] = await Promise.all([
    import("@a2a-js/sdk"),
    import("@a2a-js/sdk/client"),
  ]);
  const key = agent.key === undefined ? undefined : await steward.secrets.get(agent.key.secret);
  if (agent.key !== undefined && key === undefined)
    throw new StewardError("unavailable", `There is no secret ${agent.key.secret}`, {
      hint: `steward secret set ${agent.key.secret} keeps one.`,
    });
  const withKey = (async (url, init = {}) => {
    const headers = new Headers(init.headers);
    if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
    return fetch(url, { ...init, headers, redirect: "error" });
  }) as typeof globalThis.fetch;
  const how = { fetchImpl: withKey, legacyCompat: { enabled: true } };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory(how), new RestTransportFactory(how)],
    cardResolver: new DefaultAgentCardResolver(how),
  });
  const hide = redactor(() => (key === undefined ? [] : [key]));
  const client = await factory.createFromUrl(agent.url, ...(agent.url.endsWith(".json") ? [""] : [])).catch((error: unknown) => {
    throw new StewardError("unavailable", `${name} can't be reached: ${hide(clip(visible(messageOf(error)), 300))}`);
  });
  return { client, sdk, hide };
}

function outputOf(sdk: Sdk, agent: string, answer: A2A.Message | A2A.Task, hide: (text: string) => string): ToolOutput {
  const { TaskState: all } = sdk;
  const parts =
    "parts" in answer ? answer.parts : [...answer.artifacts.flatMap((one) => one.parts), ...(answer.status?.message?.parts ?? [])];
  const text = hide(clip(parts.flatMap(textOf).join("\n\n"), MOST_TEXT));
  const state = "parts" in answer ? all.TASK_STATE_COMPLETED : (answer.status?.state ?? all.TASK_STATE_UNSPECIFIED);
  const word = sdk.taskStateToJSON(state).replace("TASK_STATE_", "").toLowerCase();
  const output = { agent, state: word, context: answer.contextId, text };
  return state === all.TASK_STATE_COMPLETED
    ? { output }
    : { output, error: `${agent} did not come to an end: ${word.replaceAll("_", " ")}` };
}

const textOf = ({ content, filename }: A2A.Part): string[] => {
  if (content?.$case === "text") return [visible(content.value)];
  if (content?.$case === "data") return [visible(JSON.stringify(content.value))];
  return content === undefined ? [] : [`(a file that was left out${filename ? `: ${visible(filename)}` : ""})`];
};
