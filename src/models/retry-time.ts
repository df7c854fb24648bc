// When an endpoint that refused may be asked again, from the headers of its answer.

/** Epoch milliseconds from retry-after (seconds or a date) or the reset headers of what is used up; at most 31 days ahead. */
export function retryTime(headers: Record<string, string>, now: number): number | undefined {
  const direct = [delay(headers["retry-after-ms"], 1), delay(headers["retry-after"], 1000)].find((ms) => ms !== undefined);
  const after = direct ?? date(headers["retry-after"], now);
  const resets = Object.entries(headers).flatMap(([name, value]) => {
    const kind = /^(?:x-ratelimit-reset(.*)|(?:x|anthropic)-ratelimit-(.+)-reset|ratelimit-reset(.*))$/.exec(name);
    if (kind === null || Number(remaining(headers, kind[1] ?? kind[2] ?? kind[3] ?? "")) > 0) return [];
    return reset(value, now) ?? [];
  });
  const wait = after ?? (resets.length > 0 ? Math.max(...resets) : undefined);
  return wait === undefined ? undefined : now + Math.min(Math.max(0, Math.round(wait)), 31 * 86_400_000);
}

const remaining = (headers: Record<string, string>, kind: string): string | undefined =>
  headers[`x-ratelimit-remaining${kind}`] ??
  headers[`anthropic-ratelimit-${kind}-remaining`] ??
  headers[`x-ratelimit-${kind}-remaining`] ??
  headers[`ratelimit-remaining${kind}`];

function delay(value: string | undefined, unit: number): number | undefined {
  return value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) * unit : undefined;
}
function date(value: string | undefined, now: number): number | undefined {
  const at = value === undefined || !/[a-z]{3}|\d{4}-\d\d/i.test(value) ? Number.NaN : Date.parse(value);
  return Number.isNaN(at) ? undefined : at - now;
}
/** "6m0s", "20ms", seconds from now, epoch seconds or milliseconds, or a date. Milliseconds from now. */
function reset(value: string, now: number): number | undefined {
  const number = delay(value, 1);
  if (number !== undefined) return number > 1e12 ? number - now : number > 1e9 ? number * 1000 - now : number * 1000;
  if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value))
    return [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)].reduce(
      (sum, [, count, unit]) => sum + Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s"],
      0,
    );
  return date(value, now);
}
