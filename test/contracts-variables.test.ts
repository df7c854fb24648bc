// OS-Agent's variables as a person sets them: in the environment and in .env of Steward's home, each seen by what it does.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { modelServer } from "../src/testing/model-server.ts";
import { place as openPlace, type Place, until } from "./cli-place.ts";
import { connect, type Talk } from "./os-agent-place.ts";

/** Started with OS-Agent's door on a free port. */
async function started(place: Place): Promise<{ talk: Talk; out: string; end(): Promise<void> }> {
  const { child, out } = await place.start(["--os-agent"]);
  const token = (await place.run(["token"])).out.trim().split("\n").at(-1)!;
  const url = /ws:\/\/[\d.:]+/.exec(out)?.[0];
  assert.ok(url, out);
  const talk = await connect(`${url}/?user=demo`, { headers: { authorization: `Bearer ${token}` } });
  return {
    talk,
    out,
    async end() {
      await talk.close();
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}
const prepared = (env: Record<string, string>, config: object = {}): Place => {
  const place = openPlace();
  mkdirSync(place.home, { recursive: true });
  writeFileSync(join(place.home, "config.json"), JSON.stringify({ computer: { kind: "contained" }, ...config }));
  Object.assign(place.env, { WS_PORT: "0" }, env);
  return place;
};
/** The file is made with its first line. */
function levels(home: string): Set<string> {
  const file = join(home, "logs/steward.log");
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return new Set(lines.map((line) => (JSON.parse(line) as { level: string }).level));
}

test("O-098 UPLOAD_DIR, RETURN_DIR, DB_PATH and VM_STATE_DIR: uploads, returned files, the database and computers are kept there", async () => {
  const place = prepared({});
  const folder = (name: string): string => join(place.home, "elsewhere", name);
  mkdirSync(folder(""), { recursive: true });
  Object.assign(place.env, {
    UPLOAD_DIR: folder("up"),
    RETURN_DIR: folder("back"),
    DB_PATH: folder("chat.db"),
    VM_STATE_DIR: folder("vms"),
  });
  const { talk, end } = await started(place);
  const file_data = Buffer.from("Hello").toString("base64");
  assert.deepEqual(await talk.ask("upload_document", { file_data, file_name: "note.txt" }), { result: "/data/note.txt" });
  assert.deepEqual(await talk.ask("vm_execute", { command: "cat /data/*; echo out > /return/out.txt" }), { result: "Hello" });
  const below = (name: string): string[] =>
    existsSync(folder(name)) ? readdirSync(folder(name), { recursive: true, encoding: "utf8" }) : [];
  await until(
    () => below("back").some((one) => one.endsWith("out.txt")),
    () => `returned: ${below("back").join(" ")}`,
  );
  const [person] = readdirSync(folder("up"));
  assert.deepEqual(below("up").length, 2, below("up").join(" "));
  assert.ok(below("back").includes(join(person!, "out.txt")), below("back").join(" "));
  assert.ok(readdirSync(folder("vms")).includes(person!));
  assert.equal(readFileSync(folder("chat.db")).subarray(0, 15).toString(), "SQLite format 3");
  assert.deepEqual([existsSync(join(place.home, "steward.db")), readdirSync(join(place.home, "computers"))], [false, []]);
  await end();
});

test("O-099 LOG_LEVEL decides which lines are logged", async () => {
  const [quiet, loud] = [prepared({ LOG_LEVEL: "ERROR" }), prepared({ LOG_LEVEL: "DEBUG" })];
  await Promise.all([quiet, loud].map(async (place) => (await started(place)).end()));
  assert.deepEqual([[...levels(quiet.home)], levels(loud.home).has("info")], [[], true]);
});

test("O-097 O-100 OLLAMA_HOST, OLLAMA_MODEL and OLLAMA_NUM_CTX from .env; a model that comes later is picked up by itself", async () => {
  const ollama = await modelServer({ models: [] });
  const place = prepared({});
  writeFileSync(
    join(place.home, ".env"),
    `OLLAMA_HOST=${new URL(ollama.url).host}\nOLLAMA_MODEL="tiny:1b"\nOLLAMA_NUM_CTX=2048\nDEFAULT_SESSION=kitchen\n`,
  );
  const { talk, out, end } = await started(place);
  assert.match(out, /model +builtin\/rules/);
  assert.deepEqual(await talk.ask("list_sessions"), { result: ["kitchen"] });
  ollama.models.push("other:1b", "tiny:1b");
  const model = async (): Promise<string> => (await place.json<{ model: string }>(["status", "--json"])).model;
  await until(
    async () => (await model()) === "ollama/tiny:1b",
    () => "the model is not picked up",
  );
  talk.send({ command: "team_chat", args: { prompt: "Hello?" } });
  await talk.until((frame) => frame.includes("Hello."));
  const { body } = ollama.requests[0]!;
  assert.deepEqual([body.model, (body["options"] as { num_ctx: number }).num_ctx], ["tiny:1b", 2048]);
  await end();
  await ollama.close();
});
