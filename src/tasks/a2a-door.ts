// The door of A2A: what this agent says of itself, and one request with its answer or its stream of answers. The SDK is loaded when somebody calls.
import type * as A2A from "@a2a-js/sdk";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { once } from "../std/once.ts";
import { handlerOf } from "./a2a-serve.ts";

const sdk = once(async () => {
  const [core, errors, server, legacy] = await Promise.all([
    import("@a2a-js/sdk"),
    import("@a2a-js/sdk/errors"),
    import("@a2a-js/sdk/server"),
    import("@a2a-js/sdk/compat/v0_3/server"),
  ]);
  return { all: { ...core, ...errors }, server, legacy };
});

/** Throws not_found while it is off. */
function enabled(steward: Steward): { name: string; about: string } {
  const { serve } = steward.settings.config().a2a;
  if (!serve.enabled) throw new StewardError("not_found", "Not Found");
  return serve;
}

/** `url`: of the page. */
export async function agentCard(steward: Steward, url: string): Promise<unknown> {
  const { all } = await sdkFor(steward);
  const address = `${url}/a2a`;
  // Those who speak the version before read these.
  const older = { protocolVersion: "0.3.0", url: address, preferredTransport: "JSONRPC" };
  return { ...older, ...(all.AgentCard.toJSON(cardOf(steward, url)) as object), security: [{ bearer: [] }] };
}
const sdkFor = (steward: Steward) => (enabled(steward), sdk());

function cardOf(steward: Steward, url: string): A2A.AgentCard {
  const { name, about } = enabled(steward);
  const scheme = {
    scheme: {
      $case: "httpAuthSecurityScheme" as const,
      value: { description: "A token of a person of this Steward", scheme: "Bearer", bearerFormat: "" },
    },
  };
  const skill = {
    id: "ask",
    name: "Ask",
    description: about,
    tags: ["assistant"],
    examples: [],
    inputModes: [],
    outputModes: [],
    securityRequirements: [],
  };
  return {
    ...{ name, description: about, version: steward.version, provider: undefined },
    supportedInterfaces: ["1.0", "0.3"].map((protocolVersion) => ({
      url: `${url}/a2a`,
      protocolBinding: "JSONRPC",
      tenant: "",
      protocolVersion,
    })),
    capabilities: { streaming: true, pushNotifications: false, extensions: [] },
    securitySchemes: { bearer: scheme },
    securityRequirements: [{ schemes: { bearer: { list: [] } } }],
    ...{ defaultInputModes: ["text/plain"], defaultOutputModes: ["text/plain"], skills: [skill], signatures: [] },
  };
}

export interface A2aRequest {
  body: Record<string, unknown>;
  /** Of the page. */
  url: string;
  /** Header A2A-Version; absent means 0.3. */
  version: string | undefined;
  signal: AbortSignal;
}

/** JSON-RPC; a stream where the method is one. What is done runs with nobody there, so it is contained, whoever's token it is. */
export async function answerA2a(
  steward: Steward,
  { person, role }: Principal,
  { body, url, version, signal }: A2aRequest,
): Promise<object | AsyncGenerator<object, void, undefined>> {
  const { all, server, legacy } = await sdkFor(steward);
  const card = cardOf(steward, url);
  const handler = handlerOf({ steward, who: { person, role, via: "schedule" }, sdk: all, signal }, card);
  const context = new server.ServerCallContext({
    user: { isAuthenticated: true, userName: person },
    ...(version === undefined ? {} : { requestedVersion: version }),
  });
  const old = version === undefined || version === "0.3";
  try {
    server.validateVersion(context.requestedVersion, card, "JSONRPC");
    return await (old ? new legacy.LegacyJsonRpcTransportHandler(handler) : new server.JsonRpcTransportHandler(handler)).handle(
      body,
      context,
    );
  } catch (error) {
    const map = old ? legacy.LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError : server.JsonRpcTransportHandler.mapToJSONRPCError;
    return { jsonrpc: "2.0", id: body["id"] ?? null, error: map(error) };
  }
}
