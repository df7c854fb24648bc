// Signatures of webhooks, both ways: HMAC-SHA256 over the very bytes, in Steward's own form with the time in it, or in GitHub's.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export type Style = "steward" | "github";
export interface Signed {
  secret: string;
  style: Style;
}
/** `mark`: one for each message, however its signature is written. */
export type Verdict = { mark: string } | { wrong: string };

const OLD_SECONDS = 300;
const HEADER: Record<Style, string> = { steward: "x-steward-signature", github: "x-hub-signature-256" };
const UNSIGNED: Verdict = { wrong: "The signature is missing or not right" };

const digest = (secret: string, time: string | undefined, body: Uint8Array): Buffer =>
  createHmac("sha256", secret)
    .update(time === undefined ? "" : `${time}.`)
    .update(body)
    .digest();

/** `now`: epoch milliseconds. GitHub's form has no time in it: what has come once is known by its signature alone. */
export function verified(
  { secret, style }: Signed,
  { headers, body }: { headers: Readonly<Record<string, string>>; body: Uint8Array },
  now: number,
): Verdict {
  const given = headers[HEADER[style]] ?? "";
  const [, time, hex] = (style === "steward" ? /^t=([1-9]\d{0,11}),v1=([0-9a-f]{64})$/i : /^sha256=()([0-9a-f]{64})$/i).exec(given) ?? [];
  if (hex === undefined) return UNSIGNED;
  const shown = Buffer.from(hex, "hex");
  if (!timingSafeEqual(digest(secret, time || undefined, body), shown)) return UNSIGNED;
  if (time && Math.abs(now / 1000 - Number(time)) > OLD_SECONDS) return { wrong: "The message is more than five minutes old" };
  const mark = JSON.stringify([style, time ? Number(time) : null, shown.toString("base64url")]);
  return { mark: createHash("sha256").update(mark).digest("hex").slice(0, 40) };
}

/** The header that says it is ours. */
export function signature({ secret, style }: Signed, body: Uint8Array, now: number): Record<string, string> {
  const time = style === "steward" ? String(Math.floor(now / 1000)) : undefined;
  const hex = digest(secret, time, body).toString("hex");
  return { [HEADER[style]]: time === undefined ? `sha256=${hex}` : `t=${time},v1=${hex}` };
}
