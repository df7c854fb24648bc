// Times of schedules: cron against another implementation in zones with every kind of turn of the clock, words, and counting over decades.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cron } from "croner";
import fc from "fast-check";
import { readCron } from "../src/schedules/cron.ts";
import { whenText } from "../src/schedules/said.ts";
import { checkTrigger, timesOf, type Trigger, without } from "../src/schedules/trigger.ts";
import { readWhen } from "../src/schedules/words.ts";
import { localOf } from "../src/schedules/zones.ts";
import { computing } from "./took.ts";

const ZONES = [
  "Europe/Berlin",
  "UTC",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "America/Santiago",
  "Africa/Cairo",
  "Asia/Beirut",
];
/** A few hours before clocks are turned somewhere. */
const TURNS = [
  Date.UTC(2026, 2, 28, 20),
  Date.UTC(2026, 9, 24, 20),
  Date.UTC(2026, 2, 7, 20),
  Date.UTC(2026, 3, 4, 10),
  Date.UTC(2026, 8, 5, 20),
  Date.UTC(2026, 3, 23, 18),
];

function field(low: number, high: number): fc.Arbitrary<string> {
  const one = fc.integer({ min: low, max: high });
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    one.map(String),
    fc.tuple(one, one).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.integer({ min: 1, max: high }).map((step) => `*/${step}`),
    fc.array(one, { minLength: 1, maxLength: 3 }).map((all) => all.join(",")),
  );
}
const often = (other: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant("*") }, { weight: 1, arbitrary: other });
const start = fc.oneof(
  fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2030, 0, 1) }),
  fc.tuple(fc.constantFrom(...TURNS), fc.integer({ min: 0, max: 2e7 })).map(([a, b]) => a + b),
);
/** Where both days are given, what begins with a star is told apart differently. */
const isPlain = (day: string, weekday: string): boolean => day === "*" || weekday === "*" || !`${day} ${weekday}`.includes("*");

test("T-126 the next times, the last and how many are those that croner finds, in every zone and through every turn of the clock", () => {
  const days = fc.tuple(
    often(fc.oneof(field(1, 28), fc.constant("L"))),
    often(field(1, 12)),
    often(fc.oneof(field(0, 7), fc.constantFrom("fri#2", "MON-FRI", "5L"))),
  );
  fc.assert(
    fc.property(field(0, 59), field(0, 23), days, fc.constantFrom(...ZONES), start, (minute, hour, [day, month, weekday], zone, from) => {
      fc.pre(isPlain(day, weekday));
      const cron = [minute, hour, day, month, weekday].join(" ");
      const other = new Cron(cron, { timezone: zone, fixedTimeRule: "no-wildcard", paused: true });
      const want = other.nextRuns(8, new Date(from)).map(Number);
      const times = timesOf({ cron, zone }, "UTC");
      const got: number[] = [];
      for (let at = times.next(from); at !== undefined && got.length < want.length; at = times.next(at)) got.push(at);
      assert.deepEqual(got, want, `${cron} ${zone} ${new Date(from).toISOString()}`);
      const until = want.at(-1)!;
      const count = want.length;
      assert.deepEqual([times.count({ after: from, until }), times.count({ after: from, until: until - 1 })], [count, count - 1]);
      assert.equal(times.last({ after: from, until: until + 1 }), until);
    }),
    { numRuns: 250 },
  );
});

test("a time in the hour that is left out runs once that day, one in the hour that comes twice too", () => {
  const times = timesOf({ cron: "30 2 * * *", zone: "Europe/Berlin" }, "UTC");
  const from = (at: number): string[] => {
    const first = times.next(at)!;
    return [first, times.next(first)!].map((one) => new Date(one).toISOString());
  };
  assert.deepEqual(from(Date.UTC(2026, 2, 28, 12)), ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]);
  assert.deepEqual(from(Date.UTC(2026, 9, 24, 12)), ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
});

test("every so many days it is the same time on the wall, in every zone and through every turn of the clock", () => {
  fc.assert(
    fc.property(fc.nat(1439), fc.constantFrom(...ZONES), start, fc.integer({ min: 1, max: 9 }), (minutes, zone, from, days) => {
      const daily = timesOf({ cron: `${minutes % 60} ${Math.floor(minutes / 60)} * * *`, zone }, "UTC");
      const times = timesOf({ days, from: localOf(zone, from).day, time: minutes * 60_000, zone }, "UTC");
      const want: number[] = [];
      for (let at = daily.next(from - 2 * 86_400_000)!; want.length < 40; at = daily.next(at)!) want.push(at);
      const first = want.findIndex((at) => localOf(zone, at).day === localOf(zone, from).day);
      fc.pre(first >= 0);
      const kept = want.slice(first).filter((_, n) => n % days === 0);
      const got: number[] = [];
      for (let at = times.next(0)!; got.length < kept.length; at = times.next(at)!) got.push(at);
      assert.deepEqual(got, kept);
      const span = { after: kept[0]! - 1, until: kept.at(-1)! };
      assert.deepEqual(
        [times.count(span), times.last(span), times.last({ ...span, until: kept[0]! - 1 })],
        [kept.length, span.until, undefined],
      );
    }),
    { numRuns: 250 },
  );
  for (const wrong of [
    { days: 0, from: 1, time: 0 },
    { days: 1, from: 1, time: 86_400_000 },
    { days: 1, from: 1, time: 0, zone: "Mars/X" },
  ])
    assert.throws(() => checkTrigger(wrong), { code: "invalid" });
});

test("weekdays are standard, 0 and 7 are Sunday; what never comes or is no cron is refused", () => {
  const sunday = Date.UTC(2026, 10, 22, 9);
  for (const day of ["0", "7", "sun"]) assert.equal(timesOf({ cron: `0 9 * * ${day}` }, "UTC").next(sunday - 1), sunday);
  assert.equal(timesOf({ cron: "0 9 * * 1-5" }, "UTC").next(sunday), Date.UTC(2026, 10, 23, 9));
  for (const cron of [
    "",
    "* * * *",
    "60 * * * *",
    "* 24 * * *",
    "0 0 30 2 *",
    "a b c d e",
    "*/0 * * * *",
    "5-1 * * * *",
    "* * * * * * *",
    "0 9 * * 8",
  ])
    assert.throws(() => readCron(cron), { code: "invalid" }, cron);
});

test("thirty years of every second are counted exactly and at once", async () => {
  const times = timesOf({ cron: "* * * * * *", zone: "Europe/Berlin" }, "UTC");
  const span = { after: Date.UTC(2000, 0, 1), until: Date.UTC(2030, 0, 1) };
  const took = await computing(() => assert.equal(times.count(span), (span.until - span.after) / 1000));
  assert.ok(took < 1500, `${took} ms`);
  const hourly = without(timesOf({ cron: "0 * * * *" }, "UTC"), [[span.after + 3_600_000, span.after + 3 * 3_600_000]]);
  assert.deepEqual(
    [hourly.next(span.after), hourly.count({ after: span.after, until: span.after + 5 * 3_600_000 })],
    [span.after + 4 * 3_600_000, 2],
  );
});

const CLOCK = { now: Date.UTC(2026, 10, 21, 13, 0), zone: "Europe/Berlin" };
const at = (...parts: [number, number, number, number, number?]): Trigger => ({ at: Date.UTC(...parts) });
const WORDS: [string, Trigger, string?][] = [
  ["every weekday at 9", { cron: "0 9 * * 1-5" }, "every weekday at 9:00"],
  ["Every 30 minutes", { cron: "*/30 * * * *" }, "every 30 minutes"],
  ["every 45 minutes", { every: 2_700_000, from: CLOCK.now }, "every 45 minutes"],
  ["every day at 9 and 17", { cron: "0 9,17 * * *" }, "every day at 9:00 and 17:00"],
  ["Every Monday and Thursday at 8:30 pm", { cron: "30 20 * * 1,4" }, "every Monday, Thursday at 20:30"],
  ["every first monday of the month at 9", { cron: "0 9 * * 1#1" }],
  ["every other day at 7", { days: 2, from: 20_779, time: 25_200_000 }, "every 2 days at 7:00"],
  ["every 2 weeks at 9 Asia/Tokyo", { days: 14, from: 20_779, time: 32_400_000, zone: "Asia/Tokyo" }, "every 2 weeks at 9:00 (Asia/Tokyo)"],
  ["tomorrow at 17:00", at(2026, 10, 22, 16), "22 Nov 2026 at 17:00"],
  ["in 20 minutes", at(2026, 10, 21, 13, 20)],
  ["in an hour and 30 minutes", at(2026, 10, 21, 14, 30)],
  ["at 9", at(2026, 10, 22, 8)],
  ["today at 5pm", at(2026, 10, 21, 16)],
  ["tonight at 8", at(2026, 10, 21, 19)],
  ["next monday at 8", at(2026, 10, 23, 7)],
  ["on 3 December at 10:00", at(2026, 11, 3, 9)],
  ["2026-12-01T10:00Z", at(2026, 11, 1, 10)],
  ["2026-12-01 10:00", at(2026, 11, 1, 9)],
  ["0 9 * * 1-5", { cron: "0 9 * * 1-5" }],
  ["every weekday at 9 Europe/London", { cron: "0 9 * * 1-5", zone: "Europe/London" }, "every weekday at 9:00 (Europe/London)"],
];

test("T-127 T-128 what people say of times", () => {
  for (const [words, trigger, text] of WORDS) {
    const found = readWhen(words, CLOCK);
    assert.deepEqual(found, trigger, words);
    if (text) assert.equal(whenText(found, CLOCK.zone), text);
  }
  for (const words of [
    "",
    "soon",
    "yesterday at 9",
    "today at 9",
    "every blue moon",
    "every day at 25",
    "in -5 minutes",
    "on 30 February",
    "every 0 minutes",
  ])
    assert.throws(() => readWhen(words, CLOCK), { code: "invalid" }, words);
});
