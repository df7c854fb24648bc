// The commands as real processes, without a server: each runs the whole of Steward in itself.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { place } from "./cli-place.ts";

const here = place();
const { run, json, home } = here;
const says = async (args: string[], input = ""): Promise<string> => {
  const { code, out, err } = await run(args, { input });
  assert.equal(code, 0, `${args.join(" ")}: ${out}${err}`);
  return out;
};

test("version, help, and what is no command", async () => {
  assert.match(await says(["--version"]), /^steward \d+\.\d+\.\d+\n$/);
  assert.match(await says(["--help"]), /Commands\n {2}start /);
  assert.match(await says(["chat", "--help"]), /steward chat "MESSAGE"/);
  assert.deepEqual(await run(["statu"]), { code: 2, out: "", err: 'steward: There is no command "statu"\nDid you mean steward status?\n' });
  assert.deepEqual(await run(["toString"]), {
    code: 2,
    out: "",
    err: 'steward: There is no command "toString"\nsteward help lists the commands.\n',
  });
  assert.deepEqual(await run(["status", "--frob"]), {
    code: 2,
    out: "",
    err: "steward: Unknown option '--frob'\nsteward help status shows what it takes.\n",
  });
  assert.equal((await run(["start", "--port", "99999"])).code, 2);
  assert.equal((await run(["start", "--log", "loud"])).code, 2);
});

test("without a server: status and stop say so", async () => {
  assert.deepEqual(await run(["status"]), { code: 3, out: `Steward is not running. Home ${home}\n`, err: "" });
  const { code, out } = await run(["status", "--json"]);
  assert.deepEqual([code, (JSON.parse(out) as { running: boolean }).running], [3, false]);
  assert.equal((await run(["stop"])).code, 3);
  assert.equal((await run(["claim"])).code, 3);
});

test("A-030: chat runs one turn by itself; text on standard output, tools on standard error", async () => {
  const { code, out, err } = await run(["chat", "create a file called note.txt with the content hello there"]);
  assert.equal(code, 0);
  assert.match(out, /note\.txt/);
  assert.match(err, /^✓ write_file note\.txt .*can be undone\)\n$/);
  assert.equal(readFileSync(join(home, "workspace", "note.txt"), "utf8"), "hello there");
  assert.match(await says(["chat", "-"], "read note.txt\n"), /hello there/);
  assert.match(await says(["chat"], "read note.txt"), /hello there/);
  assert.deepEqual(await run(["chat", " "]), {
    code: 2,
    out: "",
    err: 'steward: The message is empty\nWrite it behind: steward chat "…"\n',
  });
});

test("chat --json is one document with what was done", async () => {
  interface Done {
    session: string;
    text: string;
    stop: string;
    model: string;
    tools: { tool: string; success: boolean }[];
  }
  const first = await json<Done>(["chat", "--json", "--new", "list the files here"]);
  assert.deepEqual(
    [first.stop, first.model, first.tools.map(({ tool, success }) => [tool, success])],
    ["end", "builtin/rules", [["list_directory", true]]],
  );
  assert.match(first.text, /note\.txt/);
  const second = await json<Done>(["chat", "--json", "what is 6*7?"]);
  assert.equal(second.session, first.session);
  assert.match(second.text, /42/);
  const named = await json<Done>(["chat", "--json", "-s", first.session.slice(-6), "what is 2*3?"]);
  assert.equal(named.session, first.session);
  assert.equal((await run(["chat", "-s", "ses_none", "hi"])).code, 4);
});

test("sessions: list, search, show, rename, export, delete and back", async () => {
  const { sessions } = await json<{ sessions: { id: string }[] }>(["sessions", "list", "--json"]);
  assert.equal(sessions.length, 2);
  const id = sessions[0]!.id;
  assert.match(await says(["sessions", "search", "list", "files"]), new RegExp(id));
  assert.match(await says(["sessions", "search", "zzzz"]), /No sessions/);
  assert.match(await says(["sessions", "rename", id, "Sums", "and", "files"]), /Renamed to “Sums and files”/);
  assert.match(await says(["sessions"]), new RegExp(`${id} .* Sums and files`));
  assert.match(await says(["sessions", "show", id]), /› what is 6\*7\?[^]*42/);
  assert.match(await says(["sessions", "export", id]), /what is 6\*7\?/);
  const exported = await json<{ session: { id: string } }>(["sessions", "export", id, "--format", "json"]);
  assert.equal(exported.session.id, id);
  const file = join(home, "talk.md");
  await says(["sessions", "export", id, "-o", file]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal((await run(["sessions", "export", id, "-o", file])).code, 6);
  assert.equal((await run(["sessions", "delete", id])).code, 2);
  const { undo } = await json<{ undo: string }>(["sessions", "delete", id, "--yes", "--json"]);
  assert.equal((await run(["sessions", "show", id])).code, 4);
  await says(["undo", undo]);
  assert.match(await says(["sessions", "show", id]), /Sums and files/);
});

test("A-035: sessions clear deletes stale ones, and only those", async () => {
  assert.equal(await says(["sessions", "clear", "--yes"]), "No sessions not used for 30 days.\n");
  assert.equal((await run(["sessions", "clear", "--all"])).code, 2);
  const { deleted } = await json<{ deleted: { id: string }[] }>(["sessions", "clear", "--all", "--yes", "--json"]);
  assert.equal(deleted.length, 2);
  assert.deepEqual((await json<{ total: number }>(["sessions", "--json"])).total, 0);
});

test("undo from the terminal", async () => {
  await says(["chat", "delete note.txt"]);
  assert.equal(existsSync(join(home, "workspace", "note.txt")), false);
  assert.match(await says(["undo", "--list"]), /can be undone {2}.*note\.txt/);
  assert.match(await says(["undo"]), /^✓ Undone: .*note\.txt/);
  assert.equal(readFileSync(join(home, "workspace", "note.txt"), "utf8"), "hello there");
  assert.equal((await run(["undo", "und_none"])).code, 4);
});

test("a question that nobody here can answer: shown, an exit code of its own, answered by another command", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "steward-outside-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const outside = join(folder, "outside.txt");
  const { code, err } = await run(["chat", `create a file ${outside} with the content hi`]);
  assert.equal(code, 8);
  const [, id = ""] = /steward ask answer (ask_\w+) allow\|deny/.exec(err) ?? [];
  assert.match(err, /^\? write_file wants to change files in /m);
  assert.match(await says(["ask", "list"]), new RegExp(id));
  assert.equal((await run(["ask", "answer", id, "perhaps"])).code, 2);
  const behind = await run(["chat", "what is 3+4?"]);
  assert.deepEqual([behind.code, behind.err.includes(`steward ask answer ${id}`)], [8, true]);
  const answered = await run(["ask", "answer", id, "allow"]);
  assert.deepEqual([answered.code, readFileSync(outside, "utf8")], [0, "hi"], answered.err);
  assert.match(answered.err, /✓ write_file/);
  assert.match(answered.out, /\b7\b/);
  assert.equal((await run(["ask", "answer", id, "deny"])).code, 4);
  assert.deepEqual(await json(["ask", "list", "--json"]), { asks: [] });
});

test("A-036: config, key by key", async () => {
  assert.equal(await says(["config", "get", "server.port"]), "7777\n");
  assert.equal(await says(["config", "set", "server.port", "8123"]), "server.port = 8123\n");
  assert.equal(await says(["config", "set", "zone", "Europe/Berlin"]), 'zone = "Europe/Berlin"\n');
  await says(["config", "set", "server.hosts", '["nas.local"]']);
  await says(["config", "set", "providers.compatible.apiKey", "hunter22"]);
  const shown = await says(["config", "show"]);
  assert.doesNotMatch(shown, /hunter22/);
  assert.match(await says(["config", "show", "--origins"]), /server\.port +file +8123\n/);
  assert.match(await says(["config", "show", "--origins"]), /server\.host +default/);
  await says(["config", "unset", "server.port"]);
  assert.equal(await says(["config", "get", "server.port"]), "7777\n");
  assert.equal((await run(["config", "get", "nope"])).code, 4);
  assert.equal((await run(["config", "set", "server.prot", "1"])).code, 2);
  assert.equal((await run(["config", "set", "__proto__.x", "1"])).code, 2);
  assert.equal(await says(["config", "path"]), `${join(home, "config.json")}\n`);
  assert.equal((await json<{ type: string }>(["config", "schema"])).type, "object");
});

test("A-038: config init writes the defaults and keeps what was there", async () => {
  const before = readFileSync(join(home, "config.json"), "utf8");
  const { backup } = await json<{ backup: string }>(["config", "init", "--json"]);
  assert.equal(readFileSync(backup, "utf8"), before);
  assert.equal((await json<{ server: { port: number } }>(["config", "show"])).server.port, 7777);
  assert.equal(statSync(join(home, "config.json")).mode & 0o777, 0o600);
});

test("A-037: config edit opens the editor, and only what is valid holds", async () => {
  const editor = join(home, "editor.sh");
  const edit = async (script: string) => {
    writeFileSync(editor, `#!/bin/sh\n${script}\n`);
    chmodSync(editor, 0o755);
    return run(["config", "edit"], { env: { EDITOR: editor, VISUAL: "" } });
  };
  assert.equal((await edit(`printf '{"server":{"port":9001}}' > "$1"`)).code, 0);
  assert.equal(await says(["config", "get", "server.port"]), "9001\n");
  assert.deepEqual(await edit("true"), { code: 0, out: "Nothing was changed.\n", err: "" });
  const wrong = await edit(`printf '{"server":{"port":"x"}}' > "$1"`);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /server\.port/);
  assert.equal(readFileSync(join(home, "config.json.rejected"), "utf8"), '{"server":{"port":"x"}}');
  assert.equal(await says(["config", "get", "server.port"]), "9001\n");
  assert.equal((await edit("exit 1")).code, 3);
  const raced = await edit(`printf '{"server":{"port":9002}}' > "$1"; printf '{}' > "$STEWARD_HOME/config.json"`);
  assert.equal(raced.code, 6);
});

test("secrets come from standard input and are never shown", async () => {
  assert.equal(await says(["secret", "set", "anthropic"], "sk-very-secret-1\n"), "Stored in an encrypted file.\n");
  assert.match(await says(["secret", "list"]), /anthropic +file/);
  assert.match(await says(["models"]), /● anthropic|anthropic +key is set/);
  assert.equal((await run(["secret", "set", "anthropic", "sk-1"])).code, 2);
  assert.equal((await run(["secret", "set", "anthropic"])).code, 2);
  for (const name of readdirSync(home))
    if (statSync(join(home, name)).isFile()) assert.ok(!readFileSync(join(home, name)).includes("sk-very-secret-1"), name);
  await says(["secret", "remove", "anthropic"]);
  assert.equal((await run(["secret", "remove", "anthropic"])).code, 4);
});

test("permissions, tokens, models, health, logs", async () => {
  assert.equal(await says(["permissions", "disable", "terminal"]), "terminal is off.\n");
  assert.match(await says(["permissions"]), /off terminal/);
  await says(["permissions", "enable", "terminal"]);
  assert.equal((await run(["permissions", "enable", "flying"])).code, 4);
  const lines = (await says(["token", "--label", "test"])).trimEnd().split("\n");
  assert.match(lines.at(-1)!, /^stw_[\w-]{40,}$/);
  const { tokens } = await json<{ tokens: { id: string; label: string }[] }>(["token", "list", "--json"]);
  assert.deepEqual(
    tokens.map(({ label }) => label),
    ["test"],
  );
  await says(["token", "revoke", tokens[0]!.id]);
  assert.equal(await says(["token", "list"]), "No tokens.\n");
  await says(["people", "invite", "Ada Lovelace"]);
  assert.match(await says(["token", "--person", "ada lovelace", "--label", "laptop"]), /\nstw_[\w-]{40,}\n$/);
  assert.match(await says(["token", "list", "--person", "ada-lovelace"]), /never +laptop/);
  const hers = await json<{ tokens: { id: string }[] }>(["token", "list", "--person", "ada-lovelace", "--json"]);
  assert.equal((await run(["token", "revoke", hers.tokens[0]!.id])).code, 4, "it is not the owner's own");
  await says(["token", "revoke", hers.tokens[0]!.id, "--person", "Ada Lovelace"]);
  assert.equal(await says(["token", "list", "--person", "ada-lovelace"]), "No tokens.\n");
  assert.equal((await run(["token", "--person", "nobody"])).code, 4);
  await says(["people", "remove", "ada-lovelace", "--yes"]);
  assert.equal((await json<{ current: string }>(["models", "--json"])).current, "builtin/rules");
  assert.match(await says(["health"]), /store +healthy/);
  assert.match(await says(["logs", "-n", "9"]), /Permissions were changed {2}capability=terminal/);
  assert.equal((await json<unknown[]>(["logs", "-n", "2", "--json"])).length, 2);
});

test("S-73: what a file or a session holds can't act on the terminal", async () => {
  const workspace = join(home, "workspace");
  mkdirSync(workspace, { recursive: true });
  writeFileSync(join(workspace, "evil.txt"), "before\u001b[2J\u001b]0;owned\u0007after\u009b31m\r over\u202e");
  const { out, err } = await run(["chat", "--new", "read evil.txt"]);
  const listed = await says(["sessions", "show", "current"]);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(out + err + listed, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
  assert.match(out, /before/);
});

test("--home before or after the command; errors in one line", async () => {
  const other = join(home, "second");
  assert.match((await run(["--home", other, "status"])).out, new RegExp(`Home ${other}`));
  assert.match((await run(["config", "path", "--home", other])).out, new RegExp(`^${other}/config.json`));
  assert.equal((await run(["status", "--home"])).code, 2);
  writeFileSync(join(home, "file"), "");
  const { code, err } = await run(["--home", join(home, "file", "x"), "sessions"]);
  assert.equal(code, 3);
  assert.match(err, /^steward: .* can't be written to\n[^\n]+\n$/);
});

test("two commands at once wait for each other", async () => {
  const both = await Promise.all([run(["chat", "what is 1+1?"]), run(["chat", "what is 2+2?"])]);
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
    both.map(({ err }) => err).join(),
  );
});

test("a reader that has seen enough is no failure", async () => {
  const { code, err } = await run(["help"], { during: (child) => child.stdout!.destroy() });
  assert.deepEqual({ code, err }, { code: 0, err: "" });
});
