// Where the outbound clients may go besides public addresses: what the configuration and the environment name.
import type { Fetch } from "./core/ports.ts";
import { outbound } from "./run/outbound.ts";
import type { Settings } from "./run/settings.ts";
import type { Log } from "./std/log.ts";

/** Public addresses, and the private origins that the owner has listed. */
export function toolFetch(settings: Settings, log: Log): Fetch {
  return publicAnd((origin) => settings.config().outbound.allow.includes(origin), log);
}

/** Public addresses, and these origins. */
export function publicAnd(listed: (origin: string) => boolean, log: Log): Fetch {
  const [open, own] = [outbound({ log }), outbound({ log, allow: listed })];
  return (url, init) => (listed(new URL(url instanceof Request ? url.url : url).origin) ? own : open)(url, init);
}

/** Once more over a new connection when a kept one was closed by the other side just as the request set out: nothing of it was answered, and it says nothing about the endpoint. */
export function onceMore(fetch: Fetch): Fetch {
  return async (url, init) => {
    try {
      return await fetch(url, init);
    } catch (error) {
      const whole = init?.body === undefined || init.body === null || typeof init.body === "string";
      if (!whole || init?.signal?.aborted || !wasClosed(error)) throw error;
      return fetch(url, init);
    }
  };
}

function wasClosed(error: unknown): boolean {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++)
    if ((inner as { code?: unknown }).code === "UND_ERR_SOCKET" && /other side closed/.test(inner.message)) return true;
  return false;
}

/** Exact origins of model endpoints: those in the configuration, the documented ones, and Ollama's. */
export function configuredOrigins(
  providers: Record<string, Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Set<string> {
  const urls = [
    ...Object.values(providers).map(({ baseUrl }) => baseUrl),
    ollamaUrl(env.OLLAMA_HOST),
    "http://127.0.0.1:11434",
    "http://localhost:11434",
    "https://kimi.com",
    "https://api.moonshot.ai",
    "https://api.anthropic.com",
    "https://api.openai.com",
  ];
  return new Set(urls.flatMap((url) => (typeof url === "string" && URL.canParse(url) ? [new URL(url).origin] : [])));
}

/** OLLAMA_HOST may leave out the scheme and the port. */
function ollamaUrl(host = ""): string | undefined {
  if (host.includes("://")) return host;
  return host === "" ? undefined : `http://${host}${/:\d+$/.test(host) ? "" : ":11434"}`;
}
