// Puts Steward together: store, settings, models, tools, computers, worker. main.ts decides what to do with it.
import { realpathSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { chatWork, openChats } from "./chats/chats.ts";
import { compact } from "./compaction/compact.ts";
import type { ChannelKind } from "./core/channel.ts";
import type { ComputerKind } from "./core/computer.ts";
import { CHANNEL_SECRETS, secretName } from "./core/config-channels.ts";
import type { EngineHost, EngineKind, ModelKind, Tool, VoiceKind } from "./core/ports.ts";
import type { Store } from "./core/store.ts";
import { openCommands } from "./commands/commands.ts";
import { openDoors } from "./doors/doors.ts";
import { load, names, places } from "./kinds/load.ts";
import { openServers } from "./mcp/servers.ts";
import { noticeWork, openNotices } from "./notices/notices.ts";
import { openMoney } from "./money/money.ts";
import { openPrograms } from "./programs/programs.ts";
import { breakers as openBreakers } from "./run/breaker.ts";
import { openCaches } from "./run/caches.ts";
import type { Chats } from "./run/chats.ts";
import { openComputers } from "./run/computers.ts";
import { openEgress } from "./run/egress.ts";
import { fileBytes } from "./run/files.ts";
import { makeHome } from "./run/home.ts";
import { openLookout } from "./run/lookout.ts";
import { openLog } from "./run/logs.ts";
import { awaitOllama, type Models, openModels } from "./run/models.ts";
import { outbound } from "./run/outbound.ts";
import { configuredOrigins, onceMore, publicAnd, toolFetch } from "./origins.ts";
import { openPermissions } from "./run/permissions.ts";
import { openSecrets } from "./run/secrets.ts";
import { environmentOf, openSettings, type Settings } from "./run/settings.ts";
import type { OpenEngine, Steward } from "./run/steward.ts";
import { openVoices, type Voices } from "./run/voices.ts";
import { startWorker, type Worker } from "./run/worker.ts";
import { openSchedules, scheduleWork } from "./schedules/schedules.ts";
import { openSearch } from "./search/search.ts";
import { makeIdentity } from "./skills/identity.ts";
import { openOwn } from "./skills/own.ts";
import { openTasks, taskKinds } from "./tasks/tasks.ts";
import { messageOf, StewardError } from "./std/error.ts";
import type { Log } from "./std/log.ts";
import { once, onceFor } from "./std/once.ts";

export interface ComposeOptions {
  /** STEWARD_HOME, absolute; made when it is not there. */
  home: string;
  env: Readonly<Record<string, string | undefined>>;
  version: string;
  /** Dotted configuration keys that win over file and environment. */
  overrides?: Record<string, unknown>;
  /** Channels that are turned on for this start, whatever the configuration says. */
  channels?: readonly string[];
  /** The worker claims by itself; false: only when drained. */
  auto: boolean;
  now?: () => number;
}
export interface Composed {
  steward: Steward;
  worker: Worker;
  warnings: string[];
  close(): Promise<void>;
}

/** How long the start waits to see whether an Ollama answers. */
const LONGEST_LOOK_MS = 1000;

/** Environment variables that hold keys, best first. */
const ENV_NAMES = {
  "kimi-code": ["KIMI_API_KEY"],
  moonshot: ["MOONSHOT_API_KEY", "KIMI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  compatible: ["OPENAI_API_KEY"],
  /** The voice of that name. */
  openai: ["OPENAI_API_KEY"],
  /** Signs the tokens of OS-Agent's programs. */
  "secret-key": ["SECRET_KEY"],
  ...Object.fromEntries(
    Object.entries(CHANNEL_SECRETS).flatMap(([kind, keys]) => Object.entries(keys).map(([key, names]) => [secretName(kind, key), names])),
  ),
};

/** What everything else stands on. */
async function ground(options: ComposeOptions, now: () => number) {
  makeHome(options.home);
  const home = realpathSync(options.home); // what paths are compared with is resolved too
  const env = environmentOf(home, options.env, Object.values(ENV_NAMES).flat());
  const settings = openSettings({ home, env, ...(options.overrides ? { overrides: options.overrides } : {}) });
  const secrets = openSecrets({ home, env, envNames: ENV_NAMES });
  const log = openLog({ folder: join(home, "logs"), level: () => settings.config().log.level, secrets: () => secrets.values() });
  const breakers = openBreakers({ now });
  const store = await openStore({ ...options, home, env }, log);
  return { home, env, settings, secrets, log, breakers, store, models: modelsOf({ settings, secrets, breakers, env, now }, { home }, log) };
}

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { version, now = Date.now } = options;
  const { home, env, settings, secrets, log, breakers, store, models } = await ground(options, now);
  const folders = { home };
  const kindOf = (name: string): Promise<ComputerKind> => load<ComputerKind>("computers", name, folders);
  const egress = openEgress(() => steward);
  const opened = (person: string): void => steward.lookout.attend(person);
  const computers = openComputers(() => steward, { load: kindOf, env, egress, opened });
  const steward: Steward = {
    ...{ store, log, now, version, home, settings },
    permissions: openPermissions(join(home, "permissions.json")),
    secrets,
    models,
    voices: voicesOf({ settings, secrets, env }, folders, log),
    breakers,
    caches: openCaches(now),
    engine: openEngines(folders, { settings, file: (session, id) => fileOf(steward, session, id) }),
    engines: () => names("engines", folders),
    tools: once(() => loadTools(folders)),
    servers: openServers(() => steward),
    computer: (principal) => computers.of(principal),
    computers,
    doors: openDoors(() => steward),
    programs: openPrograms({ home, env, log }),
    lanes: new Map(),
    money: openMoney(() => steward),
    search: openSearch(() => steward, settings),
    compact,
    commands: openCommands(() => steward),
    tasks: openTasks(() => steward),
    own: openOwn(() => steward, { bundled: join(places().root, "skills") }),
    lookout: openLookout(() => steward),
    work: { ...chatWork, ...noticeWork, ...taskKinds, ...scheduleWork },
    channels: {},
    chats: chatsOf(() => steward, folders, options),
    notices: openNotices(() => steward),
    schedules: openSchedules(() => steward),
    fetch: toolFetch(settings, log),
    sandbox: once(async () => describeSandbox(await (await kindOf("guarded")).missing())),
  };
  await makeIdentity(steward);
  await models.forget();
  await Promise.race([models.discover(), new Promise((resolve) => setTimeout(resolve, LONGEST_LOOK_MS).unref())]);
  settings.onChange(() => void models.forget());
  const settle = options.auto ? begin(steward, env) : undefined;
  const worker = startWorker(steward, { name: `${process.pid}`, auto: options.auto });
  return {
    steward,
    worker,
    warnings: await warningsOf(steward),
    async close() {
      settle?.();
      steward.schedules.close();
      await worker.stop(3000);
      await closeAll(steward, egress);
      log.end();
    },
  };
}

/** What goes on by itself from now on. Returns how to stop waiting for an Ollama. */
function begin({ lookout, chats, schedules, models }: Steward, env: ComposeOptions["env"]): () => void {
  void lookout.begin();
  chats.begin();
  schedules.begin();
  return awaitOllama(models, { env });
}

async function closeAll(
  { chats, doors, programs, lookout, servers, computers, own, store }: Steward,
  egress: { close(): void },
): Promise<void> {
  await chats.close();
  await doors.close();
  egress.close();
  await programs.close();
  await lookout.close();
  await servers.close();
  await computers.close();
  await own.close();
  await store.close();
}

function modelsOf(parts: Omit<Parameters<typeof openModels>[0], "fetch" | "load" | "names">, folders: { home: string }, log: Log): Models {
  const { settings, env } = parts;
  return openModels({
    ...parts,
    fetch: onceMore(outbound({ allow: (origin) => configuredOrigins(settings.config().providers, env).has(origin), log })),
    load: (name) => load<ModelKind>("models", name, folders),
    names: () => names("models", folders),
  });
}

function chatsOf(steward: () => Steward, folders: { home: string }, { channels = [] }: ComposeOptions): Chats {
  return openChats(steward, {
    load: (name) => load<ChannelKind>("channels", name, folders),
    names: () => names("channels", folders),
    fetch: (allow) => publicAnd(allow, steward().log),
    flags: channels,
    alert: (name, text) =>
      steward().notices.tell("owner", { text, key: `${name}/${steward().now()}`, from: `Channel ${name}`, urgent: true, not: name }),
  });
}

/** How long hearing may take is the job's concern. */
function voicesOf(
  { settings, secrets, env }: Pick<Parameters<typeof modelsOf>[0], "settings" | "secrets" | "env">,
  folders: { home: string },
  log: Log,
): Voices {
  const allow = (origin: string): boolean => configuredOrigins(settings.config().voice.providers, env).has(origin);
  const fetch = outbound({ allow, log, idleMs: 0, maxBytes: 4e6 });
  return openVoices({ settings, secrets, fetch, load: (name) => load<VoiceKind>("voices", name, folders) });
}

async function openStore({ home, env, now }: ComposeOptions, log: Log): Promise<Store> {
  const more = { log, ...(now ? { now } : {}) };
  if (env.STEWARD_DATABASE_URL) return (await import("./stores/postgres.ts")).postgres(env.STEWARD_DATABASE_URL, more);
  return (await import("./stores/sqlite.ts")).sqlite(env.DB_PATH ?? join(home, "steward.db"), { ...more, exclusive: true });
}

function openEngines(folders: { home: string }, { settings, file }: Pick<EngineHost, "file"> & { settings: Settings }): Steward["engine"] {
  const opened = new Map<string, Promise<OpenEngine>>();
  return (name) =>
    onceFor(opened, name, async () => {
      const kind = await load<EngineKind>("engines", name, folders);
      const config = (): unknown => engineConfig(kind, settings.config().engines[name] ?? {});
      const { wires } = kind;
      return { engine: kind.open({ config, file }), programs: () => kind.programs?.(config()) ?? [], ...(wires ? { wires } : {}) };
    });
}

function engineConfig({ name, config }: EngineKind, given: object): unknown {
  const parsed = config.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new StewardError(
    "invalid",
    `The engine ${name} is not set up rightly: ${parsed.error.issues.map(({ path, message }) => `engines.${[name, ...path].join(".")}: ${message}`).join("; ")}`,
    { hint: `steward config set engines.${name}.KEY VALUE corrects it.` },
  );
}

async function loadTools(folders: { home: string }): Promise<Tool[]> {
  const files = await Promise.all(names("tools", folders).map((name) => load<Tool[]>("tools", name, folders)));
  return files.flat();
}

async function fileOf(steward: Steward, session: string, id: string): Promise<Uint8Array> {
  const [first] = await steward.store.events(session, { limit: 1 });
  const person = first?.event.type === "session.created" ? first.event.person : "";
  return fileBytes(steward, { person, role: "guest", via: "page" }, id);
}

function describeSandbox(missing: string | undefined): string {
  if (missing) return `none for commands on this machine: ${missing}`;
  return process.platform === "darwin" ? "seatbelt (sandbox-exec)" : "bubblewrap (namespaces, seccomp filter, no network)";
}

/** How long the start waits for what a container engine says. */
const LONGEST_TRY_MS = 5000;

/** Where everybody works in a computer of their own and there is no sandbox for one, a container engine has to be there. */
async function computerMissing({ computers }: Steward): Promise<string[]> {
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), LONGEST_TRY_MS).unref());
  const problem = await Promise.race([computers.choice().then((choice) => choice.problem, messageOf), late]);
  return problem === undefined ? [] : [`There are no computers, so commands are refused: ${problem}`];
}

const isLoopbackName = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

async function warningsOf(steward: Steward): Promise<string[]> {
  const { computer, server } = steward.settings.config();
  const { mode } = computer;
  const sandbox = await steward.sandbox();
  return [
    ...(isLoopbackName(server.host)
      ? []
      : [
          `${server.host}: everybody on this network can reach the page, over plain HTTP. Put a proxy with TLS in front, or use 127.0.0.1.`,
        ]),
    ...(process.getuid?.() === 0 ? ["Steward runs as root: its sandboxes hold less then. An ordinary user is safer."] : []),
    ...(mode === "full"
      ? [`Full mode: commands run unconfined as ${userInfo().username}. steward config set computer.mode guarded goes back.`]
      : []),
    ...(mode === "contained" && sandbox.startsWith("none") ? await computerMissing(steward) : []),
    ...(mode === "guarded" && sandbox.startsWith("none")
      ? [
          `No sandbox (${sandbox.slice(sandbox.indexOf(": ") + 2)}): commands are refused until it is there. As the owner you may choose: steward config set computer.mode full`,
        ]
      : []),
    ...[steward.settings.problem(), steward.permissions.problem()].flatMap((problem) => problem ?? []),
  ];
}
