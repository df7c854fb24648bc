// The static page: exactly the files that were there, by an exact list; nothing of a URL ever becomes a path.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, resolve, sep } from "node:path";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};
const SCREENS = /^\/(?:claim|s\/[\w.:@-]{1,200})?$/;
/** The build names a page's own script so; its path is the name. */
const PAGE = /^\/assets\/page-([a-z-]+)-[\w-]{8}\.js$/;
const PACKED = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;
const NOT_BUILT =
  "Steward is running, but its page is not built yet.\nRun `npm run build` in Steward's folder, then load this again. `steward chat` works without it.\n";

interface Manifest {
  /** URL path to file. */
  files: Map<string, string>;
  /** URL paths of the pages beside the conversation. */
  pages: Set<string>;
  version: string;
}
const nothing = (version: string): Manifest => ({ files: new Map(), pages: new Set(), version });

/** Answers with a page's file, or undefined when the path is not one of its own. */
export type Pages = (request: Request) => Response | undefined;

export function openPages(given: string | undefined): Pages {
  const web = given && resolve(given);
  const state: { manifest: Manifest } = { manifest: web ? readManifest(web) : nothing("") };
  return (request) => {
    const path = request.url.replace(/^[^/]*\/\/[^/]*/, "").replace(/[?#].*$/s, "") || "/";
    const one = SCREENS.test(path) || /^\/[a-z-]{1,40}$/.test(path);
    if (one && web && versionOf(web) !== state.manifest.version) state.manifest = readManifest(web);
    const screen = SCREENS.test(path) || state.manifest.pages.has(path);
    const file = state.manifest.files.get(screen ? "/index.html" : path.replace(/^\/static\//, "/assets/"));
    if (file) return fileAnswer(request, file, state.manifest.files);
    return screen
      ? new Response(NOT_BUILT, { status: 404, headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" } })
      : undefined;
  };
}

function readManifest(web: string): Manifest {
  const version = versionOf(web);
  if (version === "") return nothing(version);
  const names = readdirSync(web, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}${sep}${entry.name}`);
  const files = new Map(names.map((name) => [name.slice(web.length).split(sep).join("/"), name]));
  const pages = [...files.keys()].flatMap((path) => PAGE.exec(path)?.[1] ?? []);
  return { version, files, pages: new Set(pages.map((name) => `/${name}`)) };
}

function versionOf(web: string): string {
  const found = statSync(join(web, "index.html"), { throwIfNoEntry: false });
  return found ? `${found.ino}:${found.size}:${found.mtimeMs}` : "";
}

function fileAnswer(request: Request, file: string, files: Manifest["files"]): Response {
  const hashed = /[/\\]assets[/\\][^/\\]*-[\w-]{6,}\.\w+$/.test(file);
  const offered = request.headers.get("accept-encoding") ?? "";
  const names = new Set(files.values());
  const packed = PACKED.find(([coding, end]) => new RegExp(`\\b${coding}\\b`).test(offered) && names.has(file + end));
  const bytes = readFileSync(packed ? file + packed[1] : file);
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  const headers = {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "cache-control": hashed ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
    vary: "Accept-Encoding",
    ...(packed ? { "content-encoding": packed[0] } : {}),
  };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  return new Response(request.method === "HEAD" ? null : new Uint8Array(bytes), { headers });
}
