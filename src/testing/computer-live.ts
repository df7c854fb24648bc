// The contract of a computer, for programs that one speaks with while they run: live input, raw output, back-pressure, their end.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { setImmediate as breath } from "node:timers/promises";
import type { Computer } from "../core/computer.ts";

export interface Feed extends AsyncIterable<Uint8Array> {
  put(text: string): void;
  end(): void;
}

/** Input that is given bit by bit. */
export function feed(): Feed {
  const state: { pieces: Uint8Array[]; ended: boolean; wake?: (() => void) | undefined } = { pieces: [], ended: false };
  const wake = (): void => state.wake?.();
  return {
    put(text) {
      state.pieces.push(Buffer.from(text));
      wake();
    },
    end() {
      state.ended = true;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const piece = state.pieces.shift();
        if (piece) yield piece;
        else if (state.ended) return;
        else await new Promise<void>((resolve) => (state.wake = resolve));
      }
    },
  };
}

const MB = 1024 ** 2;
const done = { code: 0, stdout: "", stderr: "", timedOut: false, cancelled: false, lost: 0 };
const uniqueSleep = (): string => `5${Math.random().toString().slice(2, 8)}.${Math.random().toString().slice(2, 10)}`;

/** Pieces of odd sizes, `size` bytes in all. */
async function* pieces(size: number, digest: (bytes: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for (let left = size, at = 0; left > 0; at++) {
    const piece = Buffer.alloc(Math.min(left, 1 + ((at * 37_987) % 200_000)), `${at} `);
    digest(piece);
    left -= piece.length;
    yield piece;
  }
}

/** `processesWith`: the processes of this host whose arguments hold a text. */
export function liveContract(computer: () => Computer, processesWith: (text: string) => string[]): void {
  test("a program that is spoken with answers line by line, 10,000 times, and ends with its input", async () => {
    const input = feed();
    const state = { at: 0, rest: "" };
    const onBytes = (stream: 1 | 2, bytes: Uint8Array): void => {
      assert.equal(stream, 1);
      const lines = (state.rest + Buffer.from(bytes).toString()).split("\n");
      state.rest = lines.pop()!;
      for (const line of lines) {
        assert.equal(line, `line ${state.at++}`);
        if (state.at < 10_000) input.put(`line ${state.at}\n`);
        else input.end();
      }
    };
    input.put("line 0\n");
    const result = await computer().exec(["cat"], { stdin: input, onBytes, maxBytes: 0 });
    assert.deepEqual([state.at, { ...result, lost: 0 }], [10_000, done]);
  });
  test("50 MB go in and come out whole, through one who takes them slowly", async () => {
    const [sent, came] = [createHash("sha256"), createHash("sha256")];
    const state = { most: 0, now: 0, bytes: 0 };
    const onBytes = async (_: 1 | 2, bytes: Uint8Array): Promise<void> => {
      state.most = Math.max(state.most, ++state.now);
      came.update(bytes);
      state.bytes += bytes.length;
      await breath();
      state.now--;
    };
    const stdin = pieces(50 * MB, (piece) => void sent.update(piece));
    const result = await computer().exec(["cat"], { stdin, onBytes, maxBytes: 10 });
    assert.deepEqual([result.code, result.lost, state.bytes, state.most], [0, 50 * MB - 10, 50 * MB, 1]);
    assert.equal(came.digest("hex"), sent.digest("hex"));
  });
  test("what a slow reader has not taken when the program ends is waited for", async () => {
    const state = { bytes: 0 };
    const onBytes = async (_: 1 | 2, bytes: Uint8Array): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, state.bytes === 0 ? 1200 : 1));
      state.bytes += bytes.length;
    };
    await computer().exec(["head", "-c", "150000", "/dev/zero"], { onBytes });
    assert.equal(state.bytes, 150_000);
  });
  test("a program that does not read is not sent without end, and one that ends first is no error", async () => {
    const stop = new AbortController();
    const seconds = uniqueSleep();
    const state = { sent: 0, since: performance.now() };
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        state.sent += 65_536;
        state.since = performance.now();
        yield new Uint8Array(65_536);
      }
    }
    const ended = computer().exec(["sleep", seconds], { stdin: endless(), signal: stop.signal });
    while (state.sent === 0 || performance.now() - state.since < 300) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(state.sent <= 8 * MB, `${state.sent} bytes were sent to a program that reads none`);
    stop.abort();
    assert.equal((await ended).cancelled, true);
    assert.deepEqual(await computer().exec(["true"], { stdin: endless() }), done);
    assert.deepEqual(await computer().exec(["true"], { stdin: feed() }), done);
  });
  test("output that nobody takes holds the program up, and does not hold up its end", async () => {
    const stop = new AbortController();
    const state = { bytes: 0, first: Promise.withResolvers<void>() };
    const never = new Promise<void>(() => {});
    const onBytes = (_: 1 | 2, bytes: Uint8Array): Promise<void> => {
      state.bytes += bytes.length;
      state.first.resolve();
      return never;
    };
    const ended = computer().exec("head -c 20000000 /dev/zero; touch flooded; sleep 600", { onBytes, signal: stop.signal, lasting: true });
    await state.first.promise;
    await new Promise((resolve) => setTimeout(resolve, 300)); // time enough for all of it, were it not held up
    assert.equal(await computer().stat("flooded"), undefined);
    stop.abort();
    assert.equal((await ended).cancelled, true);
    assert.ok(state.bytes < MB, `${state.bytes} bytes`);
  });
  test("cancelled while it is spoken with: it ends at once, with all that it started", async () => {
    const seconds = uniqueSleep();
    const stop = new AbortController();
    const input = feed();
    const ready = Promise.withResolvers<void>();
    const script = `trap '' TERM INT; setsid sleep ${seconds} & (sh -c 'trap "" TERM; sleep ${seconds}; sleep ${seconds}' &) ; echo up; while read line; do echo "$line"; done; sleep ${seconds}`;
    const onBytes = (_: 1 | 2, bytes: Uint8Array): void => {
      const text = Buffer.from(bytes).toString();
      if (text.includes("up")) input.put("again\n");
      if (text.includes("again")) ready.resolve();
    };
    const ended = computer().exec(["sh", "-c", script], { stdin: input, onBytes, signal: stop.signal, lasting: true });
    await ready.promise;
    const start = performance.now();
    stop.abort();
    const result = await ended;
    const took = performance.now() - start;
    assert.deepEqual([result.cancelled, result.code > 128, processesWith(`sleep ${seconds}`)], [true, true, []]);
    assert.ok(took < 30_000, `${took} ms`); // less than one second where nothing else runs; what it started sleeps for days
  });
  test("input or a listener that throws ends the program and is the error", async () => {
    const seconds = uniqueSleep();
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("first");
      throw new TypeError("the source is dry");
    }
    await assert.rejects(computer().exec(["sleep", seconds], { stdin: broken() }), { name: "TypeError", message: "the source is dry" });
    const onBytes = async (): Promise<void> => {
      throw new TypeError("no one listens");
    };
    await assert.rejects(computer().exec(`echo go; sleep ${seconds}`, { onBytes }), { name: "TypeError", message: "no one listens" });
    assert.deepEqual(processesWith(seconds), []);
  });
  test("stdout and stderr come apart, byte by byte as they are", async () => {
    const seen: Record<1 | 2, number[]> = { 1: [], 2: [] };
    await computer().exec(String.raw`printf 'a\0\377'; printf 'b\200' >&2`, {
      onBytes: (stream, bytes) => void seen[stream].push(...bytes),
    });
    assert.deepEqual(seen, { 1: [97, 0, 255], 2: [98, 128] });
  });
}
