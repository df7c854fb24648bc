// Conversations in a real terminal (tmux): streaming, questions, steering, Ctrl-C, history, commands.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasTmux, place, type Place, terminal } from "./cli-place.ts";

const skip = hasTmux ? false : "tmux is not installed";

/** A command that goes on when the test has seen what it waits for, and what lets it. */
const UNTIL_GO = "until [ -e go ]; do sleep 0.1; done";
const go = ({ home }: Place): void => writeFileSync(join(home, "workspace", "go"), "");

test("a conversation: an answer, commands, history, leaving", { skip }, async (t) => {
  const here = place();
  const term = terminal(here, ["chat"]);
  t.after(term.close);
  await term.shows(/\/help lists commands[^]*\n›$/);
  term.type("what is 6*7?");
  term.press("Enter");
  await term.shows(/› what is 6\*7\?\n[^›]*42[^›]*\n\n›$/);
  term.type("/hlep");
  term.press("Enter");
  await term.shows(/There is no command \/hlep. Did you mean \/help\?[^]*\n›$/);
  term.type("/new");
  term.press("Enter");
  await term.shows(/session ses_\w+\n›$/);
  term.type("what is 2*2?");
  term.press("Enter");
  await term.shows(/› what is 2\*2\?\n[^›]*4[^›]*\n›$/);
  term.type("/sessions");
  term.press("Enter");
  await term.shows(/▸ 1 {2}what is 2\*2\?.*\n {2}2 {2}what is 6\*7\?/);
  term.type("/switch 2");
  term.press("Enter");
  await term.shows(/— what is 6\*7\? —\n› what is 6\*7\?\n[^›]*42/);
  term.press("Up", "Up", "Up");
  await term.shows(/› what is 2\*2\?$/);
  term.press("C-c");
  await term.shows(/\n›$/);
  term.press("C-d");
  await term.shows(/EXIT 0$/);
  assert.equal(statSync(join(here.home, "chat-history")).mode & 0o777, 0o600);
  assert.deepEqual(readFileSync(join(here.home, "chat-history"), "utf8").trim().split("\n"), [
    "what is 6*7?",
    "/hlep",
    "/new",
    "what is 2*2?",
    "/sessions",
    "/switch 2",
  ]);
});

test("a question is answered in place, and what was being typed comes back", { skip }, async (t) => {
  const here = place();
  const folder = mkdtempSync(join(tmpdir(), "steward-ask-"));
  const [first, second] = [join(folder, "a.txt"), join(folder, "b.txt")];
  const term = terminal(here, ["chat"], { columns: 110 });
  t.after(() => {
    term.close();
    rmSync(folder, { recursive: true });
  });
  await term.shows(/›$/);
  term.type(`create a file ${first} with the content x`);
  term.press("Enter");
  await term.shows(/\? write_file wants to change files in [^]*y once[^]*a always: write:[^]*n no\n\?$/);
  term.type("maybe");
  term.press("Enter");
  await term.shows(/Answers: y once.*\n\?$/);
  term.type("n");
  term.press("Enter");
  await term.shows(/✗ write_file[^]*\n›$/);
  assert.equal(existsSync(first), false);
  term.type(`run the command \`${UNTIL_GO}\` and then create a file ${second} with the content y`);
  term.press("Enter");
  await term.shows(/… execute_terminal_command until [^\n]*\n›$/);
  term.type("half a sent");
  await term.shows(/› half a sent$/);
  go(here);
  await term.shows(/n no\n\?$/);
  term.type("y");
  term.press("Enter");
  await term.shows(/✓ write_file[^]*\n› half a sent$/);
  assert.equal(readFileSync(second, "utf8"), "y");
  term.type("ence");
  await term.shows(/› half a sentence$/);
});

test("Ctrl-C stops the turn, twice leaves; what is typed meanwhile joins the turn", { skip }, async (t) => {
  const here = place();
  await here.start();
  const term = terminal(here, ["chat"]);
  t.after(term.close);
  await term.shows(/›$/);
  term.type("run the command `echo tick 1; sleep 0.5; echo tick 2; sleep 300`");
  term.press("Enter");
  await term.shows(/… execute_terminal_command .*tick 2\n›$/);
  term.press("C-c");
  await term.shows(/✗ execute_terminal_command [^]*Stopped\.\n\n›$/);
  term.type(`run the command \`${UNTIL_GO}\``);
  term.press("Enter");
  await term.shows(/… execute_terminal_command until [^\n]*\n›$/);
  term.type("what is 30+4?");
  term.press("Enter");
  await term.shows(/› what is 30\+4\?\n… execute_terminal_command until [^\n]*\n›$/);
  go(here);
  await term.shows(/✓ execute_terminal_command until [^]*34[^]*\n\n›$/); // the empty line is the end of the turn
  term.press("C-c");
  await term.shows(/Ctrl-C again leaves\.\n›$/);
  // Again means within two seconds: where this machine stood still for as long, it is the first one again.
  for (let times = 2; !/EXIT 0$/.test(term.screen()); times++) {
    term.press("C-c");
    await term.shows(new RegExp(`EXIT 0$|(again leaves\\.[^]*){${times}}›$`));
  }
});

test("a line of several rows stays whole while output comes above it", { skip }, async (t) => {
  const here = place();
  const term = terminal(here, ["chat"], { columns: 44 });
  t.after(term.close);
  await term.shows(/›$/);
  term.type(`run the command \`${UNTIL_GO}; for i in 1 2 3 4; do echo tick $i; sleep 0.2; done\``);
  term.press("Enter");
  await term.shows(/… execute_terminal_command [^\n]*\n›$/);
  term.type("this is a rather long line that I am typing while it works, 漢字 and more and more of it");
  await term.shows(/more of\n ?it$/);
  go(here);
  const seen = await term.shows(/```\n\n› this is a rather long line that I am typin\ng while it works, 漢字 and more and more of\n ?it$/);
  assert.match(seen, /done`\n✓ execute_terminal_command/);
  term.type("!");
  await term.shows(/more of\n ?it!$/);
});

test("pasted lines are one message; what another window says is shown", { skip }, async (t) => {
  const here = place();
  await here.start();
  const term = terminal(here, ["chat", "--new"]);
  t.after(term.close);
  await term.shows(/›$/);
  term.paste("what is\n5*5?\n");
  await term.shows(/› what is\n› 5\*5\?\n[^]*5\*5[^]*\n›$/);
  const { sessions } = await here.json<{ sessions: { id: string; messages: number }[] }>(["sessions", "--json"]);
  const { events } = await here.json<{ events: { event: { type: string } }[] }>(["sessions", "show", sessions[0]!.id, "--json"]);
  assert.equal(events.filter(({ event }) => event.type === "message.received").length, 1);
  await here.run(["chat", "what is 8*8?"]);
  await term.shows(/› what is 8\*8\?\n[^]*64[^]*\n›$/);
});

test("a server that is started anew is found again", { skip }, async (t) => {
  const here = place();
  await here.start();
  const term = terminal(here, ["chat"]);
  t.after(term.close);
  await term.shows(/›$/);
  assert.equal((await here.run(["stop"])).code, 0);
  await term.shows(/trying again\n›$/);
  await here.start();
  await term.shows(/lists commands[^\n]*\n[^…]*›$/);
  term.type("what is 9*9?");
  term.press("Enter");
  await term.shows(/81[^]*\n›$/);
});

test("one request in a terminal asks there; Ctrl-C stops it", { skip }, async (t) => {
  const here = place();
  const folder = mkdtempSync(join(tmpdir(), "steward-ask-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "c.txt");
  const asked = terminal(here, ["chat", `create a file ${path} with the content z`]);
  t.after(asked.close);
  await asked.shows(/n no\n>$/);
  asked.type("y");
  asked.press("Enter");
  await asked.shows(/✓ write_file[^]*EXIT 0$/);
  assert.equal(readFileSync(path, "utf8"), "z");
  asked.close();
  const stopped = terminal(here, ["chat", "run the command `sleep 300`"]);
  await stopped.shows(/… execute_terminal_command sleep 300$/);
  stopped.press("C-c");
  await stopped.shows(/Stopped\.\nEXIT 130$/);
  stopped.close();
  const secret = terminal(here, ["secret", "set", "anthropic"]);
  await secret.shows(/Value of anthropic \(not shown\):$/);
  secret.type("sk-not-to-be-seen");
  secret.press("Enter");
  assert.doesNotMatch(await secret.shows(/Stored in an encrypted file\.\nEXIT 0$/), /sk-not/);
  secret.close();
});
