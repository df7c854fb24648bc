// Everything goes wrong at random: the platform refuses, breaks connections, brings messages twice; Steward is killed. Each message is answered once, or said to be in doubt.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { DeadLetter } from "../src/chats/letters.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { type Kept, type Platform, until } from "../src/testing/channel-platform.ts";
import { modelServer } from "../src/testing/model-server.ts";
import { main } from "./cli-place.ts";
import { mailMissing, mailPlace } from "./mail-place.ts";
import { discordPlatform } from "./platform-discord.ts";
import { emailPlatform } from "./platform-email.ts";
import { matrixPlatform } from "./platform-matrix.ts";
import { slackPlatform } from "./platform-slack.ts";
import { telegramPlatform } from "./platform-telegram.ts";
import { type WebhookPlatform, webhookPlatform } from "./platform-webhook.ts";

interface Tried {
  start(): Promise<Platform>;
  /** Why it can't be tried here. */
  missing?: string | undefined;
  /** One message takes long there. */
  few?: true;
  config(platform: Platform): Record<string, unknown>;
  /** It can't tell whether something was sent. */
  blind?: true;
  /** Only from then on messages are found by whoever was away. Absent: from the beginning. */
  hears?(platform: Platform): boolean;
  /** It calls Steward, there. */
  port?(platform: Platform): number;
}
const PLATFORMS: Record<string, Tried> = {
  telegram: {
    start: telegramPlatform,
    blind: true,
    config: ({ config, people }) => ({ ...config, allow: { [people[0]]: "owner", [people[1]]: "owner" } }),
  },
  slack: {
    start: slackPlatform,
    config: ({ config, people }) => ({ ...config, allow: { [people[0]]: "owner", [people[1]]: "owner" } }),
  },
  discord: {
    start: discordPlatform,
    config: ({ config, people }) => ({ ...config, allow: { [people[0]]: "owner", [people[1]]: "owner" } }),
    // Discord lists nobody who wrote before.
    hears: (platform) => platform.calls().some((one) => /commands$/.test(one)),
  },
  matrix: {
    start: matrixPlatform,
    config: ({ config, people }) => ({ ...config, allow: { [people[0]]: "owner", [people[1]]: "owner" } }),
    // What was said before the first poll is not answered.
    hears: (platform) => platform.calls().filter((one) => /v3\/sync$/.test(one)).length > 1,
  },
  email: {
    start: mails,
    missing: mailMissing,
    few: true,
    blind: true,
    config: ({ config, people }) => ({ ...config, allow: { [people[0]]: "owner", [people[1]]: "owner" } }),
    // What lay in the mailbox before is not answered.
    hears: (platform) => platform.calls().includes("idle"),
  },
  webhook: {
    start: webhookPlatform,
    config: ({ config }) => config,
    port: (platform) => (platform as WebhookPlatform).port,
  },
};

/** What counts is what lies in the mailboxes. Every other time it is not the network that breaks: both servers are killed. */
async function mails(): Promise<Platform> {
  const place = await mailPlace();
  const platform = await emailPlatform(place);
  const state = { kept: [] as Kept[], cuts: 0, closed: false };
  const looking = (async () => {
    while (!state.closed) {
      const found = (await Promise.all(platform.people.map((one) => platform.box(one)))).flat();
      state.kept = found.map(({ messageId, text }) => ({ id: messageId ?? "", chat: "", text: text ?? "", edits: 0 }));
      await wait(500);
    }
  })();
  return {
    ...platform,
    kept: () => state.kept,
    cut: () => (state.cuts++ % 2 === 0 ? place.restart() : platform.cut()),
    async close() {
      state.closed = true;
      await looking;
      await platform.close();
      await place.close();
    },
  };
}
/** STEWARD_CHAOS=3000 for a long run. */
const LONG = process.env["STEWARD_CHAOS"];
const MANY = Number(LONG ?? 150);
const FAULTS = ["limited", "error", "broken-before", "broken-after"] as const;

/** The same sequence each time. */
function dice(seed: number): () => number {
  const state = { now: seed };
  return () => {
    state.now = (state.now * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state.now / 4_294_967_296;
  };
}

/** Says again every word like q17 that the person wrote since the last answer. */
const echo = ({ body }: { body: { messages: { role: string; content: unknown }[] } }): { do: "text"; text: string }[] => {
  const { messages } = body;
  const last = messages.findLastIndex(({ role }) => role === "assistant");
  const said = JSON.stringify(messages.slice(last + 1)).match(/\bq\d+\b/g) ?? [];
  return [{ do: "text", text: said.map((one) => `r${one}`).join(" ") || "nothing" }];
};

/** So long nothing new may come at the end before what is still missing is missing. */
const PATIENCE_MS = 60_000;
/** What Steward puts before an answer that may stand above already. */
const LABEL = "(Whole, in case";

interface Figures {
  once: number;
  labelled: number;
  doubled: string[];
  lost: string[];
}

/** Of each word: how often it stands at the platform, apart from what is labelled; and whether it is listed as in doubt. */
function counted(platform: Platform, messages: number, letters: DeadLetter[] = []): Figures {
  const plain = new Map<string, number>();
  const whole = new Set<string>();
  for (const { text } of platform.kept())
    for (const word of text.match(/\brq\d+\b/g) ?? [])
      if (text.includes(LABEL)) whole.add(word);
      else plain.set(word, (plain.get(word) ?? 0) + 1);
  const doubtful = new Set(letters.flatMap(({ text }) => text.match(/\brq\d+\b/g) ?? []));
  const words = Array.from({ length: messages }, (_, n) => `rq${n}`);
  const labelled = (word: string): boolean => whole.has(word) || doubtful.has(word);
  return {
    once: words.filter((word) => plain.get(word) === 1 && !labelled(word)).length,
    labelled: words.filter(labelled).length,
    doubled: words.filter((word) => (plain.get(word) ?? 0) > 1),
    lost: words.filter((word) => !plain.has(word) && !labelled(word)),
  };
}

/** Until all is answered or in doubt and nothing waits to go out, or nothing new has come for long. Steward goes on beside it. */
async function settled(platform: Platform, messages: number, path: string): Promise<void> {
  const state = { open: Infinity, at: Date.now() };
  while (state.open > 0 && Date.now() - state.at < PATIENCE_MS) {
    const noted = notes(path);
    const open = noted ? counted(platform, messages, noted.letters).lost.length + noted.waiting : Infinity;
    if (open < state.open) Object.assign(state, { open, at: Date.now() });
    await wait(300);
  }
}

/** What it has written down so far; undefined while it is just being started. */
function notes(path: string): { letters: DeadLetter[]; waiting: number } | undefined {
  try {
    using db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    const under = (prefix: string) => db.prepare("SELECT value FROM docs WHERE key LIKE ?").all(`${prefix}%`);
    const letters = under("p/owner/letter/").map(({ value }) => JSON.parse(String(value)) as DeadLetter);
    return { letters, waiting: under("outbox/").length };
  } catch {
    return undefined;
  }
}

for (const [name, { start, config, hears, blind, few, missing, port }] of Object.entries(PLATFORMS)) {
  const MESSAGES = few && !LONG ? 40 : MANY;
  const KILLS = Math.ceil(MESSAGES / 40);
  test(
    `chaos: ${name}: ${MESSAGES} messages, ${KILLS} kills, a platform that fails: each answered once or in doubt`,
    { timeout: 120_000 + MESSAGES * 1000, skip: missing !== undefined && process.env["CI"] ? false : missing },
    async (context) => {
      const home = mkdtempSync(join(tmpdir(), "steward-chaos-"));
      const platform = await start();
      const model = await modelServer({ models: ["test-1"], script: echo as never });
      writeFileSync(
        join(home, "config.json"),
        JSON.stringify({
          model: "compatible/test-1",
          providers: { compatible: { baseUrl: `${model.url}/v1` } },
          computer: { mode: "full" },
          server: { port: 0 },
          channels: { [name]: config(platform) },
        }),
      );
      const roll = dice(7);
      const life: { child?: ChildProcess; answers: number } = { answers: 0 };
      const begin = (): void => {
        const env = { PATH: process.env["PATH"], HOME: home, STEWARD_HOME: home, STEWARD_KEYCHAIN: "off", CI: "1" };
        life.child = spawn(process.execPath, [main, "start", "--no-open", "--port", String(port?.(platform) ?? 0)], {
          env,
          stdio: "ignore",
        });
        life.answers = platform.kept().length;
      };
      const kill = async (): Promise<void> => {
        const gone = new Promise((resolve) => life.child!.once("exit", resolve));
        life.child!.kill("SIGKILL");
        await gone;
      };
      // Most lives end in the midst of answering, some before they have begun.
      const lived = async (): Promise<void> => {
        if (roll() < 0.8) await until(() => (platform.kept().length > life.answers ? true : undefined), "it answers").catch(() => {});
        await wait(roll() * 300);
      };
      try {
        begin();
        if (hears) await until(() => (hears(platform) ? true : undefined), "it is connected");
        const every = Math.floor(MESSAGES / (KILLS + 1));
        for (let n = 0; n < MESSAGES; n++) {
          const { id } = await platform.say({ text: `q${n}`, from: platform.people[n % 2]! });
          if (roll() < 0.1) await platform.redeliver?.(id);
          if (roll() < 0.15) platform.fail(FAULTS[Math.floor(roll() * FAULTS.length)]!, 1);
          if (roll() < (few ? 0.1 : 0.03)) await platform.cut();
          await wait(roll() * 50);
          if (n % every === every - 1 && n < MESSAGES - 1) {
            await lived();
            await kill();
            begin();
          }
        }
        platform.fail("error", 0);
        await settled(platform, MESSAGES, join(home, "steward.db"));
        await wait(2000);
        await kill();
        const store = await sqlite(join(home, "steward.db"));
        const letters = (await store.list("p/owner/letter/")).map(({ value }) => value as DeadLetter);
        const waiting = (await store.list("outbox/")).length;
        await store.close();
        const { once, labelled, doubled, lost } = counted(platform, MESSAGES, letters);
        context.diagnostic(
          `${name}: ${MESSAGES} messages, ${KILLS} kills: ${once} answered once, ${labelled} labelled, ${doubled.length} doubled, ${lost.length} lost`,
        );
        assert.deepEqual({ waiting, lost, doubled }, { waiting: 0, lost: [], doubled: [] });
        // Most kills come while an answer goes out, and one answer is to many messages: where the platform can't tell, much is in doubt.
        assert.ok(labelled < MESSAGES / (blind ? 2 : 20), `${labelled} are in doubt`);
      } finally {
        if (life.child?.exitCode === null) life.child.kill("SIGKILL");
        await platform.close();
        await model.close();
        rmSync(home, { recursive: true, force: true });
      }
    },
  );
}
