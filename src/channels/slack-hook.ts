// Events by HTTP: Slack calls /hooks/<name>. Each call is believed only by its signature over the very bytes, and once.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { HookAnswer, HookRequest } from "../core/channel.ts";
import { hasCode, messageOf } from "../std/error.ts";
import { counter } from "./bounds.ts";
import { take, type Told } from "./slack-reading.ts";
import type { EventBody, Interaction, Line, SlashCommand } from "./slack-wire.ts";

const OLD_SECONDS = 300;
const MOST_SEEN = 20_000;
const MOST_WRONG = 30;

/** The signature's bytes, undefined when it is none of Slack's over these bytes and near this time. */
export function signatureOf({ headers, body }: HookRequest, secret: string, now: number): Buffer | undefined {
  const at = headers["x-slack-request-timestamp"] ?? "";
  const given = /^v0=([0-9a-f]{64})$/i.exec(headers["x-slack-signature"] ?? "")?.[1];
  if (given === undefined || !/^\d{1,12}$/.test(at) || Math.abs(now / 1000 - Number(at)) > OLD_SECONDS) return undefined;
  const right = createHmac("sha256", secret).update(`v0:${at}:`).update(body).digest();
  const shown = Buffer.from(given, "hex");
  return timingSafeEqual(right, shown) ? shown : undefined;
}

export function listen(line: Line, secret: string): void {
  const { host } = line;
  const first = onceEach(host.now);
  const wrong = counter(host.now, MOST_WRONG);
  host.hook(async (request) => {
    if (request.method !== "POST") return { status: 405 };
    const signature = signatureOf(request, secret, host.now());
    if (!signature) return { status: wrong(request.peer) === undefined ? 401 : 429 };
    const mark = signature.toString("hex");
    if (!first.begin(mark)) return { status: 409 };
    try {
      return await taken(line, request);
    } catch (error) {
      first.forget(mark);
      host.log("warning", "Something of Slack's was not taken; it comes again", { error: messageOf(error) });
      return { status: hasCode(error, "unavailable") ? 503 : 500 };
    }
  });
}

/** Remembers for longer than any signature is believed. */
function onceEach(now: () => number): { begin(mark: string): boolean; forget(mark: string): void } {
  const seen = new Map<string, number>();
  return {
    begin(mark) {
      for (const [one, until] of seen) {
        if (until > now() && seen.size < MOST_SEEN) break;
        seen.delete(one);
      }
      if (seen.has(mark)) return false;
      seen.set(mark, now() + 2 * OLD_SECONDS * 1000);
      return true;
    },
    forget: (mark) => void seen.delete(mark),
  };
}

async function taken(line: Line, request: HookRequest): Promise<HookAnswer> {
  const text = new TextDecoder().decode(request.body);
  const told = read(text, request.headers["content-type"] ?? "");
  if (!told) return { status: 400 };
  if (told.kind === "event" && told.body.type === "url_verification")
    return { status: 200, headers: { "content-type": "text/plain" }, body: told.body.challenge ?? "" };
  await take(line, told);
  return { status: 200 };
}

function read(text: string, type: string): Told | undefined {
  try {
    if (!type.startsWith("application/x-www-form-urlencoded")) return { kind: "event", body: JSON.parse(text) as EventBody };
    const form = new URLSearchParams(text);
    const payload = form.get("payload");
    if (payload !== null) return { kind: "interaction", body: JSON.parse(payload) as Interaction };
    return { kind: "command", body: Object.fromEntries(form) as SlashCommand };
  } catch {
    return undefined;
  }
}
