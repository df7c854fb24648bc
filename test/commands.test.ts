// Commands of the conversation: what is one and what is prose, what each does and refuses, once for each message, beside what the model reads.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandRoutes } from "../src/core/api-commands.ts";
import { toMessages } from "../src/core/history.ts";
import type { Principal } from "../src/core/types.ts";
import { take } from "../src/commands/commands.ts";
import { nearest } from "../src/commands/command.ts";
import { opening } from "../src/run/asks.ts";
import { receive } from "../src/chats/receive.ts";
import { taskKey } from "../src/run/tasks.ts";
import { schedulesOf } from "../src/schedules/state.ts";
import { say } from "../src/run/inbox.ts";
import { inbound, keepingChannel } from "../src/testing/channel.ts";
import { choiceOf } from "../src/run/choice.ts";
import { listSessions, sessionDoc } from "../src/run/sessions.ts";
import { sessionKey } from "../src/run/sessions.ts";
import { ada, commandsPlace, type CommandsPlace, owner } from "./commands-place.ts";

let place: CommandsPlace;
before(async () => void (place = await commandsPlace()));
after(() => place.close());

const isCommand = async (text: string, who: Principal = owner): Promise<boolean> => {
  const found = await take({ steward: place.steward, who, session: await here() }, text);
  return found !== undefined && "run" in found;
};
const kept: { session?: string } = {};
const here = async (): Promise<string> => (kept.session ??= await place.session());

const NAMES = ["help", "status", "engine", "model", "provider", "pin", "unpin", "new", "sessions", "stop", "undo", "clear", "compact"];
const MORE = ["approve", "deny", "subagents", "tasks", "cron", "usage", "budget", "config", "reload", "whoami", "version"];

test("A-056 each command is one with the slash and without, in any case, with blanks around", async () => {
  for (const name of [...NAMES, ...MORE])
    for (const text of [`/${name}`, name, ` ${name} `, name.toUpperCase(), `/${name}@steward_bot`])
      assert.equal(await isCommand(text), true, text);
  const forms = [
    "engine loop",
    "engine LOOP here",
    "model compatible/test-2",
    "model test-2",
    "model test-2 me",
    "model default",
    "provider near",
  ];
  const others = [
    "pin local",
    "pin engine me",
    "unpin here",
    "config get zone",
    "config set webchat.port 9090",
    "config unset zone",
    "help model",
  ];
  await place.tell('/cron add "0 9 * * 1-5" say good night');
  const [schedule] = await schedulesOf(place.steward, owner);
  const last = [
    "cron list",
    'cron add "0 9 * * 1-5" say good morning',
    `cron remove ${schedule!.id}`,
    "subagents list",
    "approve for task",
    "undo und_abc123",
  ];
  for (const text of [...forms, ...others, ...last]) assert.equal(await isCommand(text), true, text);
  await place.tell(`/cron remove ${schedule!.id}`);
});

test("A-057 prose is not a command, whatever it begins with", async () => {
  const sentences = [
    "help me with my tax",
    "model trains are nice",
    "status of my order?",
    "stop the music",
    "new car",
    "engine oil",
    "engine",
  ].slice(0, 6);
  const more = [
    "undo my last purchase",
    "clear skies today?",
    "approve it",
    "deny everything",
    "config my router",
    "config set my printer up",
    "usage of commas",
  ];
  const rest = [
    "sessions with my therapist",
    "cron add a job",
    "pin it",
    "provider list please",
    "model railway",
    "compact cars",
    "version 2 of it",
    "new?",
    "Stop, thief!",
    "cron run it",
    "cron history please",
    "Cron pause everything",
    "cron resume it yes",
  ];
  const lines = [
    "status\nof the project",
    "help\n",
    "model\ttest-9",
    "reload the page",
    "whoami said the owl",
    "budget for June",
    "subagents stop nobody",
    "local",
  ];
  for (const text of [...sentences, ...more, ...rest, ...lines.filter((line) => line !== "help\n")])
    assert.equal(await isCommand(text), false, text);
});

test("A-057 property: a command's name with words behind that are no argument never is one", async () => {
  const words = ["the", "my", "please", "of", "and", "nice", "trains", "order", "is", "zebra", "me?", "it", "today", "in", "a", "for"];
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 600; round++) {
    const name = [...NAMES, ...MORE][random(NAMES.length + MORE.length)]!;
    const text = [name, ...Array.from({ length: 1 + random(6) }, () => words[random(words.length)]!)].join(" ");
    assert.equal(await isCommand(text), false, text);
  }
});

test("an unknown command with a slash is answered with the nearest; two slashes, a path and a file go to the model", async () => {
  const session = await place.session();
  assert.match((await place.tell("/modle", { session }))!, /There is no command \/modle\. Did you mean \/model\?/);
  assert.match((await place.tell("/engine a b c", { session }))!, /^\/engine: .*\n\n- \/engine –/);
  assert.equal(await place.tell("//model is what I typed", { session }), undefined);
  assert.equal(await place.tell("/etc/hosts looks odd", { session }), undefined);
  const log = await place.steward.store.events(session);
  const said = log.flatMap(({ event }) => (event.type === "message.received" && !event.command ? [event.parts] : []));
  assert.deepEqual(said, [[{ type: "text", text: "/model is what I typed" }], [{ type: "text", text: "/etc/hosts looks odd" }]]);
  assert.deepEqual([nearest("hlep", NAMES), nearest("stat", NAMES), nearest("zzz", NAMES)], ["help", "status", undefined]);
});

test("a command is in the log with its answer, begins no turn, is never read by a model, names no session", async () => {
  const session = await place.session();
  const { due } = await place.steward.store.jobs();
  const { key, reply } = await say(place.steward, owner, { session, parts: [{ type: "text", text: "/version" }], key: "k1" });
  assert.deepEqual([key, reply!.text.startsWith("Steward 0.0.1-test")], ["k1", true]);
  const log = await place.steward.store.events(session);
  const [, message, answer] = log.map(({ event }) => event);
  assert.ok(message?.type === "message.received" && answer?.type === "item.completed");
  const { id, ...rest } = message;
  assert.deepEqual(rest, {
    type: "message.received",
    from: "owner",
    parts: [{ type: "text", text: "/version" }],
    key: "k1",
    command: true,
  });
  assert.deepEqual(answer, { type: "item.completed", turn: "", item: { id: id.replace("msg", "rpl"), kind: "text", text: reply!.text } });
  assert.equal(log.length, 3);
  assert.deepEqual(toMessages(log), []);
  assert.equal((await place.steward.store.jobs()).due, due);
  const { title, messages } = await sessionDoc(place.steward, owner, session);
  assert.deepEqual([title, messages], ["", 0]);
  assert.deepEqual(await place.steward.store.search("owner", "version", 5), []);
});

test("the same key twice is one command; what was cut off before is said, not run again", async () => {
  const { steward } = place;
  const session = await place.session();
  const first = await say(steward, owner, { session, parts: [{ type: "text", text: "new" }], key: "once" });
  const again = await say(steward, owner, { session, parts: [{ type: "text", text: "new" }], key: "once" });
  assert.deepEqual(again, first);
  assert.equal((await steward.store.events(session)).filter(({ event }) => event.type === "message.received").length, 1);
  const many = await Promise.all(
    [1, 2, 3].map(() => say(steward, owner, { session, parts: [{ type: "text", text: "/new" }], key: "many" })),
  );
  assert.equal(new Set(many.map(({ reply }) => reply!.session)).size, 1);
  await steward.store.commit({ put: { [`command/${session}/cut`]: true } });
  const cut = await say(steward, owner, { session, parts: [{ type: "text", text: "/new" }], key: "cut" });
  assert.match(cut.reply!.text, /not known whether this was done/);
  assert.equal(cut.reply!.session, undefined);
  assert.equal(await steward.store.get(`command/${session}/cut`), undefined);
});

test("A-058 A-059 A-060 engine, model and provider are switched, stand in config.json, and list what there is", async () => {
  const session = await place.session();
  const tell = (text: string): Promise<string | undefined> => place.tell(text, { session });
  assert.match((await tell("/engine"))!, /^Engine: loop \(by itself\)\.\n\n[^]*- loop \(answers now\)/);
  assert.equal(await tell("engine loop"), "From the next turn on, for everybody (config.json): loop · compatible/test-1.");
  assert.deepEqual(place.file()["runtime"], { engine: "loop" });
  assert.match((await tell("/engine warp"))!, /There is no engine warp\. There are .*loop/);
  assert.match((await tell("/model"))!, /Model: compatible\/test-1[^]*- compatible: test-1, test-2\n/);
  assert.equal(await tell("/model test-2"), "From the next turn on, for everybody (config.json): loop · compatible/test-2.");
  assert.equal(place.file()["model"], "compatible/test-2");
  assert.match((await tell("/model nothing-like-it"))!, /There is no model nothing-like-it/);
  assert.equal(await tell("/provider near here"), "From the next turn on, in this session: loop · near/test-1.");
  assert.equal(place.file()["model"], "compatible/test-2");
  assert.match((await tell("provider"))!, /Provider: near[^]*- near\n[^]*- far –/);
  assert.equal(await tell("model default here"), "From the next turn on, in this session: loop · compatible/test-2.");
  assert.equal(await tell("/model compatible/test-1"), "From the next turn on, for everybody (config.json): loop · compatible/test-1.");
  const other = await place.session(ada);
  assert.equal(await place.tell("/model near/test-2", { who: ada, session: other }), "From the next turn on, for you: loop · near/test-2.");
  assert.match((await place.tell("/model near/test-2 everywhere", { who: ada, session: other }))!, /Only the owner chooses for everybody/);
  assert.equal((await choiceOf(place.steward, owner, session)).model, "compatible/test-1");
});

test("pins are shown, set, refused with what to do, and taken away", async () => {
  const session = await place.session();
  const tell = (text: string): Promise<string | undefined> => place.tell(text, { session });
  assert.match((await tell("/pin"))!, /Nothing is pinned/);
  assert.match((await tell("/pin local"))!, /in this session: loop · compatible\/test-1, pinned to local models/);
  assert.match((await tell("/model far/big here"))!, /far\/big is not on this machine.*\/unpin/);
  assert.match((await tell("pin"))!, /Only local models may answer in this session/);
  assert.match((await tell("/unpin"))!, /Nothing is pinned here any more/);
  assert.match((await tell("/model far/big here"))!, /in this session: loop · far\/big/);
});

test("what is pinned for everybody is set by no key that holds it", async () => {
  const session = await place.session();
  const tell = (text: string): Promise<string | undefined> => place.tell(text, { session, who: { ...owner, via: "channel" } });
  await tell("/pin engine everywhere");
  const before = JSON.stringify(place.file()["runtime"]);
  for (const one of ['set runtime {"engine":"nosuch"}', "set runtime.engine nosuch", "unset runtime"])
    assert.doesNotMatch((await tell(`/config ${one}`))!, / now/, one);
  assert.equal(JSON.stringify(place.file()["runtime"]), before);
  assert.match((await tell("/unpin everywhere"))!, /Nothing is pinned here any more/);
});

test("A-061 A-062 A-063 config: shown masked, set with types, undone; rights, money and secrets are refused", async () => {
  const session = await place.session();
  const chat: Principal = { ...owner, via: "channel" };
  const tell = (text: string, who: Principal = chat): Promise<string | undefined> => place.tell(text, { session, who });
  place.steward.settings.set("providers.far.key", "sk-should-not-be-here");
  assert.match((await tell("/config"))!, /- computer.mode: full \(file\)[^]*- providers.far.key: \(hidden\) \(file\)/);
  assert.match((await tell("config get providers"))!, /"key": "\(hidden\)"/);
  assert.equal(
    await tell("/config set webchat.port 9090"),
    "webchat.port is 9090 now, from the next start of Steward on. /undo takes it back.",
  );
  assert.deepEqual(place.file()["webchat"], { port: 9090 });
  assert.match((await tell("/undo"))!, /Undone: Changed the setting webchat\.port/);
  assert.notDeepEqual(place.file()["webchat"], { port: 9090 });
  assert.match((await tell("/config set webchat.port many"))!, /webchat\.port: .*expected number/i);
  assert.match((await tell("/config set limits.rounds 900"))!, /limits\.rounds/);
  assert.match((await tell("/config set zone Europe/Londn"))!, /zone: must be a time zone/);
  const guarded = [
    "server.port 80",
    "auth.local open",
    "osAgent.enabled true",
    "webchat.enabled true",
    'webchat {"enabled":true}',
    "osAgent.defaultUser ada",
    "budget.day 1000",
    "computer.mode full",
    "outbound.allow []",
    "providers.far.baseUrl https://evil.example",
  ];
  for (const one of guarded) assert.match((await tell(`/config set ${one}`))!, /by the owner at the page only/, one);
  assert.match((await tell("/config set budget.day 5", owner))!, /budget\.day is 5 now/);
  for (const key of ["__proto__.x", "constructor.prototype.x", "limits.__proto__.rounds"])
    assert.match((await tell(`/config set ${key} 1`, owner))!, /not a configuration key/, key);
  assert.match((await tell("/config set nonsense.key2 1", owner))!, /unknown key/);
  assert.match((await tell("/config get nonsense"))!, /There is no setting nonsense/);
  assert.match((await place.tell("/config", { who: ada }))!, /Only the owner may do this/);
  assert.match((await place.tell("/config set zone UTC", { who: ada }))!, /Only the owner may do this/);
  assert.match((await tell("/config set zone UTC", { ...owner, via: "osAgent" }))!, /Only the owner may do this/);
});

test("a secret in a command is refused, and does not stand in the log", async () => {
  const session = await place.session();
  const secret = "sk-live-0123456789abcdefghij";
  for (const text of [
    `/config set providers.near.key ${secret}`,
    `config set providers.near.key hunter2hunter2`,
    `/config set zone ${secret}`,
    `/config set providers {"near":{"apiKey":"hunter2hunter2"}}`,
    `/config set memory {"embedding":"near/x","password":"hunter2hunter2"`,
    `config set memory {"\\u006bey":["hunter2hunter2"]}`,
  ])
    assert.match((await place.tell(text, { session }))!, /Keys, tokens and passwords are not set in a chat/);
  const log = JSON.stringify(await place.steward.store.events(session));
  assert.ok(!log.includes(secret) && !log.includes("hunter2"));
  assert.match(log, /\/config set providers\.near\.key \[redacted\]/);
});

test("A-064 A-065 A-066 A-067 A-068 A-069 usage, reload, cron, subagents, status, help answer", async () => {
  const session = await place.session();
  const tell = (text: string): Promise<string | undefined> => place.tell(text, { session });
  assert.match((await tell("usage"))!, /\d/);
  assert.match((await tell("/reload"))!, /^🔄 Config and skills reloaded\./);
  assert.match((await tell("/cron"))!, /Nothing is scheduled/);
  assert.match((await tell('/cron add "0 9 * * 1-5" say good morning'))!, /^Scheduled: [0-9a-f]{8} every weekday at 9:00, next /);
  assert.equal(await tell("subagents"), "This session has no subagents at work.");
  assert.match((await tell("/subagents stop Bob"))!, /There is no subagent Bob here/);
  assert.match((await tell("status"))!, /Answers: loop · compatible\/test-1[^]*Doors: page[^]*Steward 0\.0\.1-test, up for/);
  const help = (await tell("help"))!;
  for (const name of [...NAMES, ...MORE]) assert.ok(help.includes(`- /${name} –`), name);
  assert.match((await tell("/help model"))!, /^\/model: [^]*- \/model NAME \[here\|me\|everywhere\]/);
  assert.equal(await tell("/help"), await tell("help"));
  assert.ok(!(await place.tell("help", { who: ada }))!.includes("/config"));
  assert.match((await tell("whoami"))!, /You are owner \(owner\), by the door "page"/i);
  assert.match((await tell("budget"))!, /A turn with nobody there: \$1\.00/);
});

test("new goes on in another session, clear empties, sessions lists, stop and undo say when there is nothing", async () => {
  const { steward } = place;
  const session = await place.session();
  await say(steward, owner, { session, parts: [{ type: "text", text: "The heron flies" }] });
  assert.equal(await place.tell("stop", { session }), "Nothing is running here.");
  assert.match((await place.tell("undo", { session }))!, /There is nothing to undo in this session/);
  assert.match((await place.tell("sessions", { session }))!, /\(here\) The heron flies/);
  const { reply } = await say(steward, owner, { session, parts: [{ type: "text", text: "new" }] });
  assert.notEqual(reply!.session, session);
  assert.equal((await sessionDoc(steward, owner, reply!.session!)).messages, 0);
  assert.match((await place.tell("clear", { session }))!, /^Cleared/);
  assert.deepEqual(toMessages(await steward.store.events(session)), []);
  assert.match((await place.tell("new", { session, who: { ...owner, via: "osAgent" } }))!, /\/clear empties it/);
  assert.ok((await listSessions(steward, owner, {})).total > 0);
});

test("approve and deny answer the open question; a contained door only that of its own session", async () => {
  const { steward } = place;
  const [session, other] = [await place.session(), await place.session()];
  const ask = (id: string, where: string, prompt: string) =>
    ({
      id,
      session: where,
      turn: "trn_1",
      call: "c",
      kind: "approval",
      prompt,
      scope: "network",
      options: ["allow", "deny"],
      openedAt: 1,
      expiresAt: Date.now() + 1e6,
    }) as const;
  const open = (id: string, where: string, prompt: string) =>
    steward.store.commit(opening("owner", { ...ask(id, where, prompt), options: ["allow", "deny"] }));
  assert.equal(await place.tell("approve", { session }), "There is nothing to approve.");
  await open("ask_one1", session, "May it?");
  assert.equal(await place.tell("approve", { session: other, who: { ...owner, via: "osAgent" } }), "There is nothing to approve.");
  assert.equal(await place.tell("approve for task", { session }), "Allowed for the task: May it?");
  await open("ask_two2", other, "And this?");
  await open("ask_tri3", other, "Or that?");
  const [many, elsewhere] = [
    /Which one\?\n\n- Or that\? \(ask_tri3\)\n- And this\? \(ask_two2\)/,
    /^Nothing is asked here, but elsewhere:\n\n- Or/,
  ];
  assert.match((await place.tell("/deny", { session: other }))!, many);
  assert.match((await place.tell("approve for scope", { session }))!, elsewhere);
  assert.equal(await place.tell("deny tri3", { session }), "Denied: Or that?");
  assert.equal(await place.tell("yes deny it", { session }), undefined);
  assert.match((await place.tell("Approve", { session }))!, /but elsewhere:\n\n- And this\? \(ask_two2\)/);
  const answers = (await steward.store.events(other)).flatMap(({ event }) => (event.type === "ask.answered" ? [event.answer] : []));
  assert.deepEqual(answers, [{ choice: "deny", for: "once" }]);
  assert.match((await place.tell("/approve nobody", { session }))!, /There is no open question nobody/);
  const put = { [sessionKey("owner", "ses_task")]: { task: "tsk_1" }, [taskKey("owner", "tsk_1")]: { from: session } };
  await steward.store.commit({ put });
  await open("ask_for4", "ses_task", "May the task?");
  assert.equal(await place.tell("Approve", { session }), "Allowed: May the task?");
});

test("a helper agent's session takes no commands, and a chat's command is answered at its address", async () => {
  const { steward } = place;
  const session = await place.session();
  await steward.store.commit({
    merge: { [sessionKey("owner", "ses_helper")]: { id: "ses_helper", title: "h", parent: session, messages: 0 } },
  });
  await assert.rejects(place.tell("/status", { session: "ses_helper" }), { code: "conflict" });
  const channel = keepingChannel();
  steward.channels["post"] = channel;
  await steward.store.commit({ put: { "paired/post/ann": { person: "owner", role: "owner" } } });
  const message = inbound("m1", "ann", { channel: "post", chat: "7" }, "new");
  await receive(steward, message);
  await receive(steward, message);
  await receive(steward, { ...message, key: "m2", text: "/whoami" });
  await place.composed.worker.drain();
  assert.equal(channel.sent.length, 2);
  assert.equal(channel.sent[0]!.text, "This is a new session.");
  assert.match(channel.sent[1]!.text, /by the door "channel"/);
});

test("A-091 docs/commands.md names every command and every form", async () => {
  const text = readFileSync(join(import.meta.dirname, "..", "docs", "commands.md"), "utf8").replaceAll("\\|", "|");
  for (const { name, forms } of await place.steward.commands.list(owner)) {
    assert.ok(text.includes(`/${name}`), name);
    for (const form of forms) assert.ok(text.includes(`\`/${form.text}\``), form.text);
  }
});

test("the route tells every command with its values, without the owner's to others", async () => {
  const gateway = await place.gateway();
  const list = commandRoutes["commands.list"].response;
  const answer = await fetch(`${gateway.url}/api/commands`, { headers: { authorization: `Bearer ${gateway.localToken}` } });
  const { commands } = list.parse(await answer.json());
  assert.deepEqual(commands.map(({ name }) => name).sort(), [...NAMES, ...MORE].sort());
  assert.ok(commands.find(({ name }) => name === "model")!.values.includes("compatible/test-2"));
  assert.deepEqual(
    (await place.steward.commands.list(ada)).filter(({ owner: only }) => only),
    [],
  );
});
