// A running Steward: one process a home, with the gateway on a port (serve) or only in this process (embed).
import { join } from "node:path";
import type { Serving } from "./cli/cli.ts";
import { compose, type Composed } from "./compose.ts";
import { openOsAgent } from "./gateway/os-agent/listener.ts";
import { openPlain, type PlainDoor } from "./gateway/plain/door.ts";
import type { Principal } from "./core/types.ts";
import { type Gateway, openGateway } from "./gateway/server.ts";
import type { Steward } from "./run/steward.ts";
import { sweepFiles } from "./run/sweep.ts";
import { forgetOld } from "./run/undo.ts";
import { holdInstance } from "./run/instance.ts";
import { hasCode, messageOf } from "./std/error.ts";
import { once } from "./std/once.ts";

export interface ServeOptions {
  home: string;
  version: string;
  /** Folder of package.json; the built page is in dist/web. */
  root: string;
  port?: number;
  host?: string;
  model?: string;
  engine?: string;
  /** Channels that are turned on for this start. */
  channels?: string[];
  logLevel?: string;
  /** Opens OS-Agent's door too, whatever the configuration says. */
  osAgent?: { host?: string; port?: number };
  /** Opens the plain page too. `soft`: when its port is taken, there is only a warning. */
  webchat?: { soft?: boolean };
}

const OWNER = { person: "owner", role: "owner", via: "token" } as const;
const DAY_MS = 86_400_000;

/** Resolves when it answers. Throws `conflict` when the port or the home is taken. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const held = holdInstance(options.home);
  try {
    const composed = await compose({ ...options, env: process.env, overrides: overridesOf(options), auto: true });
    const { steward } = composed;
    const { host, port } = steward.settings.config().server;
    const stopped = Promise.withResolvers<void>();
    const gateway = await openGateway(steward, {
      host,
      port,
      web: join(options.root, "dist", "web"),
      localToken: held.token,
      stop: () => void close(),
    }).catch(async (error: unknown) => {
      await composed.close();
      throw error;
    });
    const doors = await openDoors(gateway, options).catch(async (error: unknown) => {
      await gateway.close();
      await composed.close();
      throw error;
    });
    held.announce(gateway.url);
    const sweep = setInterval(() => void tidy(composed), DAY_MS).unref();
    void tidy(composed);
    const close = once(async () => {
      clearInterval(sweep);
      await Promise.all([doors.close(), gateway.close()]);
      await composed.close();
      held.release();
      stopped.resolve();
    });
    steward.stop = () => void close();
    steward.log("info", "Steward listens", { url: gateway.url, version: options.version });
    return {
      url: gateway.url,
      claimUrl: await gateway.claimLink(),
      ...(doors.plain ? { plainClaimUrl: await doors.plain.claimLink() } : {}),
      warnings: [...composed.warnings, ...doors.warnings],
      model: steward.models.current(),
      sandbox: await steward.sandbox(),
      doors: Object.fromEntries(gateway.gate.doors),
      close,
      closed: stopped.promise,
    };
  } catch (error) {
    held.release();
    throw error;
  }
}

interface Doors {
  plain?: PlainDoor;
  warnings: string[];
  close(): Promise<void>;
}

/** The doors beside the main one that configuration turns on. The plain page speaks over OS-Agent's socket, so that is open whenever the page is. */
async function openDoors({ gate }: Gateway, { root, webchat: asked }: ServeOptions): Promise<Doors> {
  const { steward, doors } = gate;
  const { osAgent, webchat } = steward.settings.config();
  if (!osAgent.enabled && !webchat.enabled) return { warnings: [], close: async () => {} };
  const socket = await openOsAgent(gate, { host: osAgent.host, port: osAgent.port });
  doors.set("os-agent", socket.url);
  steward.log("info", "OS-Agent's door is open", { url: socket.url });
  for (const warning of socket.warnings) steward.log("warning", warning);
  if (!webchat.enabled) return socket;
  const where = {
    host: webchat.host,
    port: webchat.port,
    socket: { host: osAgent.host, port: socket.port },
    web: join(root, "dist", "plain"),
    page: webchat.page ?? (osAgent.enabled ? ("os-agent" as const) : ("chat" as const)),
  };
  try {
    const plain = await openPlain(gate, where);
    doors.set("webchat", plain.url);
    steward.log("info", "The plain page is open", { url: plain.url });
    return { plain, warnings: socket.warnings, close: async () => void (await Promise.all([plain.close(), socket.close()])) };
  } catch (error) {
    if (asked?.soft && hasCode(error, "conflict"))
      return { ...socket, warnings: [...socket.warnings, `The plain page is not open: ${messageOf(error)}. FRONTEND_PORT takes another.`] };
    await socket.close();
    throw error;
  }
}

/** The whole of Steward without a listener, for one command. `work`: waiting turns are run; else nothing is begun that the command's end would cut off. */
export async function embed(
  options: Pick<ServeOptions, "home" | "version" | "root"> & { work: boolean; overrides?: Record<string, unknown> },
): Promise<{
  /** As the owner, unless somebody else is named. */
  fetch(request: Request, who?: Principal): Promise<Response>;
  steward: Steward;
  close(): Promise<void>;
}> {
  const held = holdInstance(options.home);
  try {
    const composed = await compose({ ...options, env: process.env, auto: options.work });
    const gateway = await openGateway(composed.steward, { web: undefined, localToken: held.token, stop: () => {} });
    return {
      fetch: (request, who = OWNER) => gateway.fetch(request, who),
      steward: composed.steward,
      async close() {
        await gateway.close();
        await composed.close();
        held.release();
      },
    };
  } catch (error) {
    held.release();
    throw error;
  }
}

function overridesOf({ port, host, model, engine, logLevel, osAgent, webchat }: ServeOptions): Record<string, unknown> {
  return {
    ...(port === undefined ? {} : { "server.port": port }),
    ...(host === undefined ? {} : { "server.host": host }),
    ...(model === undefined ? {} : { model }),
    ...(engine === undefined ? {} : { "runtime.engine": engine }),
    ...(logLevel === undefined ? {} : { "log.level": logLevel }),
    ...(osAgent === undefined ? {} : { "osAgent.enabled": true }),
    ...(webchat === undefined ? {} : { "webchat.enabled": true }),
    ...(osAgent?.host === undefined ? {} : { "osAgent.host": osAgent.host }),
    ...(osAgent?.port === undefined ? {} : { "osAgent.port": osAgent.port }),
  };
}

/** What is older than its keeping time goes, once a day. */
async function tidy({ steward }: Composed): Promise<void> {
  await forgetOld(steward, OWNER).catch((error: unknown) =>
    steward.log("warning", "Old undo entries could not be dropped", { error: messageOf(error) }),
  );
  await sweepFiles(steward).catch((error: unknown) =>
    steward.log("warning", "Files that nobody needs could not be dropped", { error: messageOf(error) }),
  );
}
