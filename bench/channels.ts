// What channels cost: from a platform's message to the model and back, a thousand chats at once, memory of a connection at rest. Platforms are local servers. STEWARD_BENCH=short: few of each.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signature } from "../src/channels/webhook-signature.ts";
import type { Platform } from "../src/testing/channel-platform.ts";
import { localServer } from "../src/testing/local-server.ts";
import { mailMissing, mailPlace } from "../test/mail-place.ts";
import { discordPlatform } from "../test/platform-discord.ts";
import { emailPlatform } from "../test/platform-email.ts";
import { matrixPlatform } from "../test/platform-matrix.ts";
import { slackPlatform } from "../test/platform-slack.ts";
import { telegramPlatform } from "../test/platform-telegram.ts";
import { residentPeak } from "./processes.ts";
import { discard, type Endpoint, median, newHome, now, type Server, startModel, startServer } from "./server.ts";

type Add = (measure: string, value: number, unit: string, aim?: { atMost?: number; atLeast?: number }) => void;
type Config = Record<string, unknown>;

interface Place {
  config: Config;
  say(server: Server, text: string): Promise<unknown>;
  /** So many messages of Steward's have arrived there. */
  arrived(): number;
  close(): Promise<unknown>;
}

const [MESSAGES, CHATS, ROUNDS] = process.env["STEWARD_BENCH"] === "short" ? [5, 50, 1] : [30, 1000, 3];
const IDLE_MS = 10_000;
const LONGEST_MS = 300_000;
const PLACES: Record<string, () => Promise<Place>> = {
  telegram: async () => placeOf(await telegramPlatform()),
  discord: async () => placeOf(await discordPlatform({ beatMs: 41_250 })),
  slack: async () => placeOf(await slackPlatform()),
  matrix: async () => placeOf(await matrixPlatform()),
  webhook: webhookPlace,
  ...(mailMissing === undefined ? { email: emailPlace } : {}),
};

export async function channelsCost(add: Add): Promise<void> {
  for (const [name, open] of Object.entries(PLACES)) await thereAndBack(add, name, open);
  await crowd(add);
  await atRest(add);
}

/** With the times that a configuration has by itself, not those of tests. */
function placeOf(platform: Platform): Place {
  const { pongMs: _, pollSeconds: __, answerSeconds: ___, ...config } = platform.config;
  const [person] = platform.people;
  return {
    config: { ...config, allow: { [person]: "owner" } },
    say: (_server, text) => platform.say({ text, from: person }),
    arrived: () => platform.kept().length,
    close: () => platform.close(),
  };
}

async function emailPlace(): Promise<Place> {
  const mail = await mailPlace();
  const place = placeOf(await emailPlatform(mail));
  return { ...place, close: () => place.close().finally(() => mail.close()) };
}

async function webhookPlace(): Promise<Place> {
  const secret = "a secret of the bench, long enough";
  let came = 0;
  const receiver = await localServer(async (request, response) => {
    await request.toArray();
    came++;
    response.end();
  });
  return {
    config: { secret, person: "owner", as: "owner", url: `${receiver.url}/in`, origin: receiver.url },
    async say(server, text) {
      const body = Buffer.from(JSON.stringify({ text }));
      const headers = { "content-type": "application/json", ...signature({ secret, style: "steward" }, body, Date.now()) };
      const { ok, status } = await fetch(`${server.url}/hooks/webhook`, { method: "POST", headers, body });
      if (!ok) throw new Error(`the webhook was answered with ${status}`);
    },
    arrived: () => came,
    close: () => receiver.close(),
  };
}

// ---- A Steward with channels

async function withServer(channels: Record<string, Config>, work: (server: Server, model: Endpoint) => Promise<void>): Promise<void> {
  const model = await startModel();
  const home = newHome(model.url);
  const path = join(home, "config.json");
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as Config), channels }));
  try {
    const server = await startServer(home);
    try {
      const names = Object.keys(channels);
      await look(async () => (await healthy(server)) === names.length, { everyMs: 50, what: `${names.join(", ")} connected` });
      await work(server, model);
    } finally {
      await server.stop();
    }
  } finally {
    model.stop();
    discard(home);
  }
}

async function healthy(server: Server): Promise<number> {
  const response = await fetch(`${server.url}/api/channels`, { headers: { authorization: `Bearer ${server.token}` } });
  const { channels } = (await response.json()) as { channels: { state: string }[] };
  return channels.filter(({ state }) => state === "healthy").length;
}

async function look(found: () => boolean | Promise<boolean>, { everyMs, what }: { everyMs: number; what: string }): Promise<void> {
  const end = now() + LONGEST_MS;
  while (!(await found())) {
    if (now() > end) throw new Error(`It did not happen within ${LONGEST_MS / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

// ---- What is measured

/** One message after the other; the first ones warm it up. */
async function thereAndBack(add: Add, name: string, open: () => Promise<Place>): Promise<void> {
  const place = await open();
  const times: { toModelMs: number; backMs: number }[] = [];
  try {
    await withServer({ [name]: place.config }, async (server, model) => {
      for (let at = -3; at < MESSAGES; at++) {
        const before = place.arrived();
        const word = `word${at + 3}.`;
        const sentAt = now();
        await place.say(server, `hi ${word}`);
        await look(() => place.arrived() > before, { everyMs: 1, what: `an answer by ${name}` });
        const backMs = now() - sentAt;
        const asked = (await model.asked()).find(({ body }) => body.includes(word));
        if (!asked) throw new Error(`${name} has answered what no model was asked`);
        if (at >= 0) times.push({ toModelMs: asked.at - sentAt, backMs });
      }
    });
  } finally {
    await place.close();
  }
  add(`${name}: message at the platform → model asked`, median(times.map(({ toModelMs }) => toModelMs)), "ms");
  add(`${name}: message at the platform → answer at the platform`, median(times.map(({ backMs }) => backMs)), "ms");
}

/** As many people, each with a message, each a guest with a session of their own. */
async function crowd(add: Add): Promise<void> {
  const platform = await telegramPlatform();
  const people = Array.from({ length: CHATS }, (_, at) => String(10_001 + at));
  const label = `${CHATS} chats at once`;
  try {
    await withServer({ telegram: { ...platform.config, allow: people } }, async (server, model) => {
      const [began, cpu, rest] = [now(), server.cpu(), server.resident()];
      await Promise.all(people.map((from) => platform.say({ text: "hi", from })));
      const answered = (): number => new Set(platform.kept().map(({ chat }) => chat)).size;
      await look(() => platform.kept().length >= CHATS && answered() === CHATS, { everyMs: 20, what: `${label}: all are answered` });
      const seconds = (now() - began) / 1000;
      add(`${label}: messages answered a second`, CHATS / seconds, "/s");
      add(`${label}: until the last is answered`, seconds, "s");
      add(`${label}: CPU a message`, ((server.cpu() - cpu) * 1000) / CHATS, "ms");
      add(`${label}: resident before`, rest / 1e6, "MB");
      add(`${label}: resident at the peak`, residentPeak(server.pid) / 1e6, "MB");
      add(`${label}: answers too many`, platform.kept().length - CHATS, "", { atMost: 0 });
      add(`${label}: requests to the model too many`, (await model.asked()).length - CHATS, "", { atMost: 0 });
      const failures = readFileSync(join(server.home, "logs", "steward.log"), "utf8").split("A model failed").length - 1;
      add(`${label}: requests to the model that failed or waited`, failures, "", { atMost: 0 });
    });
  } finally {
    await platform.close();
  }
}

/** None, each alone, all of them; round by round, that what changes on the machine meets each. */
async function atRest(add: Add): Promise<void> {
  const resident: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++)
    for (const names of [[], ...Object.keys(PLACES).map((name) => [name]), Object.keys(PLACES)])
      (resident[names.join(", ")] ??= []).push(await restOf(names));
  const none = median(resident[""]!);
  add("no channel: resident, idle after 10 s", none / 1e6, "MB");
  for (const [names, values] of Object.entries(resident))
    if (names !== "") {
      const label = names.includes(",") ? "all these channels" : `${names} connected`;
      add(`${label}: resident, idle after 10 s`, median(values) / 1e6, "MB");
      add(`${label}: more than without`, (median(values) - none) / 1e6, "MB");
    }
}

async function restOf(names: readonly string[]): Promise<number> {
  const places: Record<string, Place> = {};
  let resident = 0;
  try {
    for (const name of names) places[name] = await PLACES[name]!();
    const channels = Object.fromEntries(Object.entries(places).map(([name, { config }]) => [name, config]));
    await withServer(channels, async (server) => {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      resident = server.resident();
    });
  } finally {
    for (const place of Object.values(places)) await place.close();
  }
  return resident;
}
