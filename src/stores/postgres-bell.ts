// How processes on one Postgres hear of one another: LISTEN and NOTIFY, batched live events, reconnecting. Stores nothing.
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { LiveEvent } from "../core/events.ts";
import type { Notice } from "../core/store.ts";
import type { Log } from "../std/log.ts";
import { messageOf } from "../std/error.ts";
import { randomText } from "../std/id.ts";
import { Bell } from "./bell.ts";
import type { Statement, Value } from "./sql.ts";

/** Postgres refuses a payload of 8000 bytes or more. */
const PAYLOAD = 7800;
const BATCH_MS = 30;
const HEARTBEAT_MS = 15_000;
const PIECE = 1000;
const PENDING = 1000;

export interface Exchange {
  bell: Bell;
  publish(session: string, event: LiveEvent): void;
  /** What tells the other processes, to be run in the transaction that the notices speak of; live events that still wait go before. */
  statements(notices: Notice[]): Promise<Statement[]>;
  close(): Promise<void>;
}
interface Options {
  config: pg.ClientConfig;
  channel: string;
  log: Log;
}

/** Resolves once it hears. */
export async function openExchange({ config, channel, log }: Options): Promise<Exchange> {
  const node = randomText(8);
  const bell = new Bell();
  const line = await listen({ config, channel, log, node, bell });
  const waiting: { live: Notice[]; timer?: NodeJS.Timeout | undefined; sending: Promise<void> } = { live: [], sending: Promise.resolve() };
  const told = (notices: Notice[]): Statement[] =>
    pack([...waiting.live.splice(0), ...notices], node).map((payload) => ["SELECT pg_notify($1, $2)", channel, payload]);
  /** On one connection, so that pieces arrive in order. They may be lost: every reader converges on the next stored event. */
  const send = async (before: Promise<void>): Promise<void> => {
    await before;
    for (const [sql, ...values] of told([])) await line.query(sql, values).catch(() => {});
  };
  const flush = (): Promise<void> => {
    clearTimeout(waiting.timer);
    waiting.timer = undefined;
    return (waiting.sending = send(waiting.sending));
  };
  return {
    bell,
    publish(session, live) {
      bell.ring([{ session, live }]);
      join(waiting.live, session, live);
      if (waiting.live.length > PENDING) waiting.live.shift();
      waiting.timer ??= setTimeout(() => void flush(), BATCH_MS).unref();
    },
    async statements(notices) {
      if (notices.length === 0) return [];
      await waiting.sending;
      return told(notices);
    },
    async close() {
      bell.close();
      await flush();
      await line.close();
    },
  };
}

/** Pieces of one text that follow each other become one. */
function join(waiting: Notice[], session: string, live: LiveEvent): void {
  const last = waiting.at(-1);
  const before = last?.session === session ? last.live : undefined;
  const follows =
    before?.type === "item.delta" &&
    live.type === "item.delta" &&
    before.item === live.item &&
    before.kind === live.kind &&
    before.at + before.text.length === live.at;
  if (follows && before.text.length + live.text.length <= PIECE)
    waiting[waiting.length - 1] = { session, live: { ...before, text: before.text + live.text } };
  else waiting.push({ session, live });
}

/** Payloads of notices in order. A live event that is too large goes in pieces, or only as the news that its session moved. */
function pack(notices: Notice[], node: string): string[] {
  const payloads: string[] = [];
  let texts: string[] = [];
  let size = 0;
  const close = () => {
    if (texts.length > 0) payloads.push(`{"node":"${node}","notices":[${texts.join(",")}]}`);
    texts = [];
    size = 0;
  };
  for (const notice of notices.flatMap(split)) {
    const text = JSON.stringify(notice);
    const bytes = Buffer.byteLength(text) + 50;
    if (size + bytes > PAYLOAD) close();
    texts.push(bytes > PAYLOAD ? JSON.stringify(notice.jobs ? { jobs: true } : {}) : text);
    size += Math.min(bytes, PAYLOAD);
  }
  close();
  return payloads;
}

function split(notice: Notice): Notice[] {
  const { session, live } = notice;
  if (!session || !live || Buffer.byteLength(JSON.stringify(notice)) + 50 <= PAYLOAD) return [notice];
  if (live.type !== "item.delta" || live.text.length <= PIECE) return [{ session }];
  return Array.from({ length: Math.ceil(live.text.length / PIECE) }, (_, n) => ({
    session,
    live: { ...live, text: live.text.slice(n * PIECE, (n + 1) * PIECE), at: live.at + n * PIECE },
  }));
}

interface Line {
  query(sql: string, values: Value[]): Promise<unknown>;
  close(): Promise<void>;
}

/** One connection that listens, opened again with growing pauses whenever it breaks; after a gap readers are told to read again. */
async function listen({ config, channel, log, node, bell }: Options & { node: string; bell: Bell }): Promise<Line> {
  const stop = new AbortController();
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(config);
    client.on("error", (error) => log("warning", "The connection that hears of other processes broke", { error: error.message }));
    client.on("notification", ({ payload }) => {
      const { node: from, notices } = JSON.parse(payload ?? "{}") as { node: string; notices: Notice[] };
      if (from !== node) bell.ring(notices);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
  };
  let client = await connect();
  const keep = async (): Promise<void> => {
    for (;;) {
      await broken(client, stop.signal);
      await client.end().catch(() => {});
      for (let pause = 100; !stop.signal.aborted; pause = Math.min(pause * 2, 5000)) {
        await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: stop.signal, ref: false }).catch(() => {});
        if (stop.signal.aborted) return;
        try {
          client = await connect();
          break;
        } catch (error) {
          log("debug", "The database is still away", { error: messageOf(error) });
        }
      }
      if (stop.signal.aborted) return void (await client.end().catch(() => {}));
      log("info", "The database is back");
      bell.ring([{ jobs: true }, {}]);
    }
  };
  const kept = keep();
  return {
    query: (sql, values) => client.query(sql, values),
    async close() {
      stop.abort();
      await kept;
    },
  };
}

/** Resolves when the connection is lost, also when the other side is silently gone, or when `signal` aborts. */
async function broken(client: pg.Client, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const beat = setInterval(() => void client.query("SELECT 1").catch(() => resolve()), HEARTBEAT_MS).unref();
  client.once("end", resolve);
  client.once("error", () => resolve());
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearInterval(beat);
}
