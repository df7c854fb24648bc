// Much output through OS-Agent's door: a reader that is slow slows the program down, fills no memory, and holds up nobody else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { openOsPlace, type OsPlace } from "./os-agent-place.ts";

const missing = await bubblewrapMissing();
const MB = 1024 ** 2;

describe("much output", { skip: missing ?? false }, () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace();
  });
  after(() => place.close());

  /** A client that keeps nothing. */
  const counting = async (
    command: object,
  ): Promise<{ socket: WebSocket; state: { characters: number; frames: number }; ended: Promise<void> }> => {
    const socket = new WebSocket(`${place.osAgent.url}/?user=load&events=1`);
    const state = { characters: 0, frames: 0 };
    const ended = Promise.withResolvers<void>();
    socket.on("message", (data) => {
      const { length } = data as Buffer;
      if (length < 100 && String(data).startsWith('{"event"')) return ended.resolve();
      state.characters += length;
      state.frames++;
    });
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send(JSON.stringify(command));
    return { socket, state, ended: ended.promise };
  };

  test("100 MB, raw, to a reader that pauses: memory stays, others are answered, every byte arrives", { timeout: 280_000 }, async () => {
    const args = { raw: true, command: "head -c 104857600 /dev/zero | tr '\\0' x" };
    const { socket, state, ended } = await counting({ command: "vm_execute_stream", args });
    socket.pause();
    const before = process.memoryUsage().rss;
    const other = await place.connect("/?user=other");
    for (let times = 0; times < 10; times++) {
      const began = Date.now();
      await other.ask("vm_execute", { command: "sleep 0.1" });
      assert.ok(Date.now() - began < 30_000);
    }
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 80 * MB, `grew by ${Math.round(grown / MB)} MB`);
    socket.resume();
    await ended;
    assert.equal(state.characters, 100 * MB);
    socket.close();
    await other.close();
  });

  test("200,000 lines, a frame each, while others are answered", { timeout: 280_000 }, async (t) => {
    const { socket, state, ended } = await counting({ command: "vm_execute_stream", args: { command: "seq 1 200000" } });
    const other = await place.connect("/?user=other");
    // By the lines that came meanwhile: a machine that stands still holds up both.
    const asked = { slowest: 0, lines: 0, over: false };
    const began = Date.now();
    void ended.then(() => (asked.over = true));
    while (!asked.over) {
      const [at, lines] = [Date.now(), state.frames];
      await other.ask("list_sessions");
      asked.slowest = Math.max(asked.slowest, Date.now() - at);
      asked.lines = Math.max(asked.lines, state.frames - lines);
    }
    const whole = Date.now() - began;
    t.diagnostic(
      `${Math.round(200_000 / (whole / 1000))} lines a second; the slowest answer took ${asked.slowest} ms, or ${asked.lines} lines`,
    );
    assert.equal(state.frames, 200_000);
    assert.ok(asked.lines < 200_000 / 3, `${asked.lines} lines came before an answer`);
    socket.close();
    await other.close();
  });
});
