// Schedules by HTTP, the command line and the built-in model's words: made, listed, previewed, run, told; and a zone that changes.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { routes } from "../src/core/api.ts";
import { schedulesOf } from "../src/schedules/state.ts";
import { eventually, openPlace, type Place } from "./gateway-place.ts";
import { OWNER } from "./harness.ts";

describe("schedules by their doors", () => {
  let place: Place;
  /** A Wednesday far from any change of clocks, in the afternoon. */
  const ahead = Date.UTC(2026, 10, 18, 14) - Date.now();
  const clock = (): number => Date.now() + ahead;
  before(async () => {
    place = await openPlace({ config: { model: "builtin/rules", zone: "Europe/Berlin" }, now: clock });
  });
  after(() => place.close());
  const saying = async (text: string): Promise<string[]> => {
    const { client } = place;
    const session = await client.call("sessions.make", { body: {} });
    await client.call("sessions.say", { params: { id: session.id }, body: { parts: [{ type: "text", text }] } });
    await eventually(async () => (await place.events(session.id)).some(({ event }) => event.type === "turn.completed"));
    return (await place.events(session.id)).flatMap(({ event }) =>
      event.type === "item.completed" && event.item.kind === "text" ? [event.item.text] : [],
    );
  };

  test("T-130 made in words, listed by due time, changed, paused, its history, the calendar, removed", async () => {
    const { client } = place;
    const { schedule } = await client.call("schedules.add", {
      body: { when: "every weekday at 9", action: { tell: "stand up" }, name: "Up" },
    });
    assert.deepEqual(
      [schedule.when, schedule.source, schedule.enabled, schedule.trigger],
      ["every weekday at 9:00", "person", true, { cron: "0 9 * * 1-5" }],
    );
    const first = await client.call("schedules.add", { body: { when: "in 2 hours", action: { script: "true" } } });
    const { schedules, total, zone } = await client.call("schedules.list", { query: { limit: "1" } });
    assert.deepEqual([schedules.map(({ id }) => id), total, zone], [[first.schedule.id], 2, "Europe/Berlin"]);
    assert.equal((await client.call("schedules.list", { query: { q: "stand" } })).schedules[0]!.id, schedule.id);
    const { problem } = await client.call("schedules.preview", { body: { when: "whenever" } });
    assert.match(problem!, /no time that Steward can read/);
    assert.equal((await client.call("schedules.preview", { body: { when: "every hour" } })).next.length, 5);
    const now = clock();
    const { entries } = await client.call("schedules.calendar", { query: { from: String(now), to: String(now + 7 * 86_400_000) } });
    assert.equal(entries.filter(({ name }) => name === "Up").length, 5);
    const { due } = await client.call("schedules.run", { params: { id: schedule.id }, body: {} });
    const runs = await eventually(async () => {
      const { runs: all } = await client.call("schedules.history", { params: { id: schedule.id } });
      return all[0]?.outcome === "ran" ? all : undefined;
    });
    assert.deepEqual(
      runs.map(({ due: at, byHand, said }) => [at, byHand, said]),
      [[due, true, "stand up"]],
    );
    const paused = await client.call("schedules.change", { params: { id: schedule.id }, body: { enabled: false } });
    assert.deepEqual([paused.schedule.enabled, paused.schedule.next], [false, undefined]);
    await client.call("schedules.remove", { params: { id: schedule.id } });
    await client.call("schedules.remove", { params: { id: first.schedule.id } });
    await assert.rejects(client.call("schedules.get", { params: { id: schedule.id } }), { code: "not_found" });
    for (const when of ["yesterday at 9", "* * * *"])
      await assert.rejects(client.call("schedules.add", { body: { when, action: { tell: "x" } } }), { code: "invalid" });
  });

  test("A-096 said to the built-in model, which needs none; the zone of the person, also when it changes", async () => {
    const { steward } = place.composed;
    assert.match(
      (await saying("every weekday at 9 list the files in ~/inbox"))[0]!,
      /^Scheduled: list the files in ~\/inbox \(every weekday at 9:00, next /,
    );
    assert.match((await saying("remind me in 20 minutes to call Ada"))[0]!, /^I will remind you: call Ada/);
    assert.match((await saying("list my schedules"))[0]!, /every weekday at 9:00.*\n.*call Ada|call Ada.*\n.*every weekday at 9:00/);
    const nine = async (): Promise<number> => (await schedulesOf(steward, OWNER)).find(({ trigger }) => "cron" in trigger)!.next!;
    const hourIn = (zone: string, at: number): string =>
      new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(at);
    assert.equal(hourIn("Europe/Berlin", await nine()), "09:00");
    await steward.schedules.look();
    steward.settings.config = ((before) => () => ({ ...before(), zone: "Asia/Tokyo" }))(steward.settings.config);
    await steward.schedules.look();
    assert.equal(hourIn("Asia/Tokyo", await nine()), "09:00");
  });

  test("S-17 each of these routes has a right, and none is public", () => {
    const mine = Object.entries(routes).filter(([name]) => name.startsWith("schedules.") || name === "heartbeat.get");
    assert.deepEqual([mine.length, new Set(mine.map(([, { right }]) => right))], [10, new Set(["self"])]);
  });
});
