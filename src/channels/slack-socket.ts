// Socket Mode: Slack tells by a WebSocket that this side opens, so nothing has to be public.
import type { Logger, SocketModeClient } from "@slack/socket-mode";
import { StewardError } from "../std/error.ts";
import { within } from "../std/within.ts";
import { explained } from "./slack-faults.ts";
import { catchUp } from "./slack-missed.ts";
import { take, type Told } from "./slack-reading.ts";
import { isSlacks, type Line } from "./slack-wire.ts";

const HELLO_MS = 20_000;
const CLOSE_MS = 1500;
const KINDS: Record<string, Told["kind"]> = { events_api: "event", interactive: "interaction", slash_commands: "command" };

interface Envelope {
  type: string;
  body: unknown;
  ack(): Promise<void>;
}
export interface Socket {
  /** Messages would come now. */
  isOpen(): boolean;
  close(): Promise<void>;
}

/** Resolves when Slack has said hello. When the connection breaks, the channel is lost; when Slack asks for a new one, there is a new one. */
export async function openSocket(line: Line, logger: Logger): Promise<Socket> {
  const state: { client?: SocketModeClient; open: boolean } = { open: false };
  const connect = async (): Promise<void> => {
    const client = await clientOf(line, logger);
    const renewed = { begun: false };
    client.on("ws_message", (data: unknown) => {
      const reason = leaving(data);
      if (reason === undefined) return;
      if (reason === "link_disabled") return line.host.lost(turnedOff());
      renewed.begun = true;
      void connect().then(
        () => catchUp(line),
        (error: unknown) => line.host.lost(error),
      );
    });
    client.on("disconnected", () => {
      if (state.client !== client) return;
      state.open = false;
      if (!renewed.begun && !line.stop.signal.aborted) line.host.lost(new StewardError("unavailable", "The connection to Slack broke"));
    });
    await started(client);
    if (line.stop.signal.aborted) return void client.disconnect();
    Object.assign(state, { client, open: true });
  };
  await connect();
  return {
    isOpen: () => state.open,
    async close() {
      const { client } = state;
      if (client) await Promise.race([client.disconnect(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    },
  };
}

async function clientOf(line: Line, logger: Logger): Promise<SocketModeClient> {
  const { config, host } = line;
  const { SocketModeClient: Client } = await import("@slack/socket-mode");
  const client = new Client({
    ...{
      appToken: config.appToken ?? "",
      autoReconnectEnabled: false,
      clientPingTimeout: config.pongMs,
      serverPingTimeout: 120_000,
      logger,
    },
    clientOptions: {
      ...{ slackApiUrl: config.apiUrl, fetch: host.fetch, timeout: HELLO_MS },
      ...{ retryConfig: { retries: 0 }, rejectRateLimitedCalls: true },
    },
  });
  client.on("authenticated", ({ url = "" }: { url?: string }) => {
    if (!isSlacks(line, url)) throw new StewardError("denied", "Slack named a WebSocket of somebody else");
  });
  client.on("slack_event", ({ type, body, ack }: Envelope) => {
    const kind = KINDS[type];
    if (line.stop.signal.aborted || kind === undefined) return;
    const again = (what: string) => (error: unknown) => host.log("debug", `${what}; it comes again`, { type, error: String(error) });
    void take(line, { kind, body } as Told).then(
      () => ack().catch(again("Slack could not be told that something was taken")),
      again("Something of Slack's was not taken"),
    );
  });
  return client;
}

function leaving(data: unknown): string | undefined {
  if (typeof data !== "string" || !data.includes('"disconnect"')) return undefined;
  try {
    const { type, reason = "" } = JSON.parse(data) as { type?: string; reason?: string };
    return type === "disconnect" ? reason : undefined;
  } catch {
    return undefined;
  }
}

async function started(client: SocketModeClient): Promise<void> {
  try {
    await within(client.start(), HELLO_MS, () => new StewardError("unavailable", "Slack did not say hello in time"));
  } catch (error) {
    void client.disconnect();
    throw explained(error ?? new StewardError("unavailable", "Slack closed the connection at once"), true);
  }
}

const turnedOff = (): StewardError =>
  new StewardError("denied", "Socket Mode is turned off for this app", {
    hint: "At api.slack.com/apps, open the app and turn Socket Mode on.",
  });
