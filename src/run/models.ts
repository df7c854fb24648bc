// Which model answers: names, keys, the default when none is set, one opened provider each, behind its circuit breaker.
import { createHash } from "node:crypto";
import type { Answered } from "../core/api.ts";
import type { Fetch, ModelKind, OpenModel, Provider } from "../core/ports.ts";
import { type Failure, failureOf, messageOf, hasCode, StewardError } from "../std/error.ts";
import { onceFor } from "../std/once.ts";
import { listens } from "./outbound.ts";
import type { Breakers } from "./breaker.ts";
import type { Secrets } from "./secrets.ts";
import type { Settings } from "./settings.ts";

type Listed = Answered<"models.list">["providers"];
export interface Models {
  /** "provider/name": the session's, else the configured, else what a key or a running Ollama offers, else builtin/rules. */
  current(session?: { model?: string }): string;
  open(name: string): Promise<OpenModel>;
  /** Throws `invalid` or `not_found` when the name can't be a model here. */
  check(name: string): Promise<void>;
  list(probe: boolean): Promise<Listed>;
  /** One vector for each text. Throws invalid where the provider has none, else what the endpoint says. */
  embed(name: string, texts: string[], signal?: AbortSignal): Promise<number[][]>;
  /** Whether its answers are made on this machine or in the private network; false for what can't be opened. */
  isLocal(name: string): Promise<boolean>;
  /** Tokens that it can read, where its provider knows it without a request. */
  window(name: string): Promise<number | undefined>;
  /** The model, as "provider/name", that this provider answers with when only the provider is chosen. Throws unavailable when it can't be asked. */
  preferred(provider: string): Promise<string>;
  /** Tells accounts apart: another key or address is another account. Opaque. */
  account(name: string): Promise<string>;
  /** After a key or the configuration changed: opens providers anew and looks again which have keys. */
  forget(): Promise<void>;
  /** Looks whether an Ollama answers on this machine. */
  discover(): Promise<void>;
}

export interface ModelsOptions {
  settings: Settings;
  secrets: Secrets;
  breakers: Breakers;
  env: Readonly<Record<string, string | undefined>>;
  now(): number;
  /** The outbound client for configured endpoints. */
  fetch: Fetch;
  load(name: string): Promise<ModelKind>;
  names(): string[];
}

/** Providers that are picked up by themselves when they have a key, in this order. */
const BY_KEY = ["kimi-code", "moonshot", "anthropic"];
const OLLAMA_DEFAULT = "qwen2.5";
/** What a provider answers with when nobody names a model. `any`: what it offers goes before. */
const USUAL: Record<string, { model: string; variable?: string; any?: boolean }> = {
  "kimi-code": { model: "kimi-k2.5", variable: "KIMI_MODEL" },
  moonshot: { model: "kimi-k2.5", variable: "KIMI_MODEL" },
  anthropic: { model: "claude-sonnet-4-5" },
  ollama: { model: OLLAMA_DEFAULT, variable: "OLLAMA_MODEL", any: true },
  builtin: { model: "rules" },
};

export function openModels(options: ModelsOptions): Models {
  const { settings, secrets, env } = options;
  const providers = new Map<string, Promise<Provider>>();
  const found: { ollama?: string; keyed: string[] } = { keyed: [] };
  const provider = (name: string): Promise<Provider> => {
    return onceFor(providers, name, () => openProvider(options, name));
  };
  const byKey = (): string | undefined => {
    const wanted = env.KIMI_API_PROVIDER && BY_KEY.includes(env.KIMI_API_PROVIDER) ? [env.KIMI_API_PROVIDER] : BY_KEY;
    const name = wanted.find((one) => found.keyed.includes(one));
    return name && (name === "anthropic" ? "anthropic/claude-sonnet-4-5" : `${name}/${env.KIMI_MODEL ?? "kimi-k2.5"}`);
  };
  return {
    current: (session) => session?.model ?? settings.config().model ?? byKey() ?? found.ollama ?? "builtin/rules",
    async open(name) {
      const [kind, id] = splitName(name);
      const opened = await provider(kind);
      const explain = async (error: unknown): Promise<Failure> =>
        error instanceof StewardError ? failureOf(error) : opened.explain(error, id);
      return {
        model: opened.model(id),
        call: (run) => throughBreaker(options.breakers, `model ${kind}`, { run, explain }),
        explain,
        endpoint: (wire) => opened.endpoint?.(wire, id),
      };
    },
    async check(name) {
      const [kind] = splitName(name);
      await provider(kind);
    },
    account: (name) => accountOf(options, splitName(name)[0]),
    async embed(name, texts, signal) {
      const [kind, id] = splitName(name);
      return embedding(kind, await provider(kind))(id, texts, signal);
    },
    list: (probe) => Promise.all(knownNames(options).map((name) => describe(options, name, probe ? () => provider(name) : undefined))),
    async isLocal(name) {
      const [kind, id] = splitName(name);
      // An Ollama passes on what is named so.
      const { local = false } = await provider(kind).catch(() => ({ local: false }));
      return local && !/[-:]cloud$/.test(id);
    },
    window: async (name) => (await provider(splitName(name)[0])).window(splitName(name)[1]),
    preferred: async (name) => preferred(env, name, await provider(name)),
    async forget() {
      providers.clear();
      const places = await Promise.all(BY_KEY.map((name) => secrets.where(name)));
      found.keyed = BY_KEY.filter((_, at) => places[at] !== undefined);
    },
    async discover() {
      if (settings.config().model || byKey() || !(await ollamaMayBe({ settings, env }))) return;
      const models = await provider("ollama")
        .then((opened) => opened.list())
        .catch((): string[] => []);
      const wanted = env.OLLAMA_MODEL ?? OLLAMA_DEFAULT;
      const model = models.find((one) => one === wanted || one.startsWith(`${wanted}:`)) ?? models[0];
      if (model) found.ollama = `ollama/${model}`;
    },
  };
}

/** At its usual place it is only asked when something listens there: asking so takes 8 MB less than asking by HTTP. */
async function ollamaMayBe({ settings, env }: Pick<ModelsOptions, "settings" | "env">): Promise<boolean> {
  const given = env.OLLAMA_HOST ?? settings.config().providers["ollama"]?.["baseUrl"];
  return given !== undefined || listens(11_434);
}

function embedding(kind: string, { embed }: Provider): NonNullable<Provider["embed"]> {
  if (embed) return embed;
  throw new StewardError("invalid", `${kind} has no models that tell what texts mean`, {
    hint: "ollama and compatible endpoints have, such as memory.embedding ollama/nomic-embed-text.",
  });
}

async function accountOf({ settings, secrets }: ModelsOptions, kind: string): Promise<string> {
  const { baseUrl = "" } = settings.config().providers[kind] ?? {};
  const key = await secrets.get(kind);
  return createHash("sha256")
    .update(JSON.stringify([kind, baseUrl, key]))
    .digest("hex");
}

async function preferred(env: ModelsOptions["env"], name: string, provider: Provider): Promise<string> {
  const usual = USUAL[name];
  const wanted = (usual?.variable && env[usual.variable]) || usual?.model;
  const offered = await provider.list().catch((error: unknown) => {
    if (wanted === undefined) throw error;
    return [];
  });
  const model =
    offered.find((one) => one === wanted || one.startsWith(`${wanted}:`)) ?? (usual?.any ? offered[0] : undefined) ?? wanted ?? offered[0];
  if (model === undefined) throw new StewardError("unavailable", `${name} offers no model`, { hint: `Name one: /model ${name}/NAME` });
  return `${name}/${model}`;
}

const LOOK_AGAIN_MS = 3000;

/** Looks again for the Ollama model that the environment names, until it is there: it may be on its way. Returns what ends that. */
export function awaitOllama({ current, discover }: Pick<Models, "current" | "discover">, { env }: Pick<ModelsOptions, "env">): () => void {
  const { OLLAMA_HOST, OLLAMA_MODEL } = env;
  if (!OLLAMA_HOST && !OLLAMA_MODEL) return () => {};
  const there = (): boolean => {
    const [kind, model] = splitName(current());
    if (kind !== "ollama") return kind !== "builtin";
    return !OLLAMA_MODEL || model === OLLAMA_MODEL || model.startsWith(`${OLLAMA_MODEL}:`);
  };
  const timer = setInterval(() => void (there() ? clearInterval(timer) : discover()), LOOK_AGAIN_MS).unref();
  return () => clearInterval(timer);
}

/** Only outages count: a wrong key or a request that is too long says nothing about the endpoint. */
async function throughBreaker<T>(
  breakers: Breakers,
  name: string,
  { run, explain }: { run(): Promise<T>; explain(error: unknown): Promise<Failure> },
): Promise<T> {
  const done = breakers.enter(name);
  try {
    const result = await run();
    done(true);
    return result;
  } catch (error) {
    done(!calledOff(error) && (await explain(error)).code === "unavailable" ? false : undefined);
    throw error;
  }
}

/** Somebody pressed Stop, or Steward ends: that says nothing about the endpoint, however the provider's package wraps it. */
function calledOff(error: unknown): boolean {
  for (let inner = error, depth = 0; depth < 5; depth++) {
    if (inner === "cancelled" || hasCode(inner, "stale")) return true;
    if (!(inner instanceof Error)) return false;
    if (inner.name === "AbortError") return true;
    inner = inner.cause;
  }
  return false;
}

function splitName(name: string): [string, string] {
  const cut = name.indexOf("/");
  if (cut < 1 || cut === name.length - 1)
    throw new StewardError("invalid", `"${name}" is not a model's name`, {
      hint: 'A model is named "provider/name", such as ollama/qwen2.5 or builtin/rules.',
    });
  return [name.slice(0, cut), name.slice(cut + 1)];
}

/** A configured entry may name another adapter as its kind: two compatible endpoints under two names. */
async function openProvider(options: ModelsOptions, name: string): Promise<Provider> {
  const entry: Record<string, unknown> = options.settings.config().providers[name] ?? {};
  const { kind: kindName = name, key: _key, ...given } = entry;
  const kind = await options.load(String(kindName));
  const parsed = kind.config.safeParse(kindName === name ? given : { name, ...given });
  if (!parsed.success)
    throw new StewardError(
      "invalid",
      `The provider ${name} is not set up: ${parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`,
      { hint: `steward config set providers.${name}.baseUrl URL, or the settings page.` },
    );
  return kind.open(parsed.data, { fetch: options.fetch, key: () => options.secrets.get(name), env: options.env, now: options.now });
}

const knownNames = ({ settings, names }: ModelsOptions): string[] => [
  ...new Set([...names(), ...Object.keys(settings.config().providers)]),
];

async function describe(
  { secrets, settings }: ModelsOptions,
  name: string,
  open: (() => Promise<Provider>) | undefined,
): Promise<Listed[number]> {
  const keySet = (await secrets.where(name)) !== undefined;
  if (!open) return { name, ready: keySet || name === "builtin" || settings.config().providers[name] !== undefined, keySet, models: [] };
  try {
    return { name, ready: true, keySet, models: await (await open()).list() };
  } catch (error) {
    return { name, ready: false, keySet, problem: messageOf(error), models: [] };
  }
}
