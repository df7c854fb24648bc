// Several parts of a commit as one.
import type { Commit } from "../core/store.ts";

export function joined(...parts: Commit[]): Commit {
  const whole: Commit = {};
  for (const { events, jobs, drop, erase, put, merge, add, lease, once } of parts) {
    if (events) whole.events = [...(whole.events ?? []), ...events];
    if (jobs) whole.jobs = [...(whole.jobs ?? []), ...jobs];
    if (drop) whole.drop = [...(whole.drop ?? []), ...drop];
    if (erase) whole.erase = [...(whole.erase ?? []), ...erase];
    if (put) whole.put = { ...whole.put, ...put };
    if (merge) whole.merge = deep(whole.merge, merge);
    if (add) whole.add = deep(whole.add, add);
    if (lease) whole.lease = lease;
    if (once !== undefined) whole.once = once;
  }
  return whole;
}

function deep<T>(one: Record<string, Record<string, T>> = {}, other: Record<string, Record<string, T>>): Record<string, Record<string, T>> {
  const whole = { ...one };
  for (const [key, fields] of Object.entries(other)) whole[key] = { ...whole[key], ...fields };
  return whole;
}
