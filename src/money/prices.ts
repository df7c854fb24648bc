// What a model costs: the configuration, then the table in Steward's home, then the one that came with this version. Money is counted in nanodollars, so that sums are exact.
import { join } from "node:path";
import type * as z from "zod/mini";
import { type price as priceShape, pricesConfig } from "../core/config-engines.ts";
import type { Usage } from "../core/types.ts";
import { messageOf } from "../std/error.ts";
import { readObject, versionOf } from "../run/json-file.ts";
import bundled from "./prices.json" with { type: "json" };
import type { Steward } from "../run/steward.ts";

/** US dollars for a million tokens. */
export type Price = z.infer<typeof priceShape> & {
  /** US dollars for a thousand searches by the provider. */
  search?: number;
};
type Table = Record<string, Price>;

export const pricesAsOf = bundled.asOf;
const TABLE: Table = bundled.prices;
const SEARCHES: Record<string, number> = bundled.searches;
const HOSTS: Record<string, string> = bundled.hosts;
const FREE: Price = { input: 0, output: 0 };
const NANO = 1e9;
/** What comes after a model's name for one state of it. */
const STATE = /^[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|\d{6}|latest)$/;

export const nano = (dollars: number): number => Math.round(dollars * NANO);
export const dollars = (nanodollars: number): number => nanodollars / NANO;

const files = new WeakMap<Steward, { version: string; table: Table }>();

/** `prices.json` in Steward's home, read anew when it changed. One that is not valid is said in the log and leaves the last good one. */
function ownTable(steward: Steward): Table {
  const path = join(steward.home, "prices.json");
  const version = versionOf(path);
  const known = files.get(steward);
  if (known?.version === version) return known.table;
  const table = { ...known?.table };
  files.set(steward, { version, table: version === "none" ? {} : table });
  if (version === "none") return {};
  try {
    const read = pricesConfig.parse(readObject(path));
    files.set(steward, { version, table: read });
    return read;
  } catch (error) {
    steward.log("warning", "prices.json is not valid and does not count", { path, error: messageOf(error) });
    return table;
  }
}

/** Undefined when nobody knows. `model` is "provider/name"; `id` what the provider calls it, where the name is another. */
export function priceOf(steward: Steward, model: string, id?: string): Price | undefined {
  const { prices } = steward.settings.config();
  const provider = model.slice(0, model.indexOf("/"));
  const name = model.slice(provider.length + 1);
  const names = id === undefined || id === name ? [name] : [name, id];
  for (const table of [prices, ownTable(steward)]) {
    for (const one of names) if (table[`${provider}/${one}`]) return table[`${provider}/${one}`];
    if (table[`${provider}/*`]) return table[`${provider}/*`];
  }
  const maker = makerOf(steward, provider);
  if (bundled.free.includes(maker)) return FREE;
  for (const one of names) {
    const found = listed(`${maker}/${one}`);
    if (found) return found;
  }
  return undefined;
}

/** US dollars for a thousand searches by the provider of this model; undefined when nobody knows. */
export const searchPriceOf = (steward: Steward, model: string): number | undefined =>
  SEARCHES[makerOf(steward, model.slice(0, model.indexOf("/")))];

/** OpenAI's format is spoken by many: only the address tells whose prices hold. */
function makerOf(steward: Steward, provider: string): string {
  const { kind: given = provider, baseUrl } = steward.settings.config().providers[provider] ?? {};
  const kind = String(given);
  if (kind !== "compatible" && kind !== "openai") return kind;
  const host = typeof baseUrl === "string" && URL.canParse(baseUrl) ? new URL(baseUrl).hostname : "api.openai.com";
  return HOSTS[host] ?? kind;
}

/** By its name, or by its name with a date. */
function listed(name: string): Price | undefined {
  if (Object.hasOwn(TABLE, name)) return TABLE[name];
  const family = Object.keys(TABLE).find((one) => name.startsWith(one) && STATE.test(name.slice(one.length)));
  return family === undefined ? undefined : TABLE[family];
}

const asked = (price: Price, input: number): Omit<Price, "long" | "search"> => (price.long && input > price.long.over ? price.long : price);
/** A million tokens for a dollar are a thousand nanodollars each. */
const whole = (sum: number): number => Math.ceil(sum * 1000 - 1e-6);

/** As tokens are, for a million of them. */
const searched = ({ search = 0 }: Price, searches: number): number => searches * search * 1000;

export function costOf(price: Price, { input, output, cached = 0, written = 0, searches = 0 }: Usage): number {
  const rate = asked(price, input);
  const plain = Math.max(0, input - cached - written);
  const read = plain * rate.input + cached * (rate.cached ?? rate.input) + written * (rate.written ?? rate.input);
  return whole(read + output * rate.output + searched(price, searches));
}

/** The most that a call of this size may cost. */
export function worstOf(price: Price, { input, output, searches = 0 }: Pick<Usage, "input" | "output" | "searches">): number {
  const rate = asked(price, input);
  return whole(input * Math.max(rate.input, rate.written ?? 0, rate.cached ?? 0) + output * rate.output + searched(price, searches));
}

/** Tokens of output that so much pays for beside that input. */
export function affords(price: Price, { input, searches = 0 }: Pick<Usage, "input" | "searches">, left: number): number {
  const { output } = asked(price, input);
  return output === 0 ? Infinity : Math.floor((left - worstOf(price, { input, output: 0, searches })) / (output * 1000));
}
