// Builds dist/: the server as one bundle with lazy chunks, each adapter as its own entry, and the page. No type checking here.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import type { InputOptions, OutputChunk, OutputOptions, Plugin, RolldownOutput } from "rolldown";
import { adapterFolders, isAdapter } from "../src/kinds/load.ts";
import { messageOf } from "../src/std/error.ts";
import { declarations } from "./declarations.ts";
import { light, oneByte } from "./light.ts";

const root = dirname(import.meta.dirname);
const src = join(root, "src");
const dist = join(root, "dist");
/** Native or optional: stay in node_modules, loaded by name at run time. */
const outside = [
  /^@napi-rs\/keyring/,
  /^pg-native$/,
  /^node-(linux|darwin|bin)-/,
  /^(rolldown|playwright-core|chromium-bidi|zlib-sync|cloudflare:)/,
];

/** What runs first: the compile cache has to be on before the rest is read. */
const first = `// Turns on the compile cache, then runs Steward. Made by scripts/build.ts.
import { enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";
enableCompileCache(join(import.meta.dirname, "cache"));
setTimeout(flushCompileCache, 3000).unref();
await import("./steward.js");
`;

interface Output {
  /** Path below dist/. */
  path: string;
  data: string | Uint8Array;
}

async function bundle(input: InputOptions, output: OutputOptions): Promise<RolldownOutput> {
  await using build = await rolldown({ ...input, cwd: root, logLevel: "warn" });
  return await build.generate({ format: "esm", ...output });
}

const outputs = (result: RolldownOutput, folder: string): Output[] =>
  result.output.map((file) => ({ path: join(folder, file.fileName), data: file.type === "chunk" ? file.code : file.source }));

/** Each with its compressed forms beside it, as the gateway serves them. */
const compressed = (files: Output[]): Output[] =>
  files.flatMap(({ path, data }) => [
    { path, data },
    { path: `${path}.br`, data: brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }) },
    { path: `${path}.gz`, data: gzipSync(data, { level: 9 }) },
  ]);

function adapters(): Record<string, string> {
  const entries: Record<string, string> = {};
  for (const kind of adapterFolders)
    if (existsSync(join(src, kind)))
      for (const file of readdirSync(join(src, kind)))
        if (isAdapter(join(src, kind, file))) entries[`${kind}/${file.slice(0, -extname(file).length)}`] = join(src, kind, file);
  return entries;
}

const entry = (name: string, file: string): Record<string, string> => (existsSync(file) ? { [name]: file } : {});

async function server(): Promise<Output[]> {
  const main = join(src, "main.ts");
  if (!existsSync(main)) {
    console.log("server: no src/main.ts yet, left out");
    return [];
  }
  const result = await bundle(
    {
      input: { steward: main, ...entry("embed", join(src, "embed.ts")), ...adapters() },
      tsconfig: false,
      platform: "node",
      external: outside,
      plugins: [light],
      transform: { target: "node24" },
    },
    { entryFileNames: "[name].js", chunkFileNames: "chunks/[name]-[hash].js", minify: { compress: true, mangle: false, codegen: true } },
  );
  const programs = filesUnder(join(src, "computers")).filter((file) => extname(file) === ".py");
  return [
    ...outputs(result, "").map(({ path, data }) => ({ path, data: typeof data === "string" ? oneByte(data) : data })),
    ...programs.map((file) => ({ path: relative(src, file), data: readFileSync(file) })),
    { path: "main.js", data: first },
  ];
}

/** `steward/client` is one file that also runs in browsers; its types and those of `steward/embed` lie in types/. */
async function library(): Promise<Output[]> {
  const input = entry("client", join(src, "client", "entry.ts"));
  if (input["client"] === undefined) return [];
  const result = await bundle(
    { input, tsconfig: false, platform: "neutral", external: /^node:/, transform: { target: "es2023" } },
    { entryFileNames: "[name].js", minify: { compress: true, mangle: false, codegen: true } },
  );
  const types = declarations(src, ["client/entry.ts", "embed.ts"]);
  return [...outputs(result, ""), ...types.map(({ path, text }) => ({ path: join("types", path), data: text }))];
}

const filesUnder = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [])
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** The styles of a page that is loaded when it is wanted come with it, as text; all others are joined by path order. */
const ownStyle = /[/\\](web[/\\](?:pages|lazy|plain)|node_modules)[/\\].*\.css$/;
const tight = (css: string): string =>
  css
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,]) ?/g, "$1")
    .replaceAll(";}", "}");
const styles: Plugin = {
  name: "styles",
  load: {
    filter: { id: ownStyle },
    handler: (id) => ({ code: `export default ${JSON.stringify(tight(readFileSync(id, "utf8")))}`, moduleType: "js" }),
  },
};

/** xterm.js styles itself in the markup, which the page's policy refuses; the same by script is allowed. */
const xterm: Plugin = {
  name: "xterm",
  transform: {
    filter: { id: /[/\\]@xterm[/\\]xterm[/\\]lib[/\\]xterm\.mjs$/ },
    handler(code) {
      const sheets = code.replace(/[\w.]+\.createElement\("style"\)/g, "sheetElement()");
      const done = sheets.replace(/(\w+)\.setAttribute\("style",(`[^`]*`(?:\}[^`]*`)*)\)/g, "($1.style.cssText=$2)");
      if (sheets === code || done === sheets || /setAttribute\("style"/.test(done))
        throw new Error("xterm.js has changed how it styles itself");
      return { code: `import { sheetElement } from ${JSON.stringify(join(src, "web", "sheet.ts"))};\n${done}` };
    },
  },
};

const pagePath = /[/\\]web[/\\]pages[/\\]([a-z-]+)\.tsx$/;

/** Adding a page is adding its file: the table in src/web/pages.ts is filled with what each says of itself. The conversation is no such page. */
const table: Plugin = {
  name: "pages",
  load: {
    filter: { id: /[/\\]web[/\\]pages\.ts$/ },
    handler(id) {
      const entries = filesUnder(id.replace(/\.ts$/, "")).flatMap((file) => {
        const name = pagePath.exec(file)?.[1];
        if (name === undefined || name === "chat") return [];
        const text = readFileSync(file, "utf8");
        const said = (what: string): string => {
          const value = new RegExp(`^export const ${what}(?:: IconName)? = ("[^"\\n]+");$`, "m").exec(text)?.[1];
          if (value === undefined) throw new Error(`${file} must have a line: export const ${what} = "…";`);
          return value;
        };
        return `{ name: "${name}", title: ${said("title")}, icon: ${said("icon")}, load: () => import("./pages/${name}.tsx") }`;
      });
      const code = readFileSync(id, "utf8");
      const filled = code.replace("PageEntry[] = [];", `PageEntry[] = [${entries.join(",")}];`);
      if (filled === code) throw new Error(`${id} must hold the empty table`);
      return { code: filled, moduleType: "ts" };
    },
  },
};

async function page(): Promise<Output[]> {
  const folder = join(src, "web");
  const main = join(folder, "main.tsx");
  if (!existsSync(main) || !existsSync(join(folder, "index.html"))) {
    console.log("page: no src/web/main.tsx and index.html yet, left out");
    return [];
  }
  const result = await bundle(
    {
      input: { main },
      tsconfig: false,
      platform: "browser",
      plugins: [styles, xterm, table],
      transform: {
        target: "es2023",
        jsx: { runtime: "automatic", importSource: "preact" },
        define: { "process.env.NODE_ENV": '"production"' },
      },
    },
    {
      entryFileNames: "assets/[name]-[hash].js",
      // By these names the gateway knows which paths are pages.
      chunkFileNames: ({ facadeModuleId }) => `assets/${pagePath.test(facadeModuleId ?? "") ? "page-" : ""}[name]-[hash].js`,
      minify: true,
    },
  );
  const files = filesUnder(folder).filter((file) => !file.startsWith(join(folder, "plain")));
  const css = files
    .filter((file) => file.endsWith(".css") && !ownStyle.test(file))
    .map((file) => tight(readFileSync(file, "utf8")))
    .join("");
  const style = hashed(css);
  const assets = files.filter((file) => /\.(svg|png|ico|webp|woff2|webmanifest|txt)$/.test(file));
  return [
    ...compressed([...outputs(result, "web"), { path: join("web", style), data: css }]),
    ...assets.map((file) => ({ path: join("web", relative(folder, file)), data: readFileSync(file) })),
    { path: "web/index.html", data: html(readFileSync(join(folder, "index.html"), "utf8"), result, style) },
  ];
}

const hashed = (css: string): string => `assets/style-${createHash("sha256").update(css).digest("base64url").slice(0, 8)}.css`;

/** The plain page has a listener, so a folder, of its own. */
async function plainPage(): Promise<Output[]> {
  const folder = join(src, "web", "plain");
  if (!existsSync(folder)) return [];
  const result = await bundle(
    { input: { main: join(folder, "main.ts") }, tsconfig: false, platform: "browser", transform: { target: "es2023" } },
    { entryFileNames: "assets/[name]-[hash].js", minify: true },
  );
  const css = tight(readFileSync(join(folder, "plain.css"), "utf8"));
  const style = hashed(css);
  return [
    ...compressed([...outputs(result, "plain"), { path: join("plain", style), data: css }]),
    { path: "plain/chat.html", data: readFileSync(join(folder, "chat.html")) },
    { path: "plain/icon.svg", data: readFileSync(join(src, "web", "icon.svg")) },
    { path: "plain/index.html", data: html(readFileSync(join(folder, "index.html"), "utf8"), result, style) },
  ];
}

/** index.html names its main script and one style sheet; both get their built names, and what main needs at once is preloaded. */
function html(text: string, result: RolldownOutput, style: string): string {
  const entry = result.output.find((file): file is OutputChunk => file.type === "chunk" && file.isEntry);
  if (entry === undefined) throw new Error("the page has no entry chunk");
  const head = [
    `<link rel="stylesheet" href="/${style}">`,
    ...entry.imports.map((file) => `<link rel="modulepreload" href="/${file}">`),
  ].join("\n    ");
  const named = text
    .replace(/(src=")[^"]*main\.tsx?(")/, `$1/${entry.fileName}$2`)
    .replace(/[ \t]*<link[^>]*rel="stylesheet"[^>]*>\n?/g, "");
  if (named === text && !named.includes(entry.fileName))
    throw new Error('src/web/index.html must hold <script type="module" src="main.tsx">');
  return named.replace("</head>", `  ${head}\n  </head>`);
}

/** Whole or not at all: a running Steward may be reading the file. */
function put(file: Output): void {
  const path = join(dist, file.path);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, file.data);
  renameSync(`${path}.new`, path);
}

/** Files of this build and of the one before stay: a running Steward still loads its own lazy chunks. */
function write(files: Output[], began: Date): void {
  const stamp = join(dist, ".built");
  const before = existsSync(stamp) ? readFileSync(stamp, "utf8").split("\n") : [];
  const entryLast = (file: Output): number => (file.path === "main.js" ? 2 : file.path.includes("-") ? 0 : 1);
  for (const file of files.toSorted((a, b) => entryLast(a) - entryLast(b))) put(file);
  const keep = new Set([...files.map((file) => file.path), ...before.filter((path) => /^(chunks|web\/assets|plain\/assets)\//.test(path))]);
  for (const path of filesUnder(dist).map((file) => relative(dist, file)))
    if (!keep.has(path) && /^(chunks|web|[a-z]+)\/|^steward\.js$/.test(path) && !path.startsWith("cache/")) rmSync(join(dist, path));
  rmSync(join(dist, "cache"), { recursive: true, force: true });
  put({ path: ".built", data: files.map((file) => file.path).join("\n") });
  utimesSync(stamp, began, began);
}

const kilobytes = (size: number): string => `${(size / 1000).toFixed(0)} KB`;

function report(files: Output[]): void {
  const size = (list: Output[]): number => list.reduce((sum, file) => sum + statSync(join(dist, file.path)).size, 0);
  const rest = files.filter((file) => !/^(web|plain)\//.test(file.path));
  if (rest.length > 0) console.log(`server: ${rest.length} files, ${kilobytes(size(rest))}`);
  for (const name of ["web", "plain"]) {
    const all = files.filter((file) => file.path.startsWith(`${name}/`));
    const named = all.find((file) => file.path === `${name}/index.html`);
    if (named === undefined) continue;
    const first = all.filter((file) => String(named.data).includes(file.path.slice(name.length)));
    const zipped = first.reduce((sum, file) => sum + gzipSync(file.data).length, 0);
    const title = name === "web" ? "page" : "plain page";
    console.log(
      `${title}: ${all.length} files, ${kilobytes(size(all))}; first load ${kilobytes(size(first))}, ${kilobytes(zipped)} gzipped`,
    );
  }
}

async function build(): Promise<void> {
  const began = new Date();
  const files = (await Promise.all([server(), library(), page(), plainPage()])).flat();
  mkdirSync(dist, { recursive: true });
  write(files, began);
  report(files);
  console.log(`built in ${((Date.now() - began.getTime()) / 1000).toFixed(1)} s`);
}

try {
  await build();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
