// Answers that may be given again because what they depend on has not changed: file reads, read-only commands, apps.
import { LRUCache } from "lru-cache";
import type { FileInfo } from "../core/computer.ts";
import type { PermissionTable } from "./permissions.ts";

export interface CacheStats {
  size: number;
  max_size: number;
  hits: number;
  misses: number;
  hit_rate: number;
}

/** `proof` is what must still be true (versions of files); an entry with another proof is a miss. Keys begin with the person. */
export interface Cache<V> {
  get(key: string, proof: string): V | undefined;
  set(key: string, proof: string, value: V): void;
  clear(): void;
  stats(): CacheStats;
}

/** What permissions.json says about files and commands; a part of each proof, so that a change ends all that was kept under another. */
export const proofOf = ({ filesystem, terminal }: PermissionTable): string =>
  JSON.stringify([filesystem.enabled, filesystem.restrictions, terminal.enabled, terminal.restrictions]);

/** What the system makes anew each time that it is read, whatever its times say. */
const MADE_ANEW = /^\/(?:proc|sys|dev)(?:\/|$)/;

/** What proves that this is still what was read: its version. Undefined for what can't be proved: not there, of another type, a device, a pipe, made by the system. */
export const versionProof = (info: FileInfo | undefined, type: "file" | "dir"): string | undefined =>
  info?.type === type && !MADE_ANEW.test(info.path) ? `${info.path}\0${info.version}` : undefined;

export interface Caches {
  file: Cache<Uint8Array>;
  command: Cache<unknown>;
  app: Cache<unknown>;
}

export function openCaches(now: () => number): Caches {
  return {
    file: cache({ max: 500, ttlMs: 60_000, maxSize: 32 * 1024 * 1024, now, sizeOf: (bytes: Uint8Array) => bytes.byteLength + 1 }),
    command: cache({
      max: 200,
      ttlMs: 30_000,
      maxSize: 8 * 1024 * 1024,
      now,
      sizeOf: (value: unknown) => JSON.stringify(value).length + 1,
    }),
    app: cache({ max: 100, ttlMs: 10_000, maxSize: 1024 * 1024, now, sizeOf: (value: unknown) => JSON.stringify(value).length + 1 }),
  };
}

interface CacheOptions<V> {
  max: number;
  ttlMs: number;
  maxSize: number;
  now(): number;
  sizeOf(value: V): number;
}

function cache<V>({ max, ttlMs, maxSize, now, sizeOf }: CacheOptions<V>): Cache<V> {
  const entries = new LRUCache<string, { proof: string; value: V; until: number }>({
    max,
    maxSize,
    sizeCalculation: ({ value }) => sizeOf(value),
  });
  const count = { hits: 0, misses: 0 };
  return {
    get(key, proof) {
      const entry = entries.get(key);
      if (entry && entry.proof === proof && entry.until > now()) {
        count.hits++;
        return entry.value;
      }
      count.misses++;
      return undefined;
    },
    set: (key, proof, value) => void entries.set(key, { proof, value, until: now() + ttlMs }),
    clear: () => entries.clear(),
    stats: () => ({
      size: entries.size,
      max_size: max,
      ...count,
      hit_rate: count.hits + count.misses === 0 ? 0 : count.hits / (count.hits + count.misses),
    }),
  };
}
