// Random frames at OS-Agent's door: it never falls, and always answers or closes cleanly.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { bubblewrapMissing } from "../src/computers/bubblewrap.ts";
import { commands } from "../src/gateway/os-agent/commands.ts";
import { isAnswer, openOsPlace, type OsPlace, parsed, PYTHON } from "./os-agent-place.ts";

const missing = await bubblewrapMissing();

/** The same numbers each time. */
function dice(seed: number): (sides: number) => number {
  const state = { at: seed };
  return (sides) => {
    state.at = (Math.imul(state.at, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state.at / 2 ** 32) * sides);
  };
}

const WORDS = [
  "",
  "/data",
  "/data/x",
  "../..",
  "a\0b",
  "\ud800",
  "true",
  "sleep 0.1",
  "echo hi",
  "{}",
  '{"command":"x"}',
  "é".repeat(300),
  "~",
  "/",
];
const NAMES = [
  "path",
  "command",
  "data",
  "prompt",
  "file_name",
  "file_data",
  "content",
  "delay",
  "timeout",
  "raw",
  "memory",
  "message",
  "dest",
];

function frame(roll: (sides: number) => number): string | Buffer {
  const pick = <T>(from: readonly T[]): T => from[roll(from.length)]!;
  const value = (): unknown => pick([pick(WORDS), roll(5), roll(2) === 0, null, [pick(WORDS)], { a: 1 }, -1, 0.001]);
  const args = (): unknown => pick([Object.fromEntries([1, 2, 3].map(() => [pick(NAMES), value()])), null, [], "text", 7]);
  const kind = roll(6);
  if (kind === 0) return pick(WORDS);
  if (kind === 1) return Buffer.from(Array.from({ length: roll(40) }, () => roll(256)));
  if (kind === 2) {
    const header = Buffer.from(JSON.stringify({ command: pick(["upload_document", "list_dir", 3]), args: args() }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(header.length + pick([0, 0, 1, -1]));
    return Buffer.concat([length, header, Buffer.alloc(roll(100))]);
  }
  if (kind === 3) return JSON.stringify({ command: pick([...WORDS, 3, null, "__proto__"]), args: args() });
  return JSON.stringify({ command: pick(Object.keys(commands).filter((name) => name !== "restart_terminal")), args: args() });
}

describe("random frames", { skip: missing ?? false }, () => {
  let place: OsPlace;
  before(async () => {
    place = await openOsPlace();
    place.model.script([{ do: "text", text: "ok" }]);
  });
  after(() => place.close());

  for (const seed of [1, 2, 3, 4])
    test(`seed ${seed}: every connection still answers at the end`, { timeout: 280_000 }, async () => {
      const roll = dice(seed);
      const talk = await place.connect(`/?user=fuzz${seed}`, seed % 2 === 0 ? { headers: { "user-agent": PYTHON } } : {});
      for (let at = 0; at < 60; at++) {
        const one = frame(roll);
        talk.send(one);
        if (at % 10 === 9) {
          const from = talk.frames.length;
          talk.send({ command: "nothing", args: { at } });
          const over = Date.now() + 60_000;
          while (!talk.frames.slice(from).some((said) => parsed(said)?.["error"] === "Unknown command: nothing")) {
            assert.ok(Date.now() < over && talk.socket.readyState === talk.socket.OPEN, `after ${String(one)}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      }
      assert.ok(
        talk.frames.filter(isAnswer).every((said) => !said.includes("inside Steward")),
        "nothing failed inside",
      );
      await talk.close();
    });

  test("what is no WebSocket at all, and a frame that is too large, end only themselves", async () => {
    assert.equal((await fetch(place.osAgent.url.replace("ws", "http"))).status, 426);
    const talk = await place.connect("/?user=huge");
    talk.send(Buffer.alloc(65 * 1024 ** 2));
    assert.equal((await talk.closed)[0], 1009);
    const next = await place.connect("/?user=huge");
    assert.ok(await next.ask("list_sessions"));
    await next.close();
  });
});
