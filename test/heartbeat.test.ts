// HEARTBEAT.md: its grammar, its sections as schedules, and that idle ones cost nothing.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Store } from "../src/core/store.ts";
import { startWorker } from "../src/run/worker.ts";
import { turnSchedule, BY_HAND } from "../src/schedules/change.ts";
import { runsOf } from "../src/schedules/history.ts";
import { isQuiet } from "../src/schedules/looks.ts";
import { sectionsOf } from "../src/schedules/sections.ts";
import { type Schedule, schedulesOf, sumsKey } from "../src/schedules/state.ts";
import { FIRST } from "../src/skills/first-texts.ts";
import { openOwn } from "../src/skills/own.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted, type Said } from "../src/testing/scripted.ts";
import fileTools from "../src/tools/files.ts";
import { harness, OWNER, temporary } from "./harness.ts";

const START = Date.UTC(2026, 10, 21, 12, 10);
const CLOCK = { now: START, zone: "UTC" };
const DOCUMENTED = `# Heartbeat

Free text is left alone.

## Every 30 minutes
- Check for urgent mail
- Look at the build
  and at its log

## Every morning (9:00 AM)
- Tell me the weather

## Every evening (6:00 PM)
* Sum the day up
`;

test("A-018 to A-021: the documented file", () => {
  assert.deepEqual(sectionsOf(FIRST["HEARTBEAT.md"], CLOCK), { sections: [], problems: [] });
  assert.deepEqual(sectionsOf(DOCUMENTED, CLOCK), {
    problems: [],
    sections: [
      {
        heading: "Every 30 minutes",
        prompt: "- Check for urgent mail\n- Look at the build and at its log",
        trigger: { cron: "*/30 * * * *" },
      },
      { heading: "Every morning (9:00 AM)", prompt: "- Tell me the weather", trigger: { cron: "0 9 * * *" } },
      { heading: "Every evening (6:00 PM)", prompt: "- Sum the day up", trigger: { cron: "0 18 * * *" } },
    ],
  });
});

test("other headings that can be read, and A-025: those that can't, which stop no other", () => {
  const crons = (text: string): unknown => sectionsOf(`## ${text}\n- x`, CLOCK).sections[0]?.trigger;
  for (const [heading, trigger] of [
    ["every HOUR", { cron: "0 * * * *" }],
    ["Every 45 minutes", { every: 2_700_000, from: START }],
    ["Every weekday at 17:30", { cron: "30 17 * * 1-5" }],
    ["Every weekend", { cron: "0 9 * * 0,6" }],
    ["Every Monday (8:00 AM)", { cron: "0 8 * * 1" }],
    ["Every noon", { cron: "0 12 * * *" }],
    ["Every night", { cron: "0 21 * * *" }],
    ["`*/10 8-18 * * 1-5`", { cron: "*/10 8-18 * * 1-5" }],
    ["Inbox: every 2 hours", { cron: "0 */2 * * *" }],
  ] as const)
    assert.deepEqual(crons(heading), trigger, heading);
  const { sections, problems } = sectionsOf(
    "## Whenever\n- a\n\n## Every hour\n- b\n\n## Tomorrow at 9\n- c\n\n## Every day\n\n<!--\n## Every minute\n- d\n-->\n",
    CLOCK,
  );
  assert.deepEqual(
    sections.map(({ heading }) => heading),
    ["Every hour"],
  );
  assert.deepEqual(
    problems.map((problem) => problem.slice(0, 40)),
    ['HEARTBEAT.md, line 1, "Whenever": "Whene', 'HEARTBEAT.md, line 7, "Tomorrow at 9": i', 'HEARTBEAT.md, line 10, "Every day": ther'],
  );
});

test("what is nothing to report", () => {
  for (const text of ["NOTHING TO REPORT", "**Nothing to report.**", "", "  ", "“nothing to report”"]) assert.ok(isQuiet(text), text);
  for (const text of ["Nothing to report but the fire", "One mail", "no"]) assert.ok(!isQuiet(text), text);
});

async function place(script: (prompt: string) => Said[], over: (store: Store) => Store = (store) => store) {
  const clock = { at: START };
  const home = temporary();
  const store = over(await sqlite(":memory:", { now: () => clock.at }));
  const asked = { count: 0 };
  const model = scripted((request) => (asked.count++, script(JSON.stringify(request.prompt))));
  const steward = harness({
    store,
    model,
    home,
    now: () => clock.at,
    tools: fileTools,
    config: { workspace: join(home, "workspace") },
  });
  steward.own = openOwn(() => steward, { bundled: "" });
  mkdirSync(join(home, "workspace", "inbox"), { recursive: true });
  const { deliver: _deliver, ...work } = steward.work; // what goes out lies there to be looked at
  steward.work = work;
  const worker = startWorker(steward, { name: "w", auto: false });
  return {
    ...{ clock, steward, store, asked, worker, home },
    file: join(home, "workspace", "HEARTBEAT.md"),
    inbox: join(home, "workspace", "inbox"),
    all: (): Promise<Schedule[]> => schedulesOf(steward, OWNER),
    async to(at: number): Promise<void> {
      clock.at = at;
      await worker.drain();
    },
  };
}

test("A-022, A-026: sections are schedules of their own, kept while the others change, gone with their section or when it is turned off", async () => {
  const { steward, file, all, store } = await place(() => [{ text: "NOTHING TO REPORT" }]);
  writeFileSync(file, DOCUMENTED);
  assert.deepEqual(await steward.schedules.look(), []);
  const first = await all();
  assert.deepEqual(
    first.map(({ name, source, ceiling, deliver }) => [name, source, ceiling, deliver]).toSorted(),
    ["Every 30 minutes", "Every evening (6:00 PM)", "Every morning (9:00 AM)"].map((name) => [
      name,
      "heartbeat",
      { tokens: 50_000 },
      { to: "person" },
    ]),
  );
  const evening = first.find(({ name }) => name.startsWith("Every evening"))!;
  await turnSchedule(steward, OWNER, evening.id, { ...BY_HAND, on: false });
  writeFileSync(file, DOCUMENTED.replace("- Tell me the weather", "- Tell me the news").replace("## Every 30 minutes", "## Every hour"));
  await steward.schedules.look();
  const second = await all();
  assert.deepEqual(second.map(({ id }) => id).toSorted(), first.map(({ id }) => id).toSorted());
  assert.deepEqual(second.find(({ id }) => id === evening.id)?.enabled, false);
  assert.deepEqual(second.find(({ name }) => name === "Every hour")?.trigger, { cron: "0 * * * *" });
  writeFileSync(
    file,
    "# Heartbeat\n\n## Every hour\n- Check for urgent mail\n- Look at the build\n  and at its log\n\n## Sometimes\n- x\n",
  );
  assert.equal((await steward.schedules.look()).length, 1);
  assert.deepEqual(
    (await all()).map(({ name }) => name),
    ["Every hour"],
  );
  assert.equal(steward.schedules.problems().length, 1);
  steward.settings.set("heartbeat.enabled", false);
  await steward.schedules.look();
  assert.deepEqual(await all(), []);
  await store.close();
});

test("a section that could not be written because another was faster is written at the next look", async () => {
  const faster = { now: true };
  const { steward, file, all, store } = await place(
    () => [],
    (real) => ({
      ...real,
      async commit(change) {
        if (faster.now && change.once?.startsWith("schedule/")) {
          faster.now = false;
          await real.commit({ once: change.once });
        }
        return real.commit(change);
      },
    }),
  );
  writeFileSync(file, "## Every hour\n- Check\n");
  const found: number[] = [];
  for (let n = 0; n < 2; n++) {
    await steward.schedules.look();
    found.push((await all()).length);
  }
  assert.deepEqual(found, [0, 1]);
  await store.close();
});

test("A-023: where results go, and that nothing to report goes nowhere", async () => {
  const said = { text: "One mail is urgent." };
  const { steward, file, all, store, to } = await place(() => [{ text: said.text }]);
  writeFileSync(file, "## Every hour\n- Check\n");
  await steward.schedules.look();
  const [{ id }] = (await all()) as [Schedule];
  const listed = async (): Promise<number> =>
    (await import("../src/run/sessions.ts")).listSessions(steward, OWNER, {}).then(({ total }) => total);
  await to(Date.UTC(2026, 10, 21, 13, 0, 1));
  assert.equal(await listed(), 1);
  const [run] = await runsOf(steward, OWNER.person, id);
  const [, message] = await store.events(run!.session!);
  assert.equal(message!.event.type === "message.received" && message!.event.source, "heartbeat");
  said.text = "NOTHING TO REPORT";
  await to(Date.UTC(2026, 10, 21, 14, 0, 1));
  assert.equal(await listed(), 1);
  said.text = "Another.";
  for (const [key, value] of Object.entries({ default_channel: "slack", default_channel_id: "C1" }))
    steward.settings.set(`heartbeat.${key}`, value);
  await steward.schedules.look();
  await to(Date.UTC(2026, 10, 22, 15, 0, 1));
  const letters = (await store.list("outbox/")).map(({ value }) => value as { to: unknown; text: string });
  assert.deepEqual(
    letters.map(({ to: where, text }) => [where, text]),
    [[{ channel: "slack", chat: "C1" }, "**Every hour**\n\nAnother."]],
  );
  await store.close();
});

test("a section that looked at a folder and had nothing to report is not asked again before that folder changes", async () => {
  const { steward, file, all, store, to, asked, inbox } = await place((prompt) =>
    prompt.includes('"tool-result"') ? [{ text: "NOTHING TO REPORT" }] : [{ call: "list_directory", input: { path: "inbox" } }],
  );
  writeFileSync(file, "## Every minute\n- Look whether something lies in the folder inbox\n");
  await steward.schedules.look();
  const [{ id }] = (await all()) as [Schedule];
  const rows = async (): Promise<unknown[]> =>
    (await runsOf(steward, OWNER.person, id)).map(({ outcome, count, tokens }) => [outcome, count, tokens !== undefined && tokens > 0]);
  await to(START + 60_000);
  assert.equal(asked.count, 2);
  for (let n = 2; n <= 50; n++) await to(START + n * 60_000);
  assert.equal(asked.count, 2);
  assert.deepEqual(await rows(), [
    ["ran", undefined, true],
    ["skipped", 49, false],
    ["waiting", undefined, false],
  ]);
  assert.deepEqual(await store.get(sumsKey("owner", id)), { missed: 0, skipped: 49, ran: 1 });
  writeFileSync(join(inbox, "letter.txt"), "hello");
  await to(START + 51 * 60_000);
  assert.equal(asked.count, 4);
  await to(START + 52 * 60_000);
  assert.equal(asked.count, 4);
  writeFileSync(file, "## Every minute\n- Look whether something new lies in the folder inbox\n");
  await steward.schedules.look();
  await to(START + 53 * 60_000);
  assert.equal(asked.count, 6);
  await store.close();
});

test("a section that did more than look, or is about a day, is asked again", async () => {
  const { steward, file, store, to, asked } = await place((prompt) =>
    prompt.includes('"tool-result"') || prompt.includes("birthday")
      ? [{ text: "NOTHING TO REPORT" }]
      : [{ call: "write_file", input: { path: "note", content: "x" } }],
  );
  writeFileSync(file, "## Every hour\n- Write the note\n\n## Every 2 hours\n- Tell me of a birthday today\n");
  await steward.schedules.look();
  const hour = 3_600_000;
  const begin = Date.UTC(2026, 10, 21, 12, 0, 1);
  for (let n = 1; n <= 10; n++) await to(begin + n * hour);
  // Ten times the note, with two requests each; the birthday once a day.
  assert.equal(asked.count, 21);
  for (let n = 11; n <= 12; n++) await to(begin + n * hour);
  assert.equal(asked.count, 26);
  await store.close();
});

test("what changed while a section ran is seen by its next run", async () => {
  const world = await place(() => {
    const fact = { id: "f", text: "Told while it was asked", at: 0 };
    if (world.asked.count === 1) void world.store.commit({ put: { "p/owner/fact/f": fact } });
    return [{ text: "NOTHING TO REPORT" }];
  });
  const { steward, file, store, to, asked, all } = world;
  writeFileSync(file, "## Every minute\n- Look whether the garden is as you remember\n");
  await steward.schedules.look();
  const counts: number[] = [];
  for (let n = 1; n <= 4; n++) {
    await to(START + n * 60_000);
    counts.push(asked.count);
  }
  assert.deepEqual(counts, [1, 2, 2, 2]);
  const [{ id }] = (await all()) as [Schedule];
  assert.deepEqual(
    (await runsOf(steward, OWNER.person, id)).map(({ state }) => state),
    [undefined, undefined, undefined, undefined],
  );
  await store.close();
});
