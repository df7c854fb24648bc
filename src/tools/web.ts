// Fetches one page as text, through the one outbound client, which decides what may be reached. Browsing is another tool's.
import * as z from "zod/mini";
import type { Fetch, Tool } from "../core/ports.ts";
import { StewardError, messageOf } from "../std/error.ts";
import { clip, oneLine, visible } from "../std/text.ts";
import { plainHost, webAddress } from "../std/web-address.ts";
import { pageText } from "./page.ts";

const MOST_BYTES = 5 * 1024 * 1024;
const MOST_TEXT = 20_000;
const TIMEOUT_MS = 20_000;
const MOST_REDIRECTS = 5;

const input = z.object({ url: z.string() });
const fetchPage: Tool<z.infer<typeof input>> = {
  name: "fetch_page",
  description: "Fetch a web page as text with its links.",
  capability: "none",
  effect: "read",
  input,
  async run({ url }, { fetch, signal }) {
    const address = addressOf(url);
    const late = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await request(fetch, address, AbortSignal.any([signal, late]));
      return await read(response, address);
    } catch (error) {
      if (late.aborted && !signal.aborted)
        throw new StewardError("unavailable", `${address.host} did not answer within ${TIMEOUT_MS / 1000} seconds`);
      if (error instanceof StewardError || signal.aborted) throw error;
      throw new StewardError("unavailable", `${address.host} can't be reached: ${reason(error)}`, { cause: error });
    }
  },
};

const reason = (error: unknown): string =>
  (error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : "") || messageOf(error);

/** Follows redirects as long as they stay on the host; another host is another question, which the gate has to see first. */
async function request(fetch: Fetch, address: URL, signal: AbortSignal): Promise<Response> {
  let at = address;
  for (let hops = 0; ; hops++) {
    const response = await fetch(at.href, {
      signal,
      redirect: "manual",
      headers: { accept: "text/html, text/*;q=0.9, application/json;q=0.9, application/xml;q=0.8" },
    });
    const to = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get("location") : null;
    const next = to === null ? URL.parse(response.url || at.href) : URL.parse(to, at);
    if (to !== null || (next && !sameHost(next, address))) await response.body?.cancel();
    if (!next) throw new StewardError("unavailable", `${at.host} redirects to what is not an address`);
    if (!sameHost(next, address))
      throw new StewardError("conflict", `${address.host} redirects to ${oneLine(visible(next.href), 2000)}`, {
        hint: "That is another site: fetch its address if it is wanted.",
      });
    if (to === null) return response;
    if (hops === MOST_REDIRECTS) throw new StewardError("unavailable", `${address.host} redirects too often`);
    at = addressOf(next.href);
  }
}

const sameHost = (one: URL, other: URL): boolean => siteOf(one) === siteOf(other);
/** `www.` in front is the same site: whoever holds the name holds both. */
const siteOf = ({ hostname }: URL): string => plainHost(hostname).replace(/^www\./, "");

function addressOf(text: string): URL {
  const url = webAddress(text);
  if (!url) throw new StewardError("invalid", `Not a web address: ${oneLine(visible(text.trim()), 200)}`);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new StewardError("invalid", `Only http and https addresses can be fetched, not ${url.protocol}`);
  if (url.username || url.password) throw new StewardError("invalid", "An address with a user name or password in it can't be fetched");
  return url;
}

async function read(response: Response, asked: URL): Promise<{ output: unknown; error?: string }> {
  const url = response.url || asked.href;
  const type = (response.headers.get("content-type") ?? "text/plain").toLowerCase();
  const kind = type.split(";")[0]!.trim();
  if (!/^(?:text\/.+|application\/(?:.+\+)?(?:json|xml)|application\/xhtml\+xml)$/.test(kind)) {
    await response.body?.cancel();
    throw new StewardError("invalid", `${url} is not text: ${oneLine(visible(kind), 100)}`);
  }
  const { bytes, cut } = await firstBytes(response);
  const source = textOf(bytes, type);
  const { title, text } = /html/.test(kind) ? await pageText(source, url) : { title: "", text: source };
  const note = cut ? `\n… (only the first ${MOST_BYTES / 1024 / 1024} MB were read)` : "";
  const output = { url, title: oneLine(visible(title), 300), text: `${clip(visible(text), MOST_TEXT)}${note}` };
  return response.ok
    ? { output }
    : { output, error: `The page answered ${response.status}${response.statusText ? ` ${visible(response.statusText)}` : ""}` };
}

/** Stops reading at the limit, whatever length was announced. */
async function firstBytes(response: Response): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const all = new Uint8Array(MOST_BYTES);
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const fits = chunk.subarray(0, MOST_BYTES - size);
    all.set(fits, size);
    size += fits.length;
    if (fits.length < chunk.length) return { bytes: all, cut: true };
  }
  return { bytes: all.subarray(0, size), cut: false };
}

/** By the charset of the header, else the one the page names in its first 2,048 bytes, else UTF-8. */
function textOf(bytes: Uint8Array, type: string): string {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 2048));
  const label =
    /charset\s*=\s*["']?([\w.:-]+)/i.exec(type)?.[1] ?? /<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)/i.exec(head)?.[1] ?? "utf-8";
  return decoderFor(label).decode(bytes);
}

function decoderFor(label: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}

export default [fetchPage] as Tool[];
