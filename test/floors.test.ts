// The floors: who may import whom, sizes, names and other habits of the source, read from its syntax trees. Prints the line budget.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { parseAst } from "rolldown/parseAst";

const root = dirname(import.meta.dirname);
const src = join(root, "src");

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}
interface Import {
  to: string;
  types: boolean;
}
interface Source {
  /** Relative to the project. */
  path: string;
  /** Folder below src/, "" for files in src/ itself, "test" and so on elsewhere. */
  folder: string;
  text: string;
  lines: number;
  tree: Node;
  imports: Import[];
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && typeof (value as Node).type === "string";

/** Every node with the nodes around it, outermost first. */
function walk(node: Node, visit: (node: Node, around: readonly Node[]) => void, around: readonly Node[] = []): void {
  visit(node, around);
  const inner = [...around, node];
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(child)) walk(child, visit, inner);
}

/** Text of a node's literal `source`, if it has one. */
const literal = (value: unknown): string | undefined => (isNode(value) && typeof value["value"] === "string" ? value["value"] : undefined);
const named = (value: unknown): string => (isNode(value) && typeof value["name"] === "string" ? value["name"] : "");

function importsOf(tree: Node): Import[] {
  const found: Import[] = [];
  walk(tree, (node) => {
    if (!["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression", "TSImportType"].includes(node.type))
      return;
    const to = literal(node["source"]);
    if (to === undefined) return;
    const specifiers = (node["specifiers"] ?? []) as Node[];
    const each = specifiers.length > 0 && specifiers.every((one) => one["importKind"] === "type" || one["exportKind"] === "type");
    found.push({ to, types: node["importKind"] === "type" || node["exportKind"] === "type" || node.type === "TSImportType" || each });
  });
  return found;
}

function read(file: string): Source {
  const path = relative(root, file);
  const text = readFileSync(file, "utf8");
  const parts = path.split("/");
  const tree = parseAst(text, { lang: file.endsWith("x") ? "tsx" : "ts" }) as unknown as Node;
  const folder = parts[0] === "src" ? (parts.length > 2 ? parts[1]! : "") : parts[0]!;
  return { path, folder, text, lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0), tree, imports: importsOf(tree) };
}

const below = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [];

const sources = below(src)
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
  .map(read);
const others = ["test", "scripts", "bench"].flatMap((folder) => below(join(root, folder)).filter((file) => file.endsWith(".ts"))).map(read);

const leaves = ["engines", "models", "tools", "computers", "channels", "voices", "stores"];
const floors = ["std", "core", "run"];
const allowed: Record<string, readonly string[]> = {
  std: [],
  core: ["std"],
  run: ["std", "core"],
  kinds: ["std", "core"],
  ...Object.fromEntries(leaves.map((leaf) => [leaf, ["std", "core"]])),
  resources: floors,
  improve: floors,
  doctor: [...floors, "programs", "schedules"],
  skills: floors,
  money: floors,
  chats: floors,
  notices: floors,
  doors: floors,
  programs: floors,
  commands: [...floors, "schedules"],
  mcp: floors,
  search: floors,
  schedules: floors,
  compaction: floors,
  tasks: floors,
  gateway: [
    ...floors,
    "resources",
    "improve",
    "doctor",
    "programs",
    "doors",
    "skills",
    "money",
    "commands",
    "chats",
    "notices",
    "schedules",
  ],
  client: ["std", "core"],
  cli: ["std", "core", "client"],
  web: ["std", "core", "client"],
  testing: ["std", "core"],
};

/** The file of this project that an import leads to, undefined for a package. */
const target = (source: Source, one: Import): string | undefined =>
  one.to.startsWith(".") ? relative(root, resolve(root, dirname(source.path), one.to)) : undefined;
const folderOf = (path: string): string => (path.split("/").length > 2 ? path.split("/")[1]! : "");
const exportsDefault = (source: Source): boolean =>
  (source.tree["body"] as Node[]).some(
    (node) =>
      node.type === "ExportDefaultDeclaration" ||
      (node.type === "ExportNamedDeclaration" &&
        ((node["specifiers"] ?? []) as Node[]).some((one) => named(one["exported"]) === "default")),
  );
const isAdapterPlace = (path: string): boolean => leaves.includes(folderOf(path)) && path.split("/").length === 3;

const none = (problems: string[]): void => assert.deepEqual(problems, []);
const lineOf = (source: Source, node: Node): string => `${source.path}:${source.text.slice(0, node.start).split("\n").length}`;

test("each folder imports only what its floor allows", () => {
  const known = new Set(Object.keys(allowed));
  const problems: string[] = [];
  for (const source of sources) {
    // src/main.ts, and the pieces of it beside it, know every folder.
    if (source.folder === "") continue;
    if (!known.has(source.folder)) problems.push(`${source.path}: src/${source.folder} is not in the table`);
    for (const one of source.imports) {
      const to = target(source, one);
      if (to === undefined) continue;
      const folder = folderOf(to);
      if (!to.startsWith("src/") || (folder !== source.folder && !allowed[source.folder]?.includes(folder)))
        problems.push(`${source.path} imports ${to}`);
    }
  }
  none(problems);
});

test("no adapter imports another; what adapters of a folder share has no default export", () => {
  const adapters = new Set(sources.filter((source) => isAdapterPlace(source.path) && exportsDefault(source)).map((source) => source.path));
  none(
    sources
      .filter((source) => source.folder !== "" && source.folder !== "testing")
      .flatMap((source) =>
        source.imports
          .map((one) => target(source, one))
          .filter((to) => to !== undefined && adapters.has(to))
          .map((to) => `${source.path} imports ${to}`),
      ),
  );
});

test("only adapters have a default export", () => {
  none(sources.filter((source) => exportsDefault(source) && !isAdapterPlace(source.path)).map((source) => source.path));
});

test("std and core know no Node", () => {
  const builtin = /^(node:|fs|path|os|crypto|child_process|http|https|net|stream|util|events|url|zlib|worker_threads|module)(\/|$)/;
  none(
    sources
      .filter(({ folder }) => folder === "std" || folder === "core")
      .flatMap((source) => source.imports.filter((one) => builtin.test(one.to)).map((one) => `${source.path} imports ${one.to}`)),
  );
});

test("imports of values make no circle", () => {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      source.imports
        .filter((one) => !one.types)
        .map((one) => target(source, one))
        .filter((to) => to !== undefined),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(" → "));
    if (done.has(path) || way.includes(path)) return;
    for (const to of edges.get(path) ?? []) visit(to, [...way, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  none(circles);
});

test("no index.ts, no vague names", () => {
  const vague = /(^|-)(manager|service|handler|helper|util|common|base|impl|v2)s?(-|$)/;
  none(
    sources
      .filter(
        ({ path }) =>
          /^index\./.test(basename(path)) || vague.test(basename(path, extname(path))) || !/^[a-z0-9-]+(\.d)?\.tsx?$/.test(basename(path)),
      )
      .map(({ path }) => path),
  );
});

test("files are at most 300 lines, tests and pages 500", () => {
  const limit = ({ path, folder }: Source): number =>
    ["test", "testing"].includes(folder) || path.startsWith("src/web/pages/") ? 500 : 300;
  none([...sources, ...others].filter((source) => source.lines > limit(source)).map((source) => `${source.path}: ${source.lines} lines`));
});

test("functions are at most 60 lines", () => {
  const problems: string[] = [];
  for (const source of sources)
    walk(source.tree, (node) => {
      if (!["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(node.type)) return;
      const lines = source.text.slice(node.start, node.end).split("\n").length;
      // A contract suite is one function that registers tests.
      if (lines > (source.folder === "testing" ? 150 : 60)) problems.push(`${lineOf(source, node)}: ${lines} lines`);
    });
  none(problems);
});

test("line 1 of each file says what it is", () => {
  none([...sources, ...others].filter(({ text }) => !/^(\/\/ \S|\/\*\* ?\S|\/\* ?\S)/.test(text)).map(({ path }) => path));
});

test("no state at module level by let or var", () => {
  none(
    sources.flatMap((source) =>
      (source.tree["body"] as Node[])
        .map((node) => (node.type === "ExportNamedDeclaration" && isNode(node["declaration"]) ? node["declaration"] : node))
        .filter((node) => node.type === "VariableDeclaration" && node["kind"] !== "const" && node["declare"] !== true)
        .map((node) => lineOf(source, node)),
    ),
  );
});

test("no any", () => {
  const problems: string[] = [];
  for (const source of [...sources, ...others])
    walk(source.tree, (node) => void (node.type === "TSAnyKeyword" && problems.push(lineOf(source, node))));
  none(problems);
});

test("zod is imported as zod/mini", () => {
  none(sources.flatMap((source) => source.imports.filter((one) => one.to === "zod").map(() => source.path)));
});

test("S-48: one way out; no other fetch, socket or HTTP client", () => {
  const sockets = /^(node:)?(http|https|http2|net|tls|dgram)$|^(undici|axios|got|node-fetch|ws|pg)$/;
  // Clients of Steward itself, and the one way out. What listens (gateway, doors) and what talks to a container engine (computers) may hold sockets.
  const client = (path: string): boolean =>
    /^src\/(client|cli|web|testing)\//.test(path) ||
    /^src\/run\/(outbound|egress-(dial|door|connect|forward|refusal|certificates))\.ts$/.test(path);
  const holds = ({ path, folder }: Source, to: string): boolean =>
    client(path) || /^(gateway|computers|doors)$/.test(folder) || (to === "pg" && folder === "stores");
  const problems: string[] = [];
  for (const source of sources) {
    for (const one of source.imports)
      if (!one.types && sockets.test(one.to) && !holds(source, one.to)) problems.push(`${source.path} imports ${one.to}`);
    if (client(source.path)) continue;
    walk(source.tree, (node) => {
      if (node.type !== "CallExpression" && node.type !== "NewExpression") return;
      const name = called(node["callee"]);
      const global = ["fetch", "WebSocket", "EventSource", "XMLHttpRequest"].includes(name) && !binds(source.tree, name);
      const request = source.folder !== "computers" && /^https?\.(request|get)$/.test(name);
      if (global || request) problems.push(`${lineOf(source, node)} uses ${name}`);
    });
  }
  none(problems);
});

/** `fetch` for `fetch` and `globalThis.fetch`, `http.get` for a member. */
function called(callee: unknown): string {
  if (!isNode(callee) || callee.type !== "MemberExpression") return named(callee);
  const [object, property] = [named(callee["object"]), named(callee["property"])];
  return object === "globalThis" ? property : `${object}.${property}`;
}

/** Whether the file has a parameter, variable or import of this name, which then is what is called. */
function binds(tree: Node, name: string): boolean {
  let found = false;
  walk(tree, (node, around) => {
    if (node.type !== "Identifier" || node["name"] !== name) return;
    const outer = around.at(-1);
    if (outer === undefined) return;
    const declares =
      (outer.type === "VariableDeclarator" && outer["id"] === node) ||
      outer.type.startsWith("Import") ||
      (Array.isArray(outer["params"]) && outer["params"].includes(node));
    const taken = outer.type === "Property" && around.some((up) => up.type === "ObjectPattern");
    if (declares || taken) found = true;
  });
  return found;
}

test("committed texts speak only of the project", () => {
  const skip = /^(node_modules|dist|\.git|\.lock|bench\/results)(\/|$)/;
  const files = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
    skip.test(entry.name) ? [] : entry.isDirectory() ? below(join(root, entry.name)) : [join(root, entry.name)],
  );
  const foreign = [/\/work\//, /\.\.\/shared/, /npmjs\.org/];
  none(
    files
      .filter(
        (file) => !skip.test(relative(root, file)) && /\.(ts|tsx|md|json|sh|py|css|html|yml|yaml)$|steward$|run$|Dockerfile$/.test(file),
      )
      .flatMap((file) =>
        foreign.filter((word) => word.test(readFileSync(file, "utf8"))).map((word) => `${relative(root, file)} mentions ${word.source}`),
      ),
  );
});

/** Grows only with what Steward exists for: people, computers, egress, documents and helpers came with the second part; engines, their doors, money and what a person says of them with the third; chats, schedules and tasks with the fourth. */
const BUDGET = 17_000;

test("the line budget of std, core and run", (context) => {
  const lines = (folder: string): number =>
    sources.filter((source) => source.folder === folder).reduce((sum, source) => sum + source.lines, 0);
  const each = floors.map((folder) => `${folder} ${lines(folder)}`).join(", ");
  const total = floors.reduce((sum, folder) => sum + lines(folder), 0);
  context.diagnostic(`lines: ${each}; together ${total} of ${BUDGET}`);
  assert.ok(total <= BUDGET, `std, core and run have ${total} lines; delete, or find the concept`);
});
