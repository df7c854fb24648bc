// The system's keychain, pinned to Secret Service, Keychain or Credential Manager: other stores lose what they keep at a reboot.
import type { AsyncEntry } from "@napi-rs/keyring";
import { randomText } from "../std/id.ts";
import { StewardError } from "../std/error.ts";

export interface Keychain {
  /** Writes, reads and deletes an entry of its own, once. False when STEWARD_KEYCHAIN is `off`. */
  works(): Promise<boolean>;
  /** All throw `unavailable` when the keychain does not answer within `waitMs`; `get` also when the entry is gone. */
  get(name: string): Promise<string>;
  set(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
}
export interface KeychainOptions {
  /** STEWARD_HOME: entries of another home are other entries. */
  home: string;
  env: Readonly<Record<string, string | undefined>>;
  waitMs?: number;
}

export function openKeychain({ home, env, waitMs = 2000 }: KeychainOptions): Keychain {
  const off = env["STEWARD_KEYCHAIN"] === "off";
  const entry = async (name: string): Promise<AsyncEntry> => {
    if (off) throw new Error("STEWARD_KEYCHAIN is off");
    const { AsyncEntry } = await import("@napi-rs/keyring");
    return new AsyncEntry("steward", `${name}@${home}`, { linux: { store: "secret-service" } });
  };
  const within = async <T>(work: (entry: AsyncEntry, signal: AbortSignal) => Promise<T>, name: string): Promise<T> => {
    const stop = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      stop.abort();
      late.reject(new Error(`no answer within ${waitMs} ms`));
    }, waitMs);
    try {
      return await Promise.race([late.promise, entry(name).then((opened) => work(opened, stop.signal))]);
    } catch (error) {
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  };
  const probe = async (): Promise<boolean> => {
    if (off) return false;
    const value = randomText(12);
    try {
      return await within(async (opened, signal) => {
        await opened.setPassword(value, signal);
        const same = (await opened.getPassword(signal)) === value;
        return (await opened.deletePassword(signal)) && same;
      }, `probe-${value}`);
    } catch {
      return false;
    }
  };
  let tried: Promise<boolean> | undefined;
  return {
    works: () => (tried ??= probe()),
    get: async (name) => {
      const value = await within((opened, signal) => opened.getPassword(signal), name);
      if (value === null || value === undefined) throw unreachable(new Error(`the entry ${name} is gone`));
      return value;
    },
    set: (name, value) => within((opened, signal) => opened.setPassword(value, signal), name),
    remove: async (name) => void (await within((opened, signal) => opened.deletePassword(signal), name)),
  };
}

const unreachable = (cause: unknown): StewardError =>
  new StewardError("unavailable", "The system's keychain, where this secret is kept, cannot be read.", {
    hint: "Unlock the keychain, or store the secret again.",
    cause,
  });
