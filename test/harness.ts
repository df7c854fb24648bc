// A whole Steward in this process on a temporary home, with a scripted model and a store that the test chooses.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { ComputerKind } from "../src/core/computer.ts";
import type { Channel } from "../src/core/channel.ts";
import type { Tool, Voice } from "../src/core/ports.ts";
import type { Store } from "../src/core/store.ts";
import type { Principal } from "../src/core/types.ts";
import loop from "../src/engines/loop.ts";
import host from "../src/computers/host.ts";
import { chatWork } from "../src/chats/chats.ts";
import { compact } from "../src/compaction/compact.ts";
import { openCommands } from "../src/commands/commands.ts";
import { openDoors } from "../src/doors/doors.ts";
import { noticeWork, openNotices } from "../src/notices/notices.ts";
import { openMoney } from "../src/money/money.ts";
import { openPrograms } from "../src/programs/programs.ts";
import { breakers } from "../src/run/breaker.ts";
import { noChats } from "../src/run/chats.ts";
import { openCaches } from "../src/run/caches.ts";
import { fileBytes } from "../src/run/files.ts";
import { noOwn } from "../src/run/identity.ts";
import { openLookout } from "../src/run/lookout.ts";
import { openPermissions } from "../src/run/permissions.ts";
import { openSecrets } from "../src/run/secrets.ts";
import { noServers } from "../src/run/servers.ts";
import { openSettings } from "../src/run/settings.ts";
import type { Steward } from "../src/run/steward.ts";
import { failureOf, StewardError } from "../src/std/error.ts";
import { noLog } from "../src/std/log.ts";
import { openSchedules, scheduleWork } from "../src/schedules/schedules.ts";
import { openSearch } from "../src/search/search.ts";
import { openTasks, taskKinds } from "../src/tasks/tasks.ts";
import { once } from "../src/std/once.ts";
import { plainOptions } from "../src/testing/computer-options.ts";

export const OWNER: Principal = { person: "owner", role: "owner", via: "page" };

export interface HarnessOptions {
  store: Store;
  model: LanguageModelV4;
  tools?: Tool[];
  channels?: Record<string, Channel>;
  home?: string;
  now?: () => number;
  mode?: string;
  computer?: ComputerKind;
  config?: Record<string, unknown>;
  /** That hears. */
  voice?: Voice;
}

const made: string[] = [];
process.once("exit", () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "steward-test-"));
  made.push(folder);
  return folder;
}

export function harness({
  store,
  model,
  tools = [],
  channels = {},
  home = temporary(),
  now = Date.now,
  mode = "guarded",
  computer = host,
  config = {},
  voice,
}: HarnessOptions): Steward {
  mkdirSync(join(home, "workspace"), { recursive: true });
  const settings = openSettings({ home, env: {}, overrides: { "computer.mode": mode, zone: "UTC", ...config } });
  const opened = once(() =>
    computer.open({
      person: "owner",
      mode: mode as "guarded",
      home,
      workspace: join(home, "workspace"),
      steward: join(home, "state"),
      hidden: () => [],
      ...plainOptions,
      env: process.env,
    }),
  );
  const steward: Steward = {
    store,
    now,
    home: join(home, "state"),
    version: "0.0.0",
    log: noLog,
    settings,
    work: { ...chatWork, ...noticeWork, ...taskKinds, ...scheduleWork },
    chats: noChats,
    notices: openNotices(() => steward),
    channels,
    permissions: openPermissions(join(home, "permissions.json")),
    secrets: openSecrets({ home, env: { STEWARD_KEYCHAIN: "off" }, envNames: {} }),
    breakers: breakers({ now }),
    caches: openCaches(now),
    models: {
      current: (session) => session?.model ?? "script/one",
      open: async () => ({ model, call: (run) => run(), explain: async (error) => failureOf(error) }),
      check: async () => {},
      embed: async () => Promise.reject(new StewardError("invalid", "No vectors in this test")),
      account: async (name) => name.split("/")[0]!,
      list: async () => [],
      isLocal: async () => true,
      window: async () => undefined,
      preferred: async (provider) => `${provider}/one`,
      forget: async () => {},
      discover: async () => {},
    },
    voices: { hearing: async () => voice },
    engine: async () => ({
      engine: loop.open({ config: () => ({}), file: (_session, id) => fileBytes(steward, OWNER, id) }),
      programs: () => [],
    }),
    engines: () => ["loop"],
    tools: async () => tools,
    servers: noServers,
    computer: opened,
    computers: {
      of: opened,
      own: opened,
      choice: async () => ({ kind: "guarded", why: "a test" }),
      forget: async () => {},
      close: async () => {},
      build: async () => "image",
    },
    doors: openDoors(() => steward),
    programs: openPrograms({ home: join(home, "state"), env: {}, log: noLog }),
    lanes: new Map(),
    money: openMoney(() => steward),
    search: openSearch(() => steward, settings),
    compact,
    commands: openCommands(() => steward),
    tasks: openTasks(() => steward),
    own: noOwn,
    lookout: openLookout(() => steward),
    schedules: openSchedules(() => steward),
    fetch: () => Promise.reject(new Error("no network in this test")),
    sandbox: async () => "none: a test",
  };
  return steward;
}
