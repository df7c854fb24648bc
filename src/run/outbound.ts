// The one outbound HTTP client: where a request may go is decided here and nowhere else. Knows nothing about who asks or why.
import { lookup as systemLookup } from "node:dns/promises";
import { createConnection, type LookupFunction } from "node:net";
import type * as Undici from "undici";
import type { Fetch } from "../core/ports.ts";
import { messageOf, StewardError } from "../std/error.ts";
import type { Log } from "../std/log.ts";
import { bytes } from "../std/text.ts";
import { isLoopback, isPublic, literal } from "./addresses.ts";

export interface OutboundOptions {
  /** Exact origins that may be reached, private and loopback addresses included. Absent: any public address and nothing else. */
  allow?(origin: string): boolean;
  log: Log;
  /** Bytes of a response, after decompression. Default 20 MB; 200 MB with `allow`. */
  maxBytes?: number;
  /** From the call to the last byte. Default one minute; none with `allow`, where the first byte and each pause have `idleMs`. */
  totalMs?: number;
  /** Default five minutes. */
  idleMs?: number;
  connectMs?: number;
  /** All addresses of a host name. Default: the system's resolver. */
  resolve?(host: string): Promise<{ address: string; family: number }[]>;
}
/** Refusals are `denied`, sizes `limit`, everything that the network does `unavailable`; an abort throws the signal's reason. */
export type Outbound = Fetch & { close(): Promise<void> };

const CLOSING_MS = 4000;

type Client = Pick<typeof Undici, "fetch" | "Response" | "FormData">;
interface Call {
  url: URL;
  method: string;
  headers: Headers;
  body: unknown;
}

export function outbound(options: OutboundOptions): Outbound {
  const total = options.totalMs ?? (options.allow === undefined ? 60_000 : undefined);
  let opened: Promise<{ undici: Client; agent: Undici.Agent }> | undefined;
  const open = (): Promise<{ undici: Client; agent: Undici.Agent }> => (opened ??= connectWith(options));

  const run: Fetch = async (input, init = {}) => {
    const given =
      input instanceof Request ? { method: input.method, headers: input.headers, body: input.body, signal: input.signal, ...init } : init;
    const signals = [given.signal, total === undefined ? undefined : AbortSignal.timeout(total)].filter(
      (signal) => signal instanceof AbortSignal,
    );
    const signal = signals.length === 0 ? undefined : AbortSignal.any(signals);
    let call = firstCall(input instanceof Request ? input.url : input, given);
    try {
      for (let hops = 0; ; hops++) {
        refuse(call, options);
        const { undici, agent } = await open();
        const response = await send(undici, agent, { call, signal });
        options.log("debug", "outbound request", { method: call.method, origin: call.url.origin, status: response.status });
        const next = given.redirect === "manual" ? undefined : redirect(call, response);
        if (next === undefined)
          return limited(undici, response, {
            url: call.url,
            hops,
            max: options.maxBytes ?? (options.allow ? 200e6 : 20e6),
            explain: (error) => explain(error, { call, given, total }),
          });
        await response.body?.cancel();
        if (hops === 5) throw new StewardError("unavailable", `${call.url.origin} redirects too often.`);
        call = next;
      }
    } catch (error) {
      const reason = explain(error, { call, given, total });
      if (reason instanceof StewardError && reason.code === "denied")
        options.log("warning", "outbound request refused", { origin: call.url.origin, reason: reason.message });
      throw reason;
    }
  };
  const close = async (): Promise<void> => {
    if (opened !== undefined) await (await opened).agent.destroy();
    opened = undefined;
  };
  return Object.assign(run, { close });
}

async function connectWith(options: OutboundOptions): Promise<{ undici: Client; agent: Undici.Agent }> {
  const [{ default: Agent }, { default: fetch }, { default: response }, { default: form }] = await Promise.all([
    import("undici/lib/dispatcher/agent.js"),
    import("undici/lib/web/fetch/index.js"),
    import("undici/lib/web/fetch/response.js"),
    import("undici/lib/web/fetch/formdata.js"),
  ]);
  const undici: Client = { fetch: fetch.fetch, Response: response.Response, FormData: form.FormData };
  const { idleMs = 300_000, connectMs = 10_000 } = options;
  const agent = new Agent({
    connect: { lookup: checkedLookup(options), timeout: connectMs },
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    // A connection that its server is about to close is not used again: a request that meets the close may or may not have arrived.
    keepAliveTimeoutThreshold: CLOSING_MS,
    allowH2: false,
  });
  return { undici, agent };
}

/** Resolves once and hands over just the addresses that were checked, so that no second answer can differ. */
function checkedLookup({ allow, resolve = (host) => systemLookup(host, { all: true }) }: OutboundOptions): LookupFunction {
  return (host, { all }, done) => {
    const give = async (): Promise<void> => {
      const found = await resolve(host);
      const wrong = allow === undefined ? found.find(({ address }) => !isPublic(address)) : undefined;
      if (wrong !== undefined) throw privateAddress(`${host} (${wrong.address})`);
      const [first] = found;
      if (first === undefined) throw new Error(`${host} has no address`);
      if (all === true) done(null, found);
      else done(null, first.address, first.family);
    };
    give().catch((error: unknown) => done(error as NodeJS.ErrnoException, "", 0));
  };
}

const privateAddress = (what: string): StewardError =>
  new StewardError("denied", `${what} is not a public address, so it is not requested.`, {
    hint: "Only public internet addresses can be fetched.",
  });

function firstCall(input: string | URL, init: RequestInit): Call {
  return { url: parse(String(input)), method: (init.method ?? "GET").toUpperCase(), headers: new Headers(init.headers), body: init.body };
}

/** A host written as a number in disguise (`0x7f.1`, `2130706433`) is refused wherever it leads. */
function parse(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null)
    throw new StewardError("invalid", `${JSON.stringify(text.slice(0, 200))} is not a web address.`, {
      hint: "It should begin with https://.",
    });
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new StewardError("denied", `${url.protocol} addresses are not requested.`, { hint: "Only https and http are." });
  if (url.username !== "" || url.password !== "")
    throw new StewardError("denied", "An address with a user name or password in it is not requested.");
  const written = /^\s*[a-z][a-z0-9+.-]*:[\\/]*([^\\/?#:]+)/i.exec(text)?.[1];
  const spelled = literal(url.hostname);
  if (spelled !== undefined && !url.hostname.startsWith("[") && written !== undefined && written !== url.hostname)
    throw privateAddress(written);
  return url;
}

const secretHeader = /auth|cookie|token|secret|(^|-)key$/i;

function refuse({ url, headers }: Call, { allow }: OutboundOptions): void {
  if (allow !== undefined && !allow(url.origin))
    throw new StewardError("denied", `${url.origin} is not a configured address.`, {
      hint: "Add it to the settings if Steward should reach it.",
    });
  const address = literal(url.hostname);
  if (allow === undefined && address !== undefined && !isPublic(address)) throw privateAddress(url.hostname);
  if (url.protocol === "http:" && !isLoopback(url.hostname) && [...headers.keys()].some((name) => secretHeader.test(name)))
    throw new StewardError("denied", `A key would travel unencrypted to ${url.origin}.`, {
      hint: "Use https, or an address on this machine.",
    });
}

async function send(
  undici: Client,
  agent: Undici.Agent,
  { call, signal }: { call: Call; signal: AbortSignal | undefined },
): Promise<Undici.Response> {
  const headers: Record<string, string> = { "user-agent": "Steward", ...Object.fromEntries(call.headers) };
  const body = call.body instanceof FormData ? ownForm(undici, call.body) : call.body;
  return await undici.fetch(call.url, {
    method: call.method,
    headers,
    body: body as Undici.BodyInit,
    redirect: "manual",
    dispatcher: agent,
    duplex: "half",
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The platform's FormData is another class than this client's. */
function ownForm(undici: Client, form: FormData): Undici.FormData {
  const own = new undici.FormData();
  for (const [name, value] of form) own.append(name, value);
  return own;
}

/** The call that a redirect asks for; another scheme, host or port gets neither credentials nor body. */
function redirect(call: Call, response: Undici.Response): Call | undefined {
  const to = response.headers.get("location");
  if (![301, 302, 303, 307, 308].includes(response.status) || to === null) return undefined;
  const url = parse(to, call.url);
  const same = url.origin === call.url.origin;
  const turnsToGet = response.status === 303 ? call.method !== "HEAD" : response.status < 303 && call.method === "POST";
  const keepsBody = same && !turnsToGet;
  if (keepsBody && call.body instanceof ReadableStream)
    throw new StewardError("unavailable", `${call.url.origin} redirects a request whose body was already sent.`);
  const headers = new Headers(
    [...call.headers].filter(
      ([name]) => (same || /^(accept|accept-language|user-agent)$/.test(name)) && (keepsBody || !name.startsWith("content-")),
    ),
  );
  return { url, method: keepsBody || call.method === "HEAD" ? call.method : "GET", headers, body: keepsBody ? call.body : undefined };
}

interface Limits {
  url: URL;
  hops: number;
  max: number;
  explain(error: unknown): unknown;
}

async function limited(undici: Client, response: Undici.Response, { url, hops, max, explain: reason }: Limits): Promise<Response> {
  const tooLarge = (): StewardError => new StewardError("limit", `The answer of ${url.origin} is larger than ${bytes(max)}.`);
  if (Number(response.headers.get("content-length") ?? 0) > max) {
    await response.body?.cancel();
    throw tooLarge();
  }
  const reader = response.body?.getReader();
  let size = 0;
  const body =
    reader &&
    new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            if (done) return controller.close();
            size += value.byteLength;
            if (size > max) throw tooLarge();
            controller.enqueue(value);
          } catch (error) {
            controller.error(reason(error));
            await reader.cancel().catch(() => undefined);
          }
        },
        cancel: (why) => reader.cancel(why),
      },
      { highWaterMark: 0 },
    );
  const { status, statusText, headers } = response;
  const own = new undici.Response(body ?? null, { status, statusText, headers });
  Object.defineProperties(own, { url: { value: url.href }, redirected: { value: hops > 0 } });
  return own as unknown as Response;
}

/** The innermost cause that says something, as an error that people can read. */
function explain(error: unknown, { call, given, total }: { call: Call; given: RequestInit; total: number | undefined }): unknown {
  if (given.signal?.aborted === true) return given.signal.reason;
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++)
    if (inner instanceof StewardError) return inner;
  const root = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = String((root as { code?: unknown }).code);
  const late = code.includes("TIMEOUT") || (error instanceof Error && error.name === "TimeoutError");
  const why = late
    ? `did not answer in time${total === undefined ? "" : ` (${total / 1000} s)`}`
    : (plain[code] ?? `could not be reached: ${messageOf(root)}`);
  return new StewardError("unavailable", `${call.url.origin} ${why}.`, {
    hint: "Check that the address is right and that it is running.",
    cause: error,
  });
}

const plain: Record<string, string | undefined> = {
  ECONNREFUSED: "refused the connection",
  ENOTFOUND: "is not known by this network's name service",
  EAI_AGAIN: "could not be looked up: this machine seems to be offline",
  ECONNRESET: "broke the connection off",
  UND_ERR_SOCKET: "broke the connection off",
  EHOSTUNREACH: "cannot be reached from this network",
  ENETUNREACH: "cannot be reached from this network",
};

/** Whether anything listens at this port of this machine, within half a second. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "localhost", timeout: 500 });
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}
