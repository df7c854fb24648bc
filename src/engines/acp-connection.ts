// JSON-RPC over the lines of a program: requests both ways, and an end that everybody who waits hears of.
import type { Process } from "../core/workplace.ts";
import { StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import { ended, messages } from "./lines.ts";

/** `request` and `notice` are called in order, each after the one before has returned; a request's answer may take its time. What they throw ends the connection, but for an RpcFailure. */
export interface Answers {
  request(method: string, params: Fields): Promise<unknown> | undefined;
  notice(method: string, params: Fields): Promise<void> | void;
}
export type Fields = { readonly [name: string]: unknown };
/** Whatever a program put there instead of an object is none. */
export const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
export interface Connection {
  /** Rejects with RpcFailure for an answer that is an error, unavailable for none in time, and with what ended the connection. */
  request(method: string, params: Fields, ms?: number): Promise<Fields>;
  notify(method: string, params: Fields): void;
  /** Rejects when the program has ended, prints garbage, or what it said could not be taken. Never resolves. */
  broken: Promise<never>;
  /** Epoch milliseconds of the newest message. */
  heard(): number;
}

/** What the program answered instead of a result. */
export class RpcFailure extends Error {
  readonly rpc: number;
  readonly data: unknown;

  constructor(rpc: number, message: string, data: unknown) {
    super(message);
    this.name = "RpcFailure";
    this.rpc = rpc;
    this.data = data;
  }
}

interface Waiting {
  resolve(result: Fields): void;
  reject(error: unknown): void;
}

export function connect(process: Process, name: string, answers: Answers): Connection {
  const waiting = new Map<number, Waiting>();
  const state = { next: 1, heard: Date.now() };
  const broken = Promise.withResolvers<never>();
  const fail = (error: unknown): void => {
    broken.reject(error);
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  };
  broken.promise.catch(() => {});
  const send = (message: Fields): void => void process.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).catch(() => {});
  void read(process, name, { waiting, answers, send, fail, state }).catch(fail);
  return {
    broken: broken.promise,
    heard: () => state.heard,
    notify: (method, params) => send({ method, params }),
    async request(method, params, ms) {
      const id = state.next++;
      const answer = Promise.withResolvers<Fields>();
      waiting.set(id, answer);
      send({ id, method, params });
      const late = (): void => answer.reject(new StewardError("unavailable", `${name} did not answer within ${ms! / 1000} seconds`));
      const timer = ms === undefined ? undefined : setTimeout(late, ms);
      return Promise.race([answer.promise, broken.promise]).finally(() => clearTimeout(timer));
    },
  };
}

interface Reading {
  waiting: Map<number, Waiting>;
  answers: Answers;
  send(message: Fields): void;
  fail(error: unknown): void;
  state: { heard: number };
}

async function read(process: Process, name: string, { waiting, answers, send, fail, state }: Reading): Promise<never> {
  for await (const message of messages(process, name)) {
    state.heard = Date.now();
    const { id, method } = message;
    const params = fieldsOf(message.params);
    if (typeof method !== "string") settle(waiting, message);
    else if (id === undefined || id === null) await answers.notice(method, params);
    else
      void answer(answers, method, params).then(
        (result) => send({ id, result }),
        (error: unknown) => (error instanceof RpcFailure ? send({ id, error: { code: error.rpc, message: error.message } }) : fail(error)),
      );
  }
  const { code } = await process.exited;
  throw ended(name, code, process.stderr());
}

async function answer(answers: Answers, method: string, params: Fields): Promise<unknown> {
  const result = answers.request(method, params);
  if (result === undefined) throw new RpcFailure(-32_601, `Method not found: ${method}`, undefined);
  return (await result) ?? null;
}

function settle(waiting: Map<number, Waiting>, { id, result, error }: Fields): void {
  const one = waiting.get(Number(id));
  if (one === undefined) return;
  waiting.delete(Number(id));
  if (typeof error !== "object" || error === null) return one.resolve((result ?? {}) as Fields);
  const { code, message, data } = error as Fields;
  one.reject(new RpcFailure(Number(code), clip(visible(String(message ?? "no reason given")), 2000), data));
}
