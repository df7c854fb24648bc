// The other side of a webhook: a program that calls Steward until it was taken, and a receiver that takes each key once. Faults are the receiver's.
import { createHmac } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import type { Fault, Kept, Platform } from "../src/testing/channel-platform.ts";
import { type LocalServer, localServer } from "../src/testing/local-server.ts";
import { freePort } from "./free-port.ts";

const SECRET = "a secret of more than sixteen characters";
const AGAIN_MS = 200;
const PATIENCE_MS = 3000;
/** At the same time, as programs do that do not wait for each other. */
const CALLERS = 4;

interface Call {
  body: string;
  signature: string;
}
interface State {
  /** What was taken, by its key. */
  kept: Map<string, Kept>;
  faults: { fault: Fault; times: number } | undefined;
  waiting: Call[];
  made: Map<string, Call>;
  answers: string[];
  calling: AbortController;
  over: AbortController;
}
export interface WebhookPlatform extends Platform {
  /** Where Steward has to listen. */
  port: number;
}

export async function webhookPlatform(): Promise<WebhookPlatform> {
  const state: State = {
    ...{ kept: new Map(), faults: undefined, waiting: [], made: new Map(), answers: [] },
    ...{ calling: new AbortController(), over: new AbortController() },
  };
  const receiver = await receiverOf(state);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/hooks/webhook`;
  const callers = Array.from({ length: CALLERS }, () => calling(state, url));
  return {
    port,
    config: { secret: SECRET, person: "owner", as: "owner", url: `${receiver.url}/in`, origin: receiver.url },
    people: ["one", "two"],
    rooms: ["", ""],
    async say({ text, from }) {
      const body = JSON.stringify({ text, from });
      const call = { body, signature: sign(body) };
      state.made.set(call.signature, call);
      state.waiting.push(call);
      return { id: call.signature };
    },
    async redeliver(id) {
      state.waiting.push(state.made.get(id)!);
    },
    kept: () => [...state.kept.values()],
    fail: (fault, times) => void (state.faults = times > 0 ? { fault, times } : undefined),
    async cut() {
      state.calling.abort();
      state.calling = new AbortController();
    },
    revoke() {},
    calls: () => state.answers,
    async close() {
      state.over.abort();
      await Promise.all(callers);
      await receiver.close();
    },
  };
}

function sign(body: string): string {
  const seconds = Math.floor(Date.now() / 1000);
  return `t=${seconds},v1=${createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex")}`;
}

/** Each until it was taken, the very same bytes; one that was taken before says so. */
async function calling(state: State, url: string): Promise<void> {
  while (!state.over.signal.aborted) {
    const call = state.waiting.shift();
    if (!call) await wait(10);
    else if (!(await taken(state, url, call))) {
      state.waiting.unshift(call);
      await wait(AGAIN_MS);
    }
  }
}

async function taken(state: State, url: string, { body, signature }: Call): Promise<boolean> {
  const signal = AbortSignal.any([state.over.signal, state.calling.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const headers = { "content-type": "application/json", "x-steward-signature": signature };
  const status = await fetch(url, { method: "POST", headers, body, signal }).then(
    async (response) => (await response.body?.cancel(), response.status),
    () => 0,
  );
  state.answers.push(`taken ${status}`);
  if (status === 401 || status === 403) throw new Error(`A webhook's call was answered ${status}`);
  return status === 202 || status === 409;
}

const receiverOf = (state: State): Promise<LocalServer> =>
  localServer(async (request, response) => {
    const body = JSON.parse((await buffer(request)).toString()) as { id: string; text: string };
    const fault = state.faults && state.faults.times-- > 0 ? state.faults.fault : undefined;
    if (fault === "broken-before") return void request.socket.destroy();
    if (fault === "limited") return void response.writeHead(429, { "retry-after": "1" }).end();
    if (fault === "error") return void response.writeHead(502).end();
    state.answers.push(`received ${state.kept.has(body.id) ? "again" : "first"}`);
    if (request.headers["idempotency-key"] !== body.id) throw new Error("The key is not that of the message");
    if (!state.kept.has(body.id)) state.kept.set(body.id, { id: body.id, chat: "webhook", text: body.text, edits: 0 });
    if (fault === "broken-after") return void request.socket.destroy();
    response.writeHead(200).end();
  });
