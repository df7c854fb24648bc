// engines/acp before an agent by hand that is slow, stubborn or broken: each turn ends as an outcome, in time, and leaves nothing that runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { limit, open } from "./engine-acp-place.ts";

test("what the person says meanwhile is given to the agent, or is what it is asked next", limit, async (t) => {
  for (const [flags, story] of [
    [["--steer"], ["text Working. Meanwhile: also this. ", "end end"]],
    [[], ["text Working. You said: also this", "end end"]],
  ] as const) {
    const place = await open(t, [...flags]);
    place.say("slow");
    const said = { done: false };
    const outcome = await place.run({ onLive: () => void (said.done ||= (place.say("also this"), true)) });
    assert.deepEqual([outcome.stop, outcome.seen], ["end", place.log.length - 2]);
    assert.deepEqual(place.story().slice(-2), story);
  }
});

test("a cancelled turn ends at once, whether the agent listens or not", limit, async (t) => {
  for (const [word, resume] of [
    ["hang", "mine s1"],
    ["stubborn", undefined],
  ] as const) {
    const cancelled = async (tries: number): Promise<string | undefined> => {
      const place = await open(t, ["--load"]);
      const stop = new AbortController();
      place.say(word);
      const running = place.run({ signal: stop.signal });
      while (!(await place.asked().catch(() => "")).includes(word)) await new Promise((resolve) => setTimeout(resolve, 5));
      const from = Date.now();
      stop.abort();
      const outcome = await running;
      assert.ok(Date.now() - from < 10_000, `${Date.now() - from} ms`); // less than one second where nothing else runs
      assert.equal(outcome.stop, "cancelled");
      assert.deepEqual(await place.workplace.left(), []);
      // It has half a second to listen, in which this machine may have stood still.
      return outcome.resume === resume || tries === 0 ? outcome.resume : cancelled(tries - 1);
    };
    assert.equal(await cancelled(3), resume);
  }
});

test("a program that dies, hangs, floods or prints garbage ends as a failure that says so", limit, async (t) => {
  const cases: [flags: string[], words: string, error: RegExp][] = [
    [["--exit"], "hi", /^mine ended with code 3 in the middle of the turn$/],
    [["--die"], "hi", /^mine was ended by signal 9 .* It said: out of luck$/],
    [["--die-new"], "hi", /^mine was ended by signal 9/],
    [["--future"], "hi", /version 7 of the Agent Client Protocol/],
    [["--login"], "hi", /wants a login of its own: Authentication required/],
    [[], "die", /^mine was ended by signal 9/],
    [[], "garbage", /prints what is no message: no message at all$/],
    [[], "long", /prints what is no message: \{\{\{/],
    [[], "flood", /says or does too much in one turn/],
    [[], "refuse", /could not go on: no such thing/],
    [[], "early", /stopped by itself \(sleepy\)/],
  ];
  for (const [flags, words, error] of cases) {
    const place = await open(t, flags);
    place.say(words);
    const outcome = await place.run();
    assert.equal(outcome.stop, "failed", words);
    assert.match(outcome.error!.message, error);
    assert.equal(outcome.resume, undefined);
    assert.deepEqual(await place.workplace.left(), []);
  }
});

test("silence is waited for as long as the setting says, calls no longer than there may be rounds", limit, async (t) => {
  const silent = await open(t, [], { idleSeconds: 1 });
  silent.say("stubborn");
  assert.match((await silent.run()).error!.message, /has said nothing for 1 seconds/);
  const circle = await open(t);
  circle.say("circle");
  assert.deepEqual((await circle.run({ rounds: 3 })).stop, "limit");
});
