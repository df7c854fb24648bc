// The package in other projects: installed from its folder, or packed; its types under strict rules, with Node's types and with a browser's only; and in a real browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, test, type TestContext } from "node:test";
import type * as library from "../src/client/entry.ts";
import { openPlace } from "./gateway-place.ts";
import { built, openProject, type Project, root, run } from "./library-place.ts";
import { launch, skip } from "./pages-place.ts";

before(built);

const npm = (cwd: string, args: string[]): Promise<string> =>
  run(cwd, [...args, "--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {}, "npm");

async function project(t: TestContext): Promise<Project> {
  const made = await openProject();
  t.after(made.close);
  return made;
}

const USES = `
import { DEFAULT_CONFIG, linuxVM, StewardError, teamChat, TeamChatSession } from "steward/client";
import { embed } from "steward/embed";

await using steward = await embed({ home: "./home", config: { "computer.mode": "contained", model: "builtin/rules" } });
const answer: string = await teamChat("What is 6 times 7?", steward.config());
await using chat: TeamChatSession = steward.session("other", "ada");
const all: string[] = [];
for await (const text of chat.chatStream("What is 7 times 7?")) all.push(text);
const { code } = await linuxVM(steward.config("ada")).exec("exit 3");
const error: unknown = await teamChat("hi", { ...DEFAULT_CONFIG, url: "http://127.0.0.1:1", timeoutMs: 100 }).catch((error: unknown) => error);
console.log(answer, all, code, error instanceof StewardError && error.code);
`;
const PRINTS = "`6 times 7` = **42** [ '`7 times 7` = **49**' ] 3 unavailable\n";

test("installed from its folder: programs run, and their types are checked strictly", { timeout: 280_000 }, async (t) => {
  const program = await project(t);
  await npm(program.folder, ["install", `file:${root}`]);
  assert.deepEqual(JSON.parse(readFileSync(join(program.folder, "package.json"), "utf8")).dependencies.steward.startsWith("file:"), true);
  await program.write("program.ts", USES);
  assert.equal(await program.run("program.ts"), PRINTS);
  const options = {
    strict: true,
    noEmit: true,
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  for (const kind of [{ module: "nodenext" }, { module: "preserve", moduleResolution: "bundler" }]) {
    await program.write(
      "tsconfig.json",
      JSON.stringify({ compilerOptions: { ...options, ...kind, skipLibCheck: false }, files: ["program.ts"] }),
    );
    await run(program.folder, ["-p", "."], {}, join(root, "node_modules", ".bin", "tsc"));
  }
  await program.write("program.ts", USES.replace('"What is 6 times 7?"', "42"));
  await assert.rejects(
    run(program.folder, ["-p", "."], {}, join(root, "node_modules", ".bin", "tsc")),
    /not assignable to parameter of type 'string'/,
  );
});

test("packed: it holds what is exported, and runs without any dependency beside it", { timeout: 280_000 }, async (t) => {
  const program = await project(t);
  await npm(root, ["pack", "--pack-destination", program.folder]);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const at = join(program.folder, "node_modules", "steward");
  await mkdir(at, { recursive: true });
  await run(program.folder, ["-xzf", `steward-${version}.tgz`, "-C", at, "--strip-components=1"], {}, "tar");
  await program.write("program.ts", USES);
  assert.equal(await program.run("program.ts"), PRINTS);
});

test("the client is one small file that imports nothing", () => {
  const code = readFileSync(join(root, "dist", "client.js"), "utf8");
  assert.doesNotMatch(code, /^import |\brequire\(|[^.]\bBuffer\b/m);
  assert.ok(code.length < 30_000, `${code.length} characters`);
});

test("in a browser, from another origin that Steward allows", { skip, timeout: 280_000 }, async (t) => {
  const web = createServer((request, response) => {
    const script = request.url === "/client.js";
    response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
    response.end(script ? readFileSync(join(root, "dist", "client.js")) : "<!doctype html><title>A program</title>");
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  t.after(() => web.close());
  const origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  const place = await openPlace({ config: { model: "builtin/rules", "server.origins": [origin] } });
  t.after(place.close);
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(origin);
  const said = await page.evaluate(
    async ({ url, token, client }) => {
      const { TeamChatSession, listDir, uploadDocument } = (await import(client)) as typeof library;
      const chat = new TeamChatSession({ url, token, session: "browser" });
      const all: string[] = [];
      for await (const text of chat.chatStream("What is 6 times 7?")) all.push(text);
      for await (const line of chat.vmExecuteStream("echo streamed")) all.push(line);
      const { name, size } = await chat.uploadData(new Blob(["abc"]), "a.txt");
      await chat.vm.write("b.txt", "b");
      const refused = await uploadDocument("/etc/hostname", { url, token }).catch(({ code }: { code: string }) => code);
      return [...all, name, size, (await listDir(".", { url, token })).some(([file]) => file === "b.txt"), refused];
    },
    { url: place.gateway.url, token: place.gateway.localToken, client: "/client.js" },
  );
  assert.deepEqual(said, ["`6 times 7` = **42**", "streamed\n", "a.txt", 3, true, "invalid"]);
});
