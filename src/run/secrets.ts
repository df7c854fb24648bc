// Keys and tokens by name: environment first, then keychain or encrypted file, then `.env` of STEWARD_HOME. Never the working directory's.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { StewardError } from "../std/error.ts";
import { openKeychain } from "./keychain.ts";
import { openVault } from "./vault.ts";

export type SecretPlace = "environment" | "keychain" | "file" | "dotenv";
export interface Secrets {
  /** Read anew each time. Throws `unavailable` when the place that holds it cannot be read: never falls through to a lower one. */
  get(name: string): Promise<string | undefined>;
  /** Keeps it in the keychain, or in the encrypted file where there is none. An environment variable still wins. */
  set(name: string, value: string): Promise<"keychain" | "file">;
  /** Forgets what `set` kept. Environment and `.env` are the person's own. */
  remove(name: string): Promise<void>;
  /** Names that have a value somewhere, sorted. */
  names(): Promise<string[]>;
  where(name: string): Promise<SecretPlace | undefined>;
  /** Values met so far, for redaction. Does no work. */
  values(): readonly string[];
  /** Whether the system has a keychain that works, tried for real once. */
  keychain(): Promise<boolean>;
}
export interface SecretsOptions {
  home: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Environment variables that may hold a secret, best first: `{ "kimi-code": ["KIMI_API_KEY"] }`. */
  envNames: Readonly<Record<string, readonly string[]>>;
}

export function openSecrets({ home, env, envNames }: SecretsOptions): Secrets {
  const vault = openVault(home);
  const keychain = openKeychain({ home, env });
  const met = new Set<string>();
  const learn = (value: string | undefined): string | undefined => {
    if (value !== undefined && value !== "") met.add(value);
    return value;
  };
  const fromNames = (name: string, values: Readonly<Record<string, string | undefined>>): string | undefined => {
    for (const key of Object.hasOwn(envNames, name) ? envNames[name]! : [])
      if (values[key] !== undefined && values[key] !== "") return learn(values[key]);
    return undefined;
  };
  for (const name of Object.keys(envNames)) fromNames(name, env);

  async function where(name: string): Promise<SecretPlace | undefined> {
    if (fromNames(name, env) !== undefined) return "environment";
    const place = (await vault.places())[name];
    if (place !== undefined) return place;
    return fromNames(name, await dotenv(home)) === undefined ? undefined : "dotenv";
  }

  async function get(name: string): Promise<string | undefined> {
    const place = await where(name);
    if (place === "environment") return fromNames(name, env);
    if (place === "file") return learn(await vault.get(name));
    if (place === "dotenv") return fromNames(name, await dotenv(home));
    return place === "keychain" ? learn(await keychain.get(name)) : undefined;
  }

  async function set(name: string, value: string): Promise<"keychain" | "file"> {
    checkName(name);
    if (value === "") throw new StewardError("invalid", "An empty secret cannot be kept.", { hint: "Remove it instead." });
    learn(value);
    if (!(await keychain.works())) {
      await vault.set(name, value);
      return "file";
    }
    await keychain.set(name, value);
    await vault.note(name);
    return "keychain";
  }

  async function remove(name: string): Promise<void> {
    if ((await vault.places())[name] === "keychain") await keychain.remove(name);
    await vault.remove(name);
  }

  async function names(): Promise<string[]> {
    const file = await dotenv(home);
    const given = Object.keys(envNames).filter((name) => fromNames(name, env) !== undefined || fromNames(name, file) !== undefined);
    return [...new Set([...Object.keys(await vault.places()), ...given])].sort();
  }

  return { get, set, remove, names, where, values: () => [...met], keychain: () => keychain.works() };
}

function checkName(name: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name))
    throw new StewardError("invalid", `${JSON.stringify(name)} cannot be the name of a secret.`, { hint: "Use a–z, 0–9, dot, hyphen." });
}

async function dotenv(home: string): Promise<Record<string, string | undefined>> {
  try {
    return parseEnv(await readFile(join(home, ".env"), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new StewardError("unavailable", `${join(home, ".env")} cannot be read.`, {
      hint: "Make it readable, or remove it.",
      cause: error,
    });
  }
}
