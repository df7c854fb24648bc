// Answers about what was used, from the sums; only the list of single calls reads rows.
import { everybody } from "../run/people.ts";
import { sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { dayKey, isUsed, monthKey, monthOf, type Row, rowKey, settleOld, type Sums } from "./ledger.ts";
import { dollars } from "./prices.ts";

export type By = "day" | "model" | "engine" | "person" | "session";
/** Tokens and US dollars. */
export interface Figures {
  requests: number;
  input: number;
  output: number;
  cached: number;
  thinking: number;
  cost: number;
  /** Calls of models whose price nobody knows: their real cost is not in `cost`. */
  unknown: number;
}
export interface Line extends Figures {
  key: string;
  /** For people, where it is another. */
  name?: string;
}
export interface Question {
  /** Absent: everybody together. */
  person?: string | undefined;
  /** "2026-11-01", both included. */
  from: string;
  to: string;
  by: By;
}

const NAMES = ["requests", "input", "output", "cached", "thinking", "cost", "unknown"] as const;

export function figuresOf(sums: Sums): Figures {
  const figures = Object.fromEntries(NAMES.map((name) => [name, sums[name] ?? 0])) as Record<(typeof NAMES)[number], number>;
  return { ...figures, cost: dollars(figures.cost) };
}

function plus(one: Sums, other: Sums): Sums {
  const sum = { ...one };
  for (const name of NAMES) sum[name] = (sum[name] ?? 0) + (other[name] ?? 0);
  return sum;
}

/** "2026-11" and so on, both included. */
export function monthsBetween(from: string, to: string): string[] {
  const months: string[] = [];
  for (let month = monthOf(from); month <= monthOf(to);) {
    months.push(month);
    const [year, number] = month.split("-").map(Number) as [number, number];
    month = number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, "0")}`;
  }
  return months;
}

interface Day {
  day: string;
  sums: Sums;
}

async function daysOf({ store }: Steward, { person, from, to }: Omit<Question, "by">): Promise<Day[]> {
  const root = dayKey(person, "");
  const found = await Promise.all(monthsBetween(from, to).map((month) => store.list(`${root}${month}-`)));
  return found.flat().flatMap(({ key, value }) => {
    const day = key.slice(root.length);
    return day.length === 10 && day >= from && day <= to && isUsed(value as Sums) ? [{ day, sums: value as Sums }] : [];
  });
}

/** Those with the greatest cost first, days in their order. */
export async function usage(steward: Steward, question: Question): Promise<{ total: Figures; rows: Line[] }> {
  const { person, by } = question;
  for (const id of person === undefined ? (await everybody(steward)).map((one) => one.id) : [person]) await settleOld(steward, id);
  const days = await daysOf(steward, question);
  const total = figuresOf(days.reduce<Sums>((sum, { sums }) => plus(sum, sums), {}));
  if (by === "day") return { total, rows: days.map(({ day, sums }) => ({ key: day, ...figuresOf(sums) })) };
  const groups =
    by === "person" ? await byPerson(steward, question, days) : by === "session" ? await bySession(steward, question) : byField(days, by);
  const rows = [...groups].map(([key, { sums, name }]): Line => ({ key, ...(name === undefined ? {} : { name }), ...figuresOf(sums) }));
  return { total, rows: rows.sort((a, b) => b.cost - a.cost || b.input + b.output - a.input - a.output || (a.key < b.key ? -1 : 1)) };
}

type Groups = Map<string, { sums: Sums; name?: string }>;

function byField(days: Day[], by: "model" | "engine"): Groups {
  const groups: Groups = new Map();
  for (const { sums } of days)
    for (const [field, value] of Object.entries(sums)) {
      if (!field.startsWith(`${by[0]}|`)) continue;
      const cut = field.lastIndexOf("|");
      const key = field.slice(2, cut);
      const name = field.slice(cut + 1);
      const group = groups.get(key) ?? { sums: {} };
      groups.set(key, group);
      group.sums[name] = (group.sums[name] ?? 0) + value;
    }
  return groups;
}

/** Those who were removed have no sums of their own left, but stand in those of everybody. */
async function byPerson(steward: Steward, question: Question, all: Day[]): Promise<Groups> {
  const groups: Groups = new Map();
  let rest = all.reduce<Sums>((sum, { sums }) => plus(sum, sums), {});
  for (const { id, name } of await everybody(steward)) {
    if (question.person !== undefined && question.person !== id) continue;
    const sums = (await daysOf(steward, { ...question, person: id })).reduce<Sums>((sum, day) => plus(sum, day.sums), {});
    if (!isUsed(sums)) continue;
    groups.set(id, { sums, name });
    rest = plus(rest, Object.fromEntries(NAMES.map((one) => [one, -(sums[one] ?? 0)])));
  }
  if (rest["requests"]! > 0 || rest["cost"]! > 0) groups.set("", { sums: rest, name: "people who were removed" });
  return groups;
}

async function bySession({ store }: Steward, { person = "", from, to }: Question): Promise<Groups> {
  const groups: Groups = new Map();
  const root = `p/${person}/usage/on/`;
  const found = await Promise.all(monthsBetween(from, to).map((month) => store.list(`${root}${month}-`)));
  for (const { key, value } of found.flat()) {
    const [day = "", session = ""] = key.slice(root.length).split("/");
    if (day < from || day > to) continue;
    groups.set(session, { sums: plus(groups.get(session)?.sums ?? {}, value as Sums) });
  }
  for (const [session, group] of groups) group.name = await titleOf(store, sessionKey(person, session));
  return groups;
}

async function titleOf(store: Steward["store"], key: string): Promise<string> {
  const doc = (await store.get(key)) as Partial<SessionDoc> | undefined;
  if (!doc?.id || doc.deletedAt) return "deleted session";
  return doc.title || doc.snippet || "untitled";
}

/** Everything that was ever used, from the sums of months. */
export async function everUsed({ store }: Steward, person: string | undefined): Promise<Figures> {
  const root = monthKey(person, "");
  const months = (await store.list(root)).filter(({ key }) => key.length === root.length + 7);
  return figuresOf(months.reduce<Sums>((sum, { value }) => plus(sum, value as Sums), {}));
}

/** Single calls, oldest first, one day at a time. */
export async function* rowsOf(steward: Steward, { person, from, to }: Omit<Question, "by">): AsyncGenerator<Row[]> {
  const people = person === undefined ? (await everybody(steward)).map(({ id }) => id) : [person];
  for (const { day } of await daysOf(steward, { person, from, to })) {
    const found = await Promise.all(people.map((one) => steward.store.list(rowKey(one, day, ""))));
    yield found
      .flat()
      .map(({ value }) => value as Row)
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }
}
