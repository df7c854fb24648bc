// Routes for programs: sessions by name, one command, a session's shell, helper agents. What a shell is, is `os-agent/terminals.ts`, which OS-Agent's socket uses too.
import type { Computer } from "../../core/computer.ts";
import type { Principal } from "../../core/types.ts";
import { spawnAgent } from "../../run/agents.ts";
import { namedSession, namedSessions } from "../named-sessions.ts";
import { notify } from "../../run/notifications.ts";
import { reach } from "../../run/reach.ts";
import { usedBy } from "../../run/returns.ts";
import { executeWithSecret } from "../secret-command.ts";
import { getSession, ownDoc } from "../../run/sessions.ts";
import type { Steward } from "../../run/steward.ts";
import { StewardError } from "../../std/error.ts";
import { newId } from "../../std/id.ts";
import { lastMessage } from "../os-agent/sessions.ts";
import { allowed, limitOf } from "../os-agent/shell.ts";
import { describeFailure } from "../status.ts";
import { eventStream } from "../stream.ts";
import type { Call, Gate, Handlers } from "../table.ts";
import { type Say, workSource } from "../work-source.ts";

type Names = "named.list" | "named.open" | "agents.spawn" | "shells.run" | "shells.type" | "shells.restart" | "computer.exec";

export const library = {
  "named.list": async ({ steward, who }) => ({
    sessions: await Promise.all(
      (await namedSessions(steward, who)).map(async ({ name, doc: { id, updatedAt } }) => ({
        name,
        id,
        last_message: await lastMessage(steward, id),
        updatedAt,
      })),
    ),
  }),
  "named.open": async ({ steward, who, body }) => {
    const name = body.name.replaceAll("\0", "").toWellFormed().trim();
    if (name === "") throw new StewardError("invalid", "A session's name has 1 to 200 characters");
    const { session } = await namedSession(steward, who, name);
    const { seq = 0, running } = await getSession(steward, who, session);
    return { name, id: session, seq, running };
  },
  "agents.spawn": async ({ steward, who, id, body: { key = newId("call"), name, details = "", context = "" } }) => {
    await ownDoc(steward, who, id);
    return { name: await spawnAgent(steward, who, { session: id, call: `program/${key}`, name, details, context }) };
  },
  "shells.run": async (call) => {
    await ownDoc(call.steward, call.who, call.id);
    allowed(call, call.body.command);
    return streamed(call, (say, signal) => runInShell(call, { session: call.id, command: call.body.command, say, signal }));
  },
  "shells.type": async ({ gate, steward, who, id, body }) => {
    await ownDoc(steward, who, id);
    await gate.shells.type(shellOf(await steward.computer(who), id), body.data);
    return { success: true };
  },
  "shells.restart": async ({ gate, steward, who, id }) => {
    await ownDoc(steward, who, id);
    await gate.shells.close(who.person);
    const { machine } = await steward.computer(who);
    await machine?.stop();
    await machine?.start();
    steward.log("info", "Shells were ended, the computer is started again", { person: who.person, via: who.via });
    await notify(steward, who, { message: "VM terminal restarted", session: id, from: "outside" });
    return { success: true };
  },
  "computer.exec": async (call) => {
    const { body } = call;
    allowed(call, body.command);
    if (body.secret && body.stdin !== undefined)
      throw new StewardError("invalid", "A command is given a secret or other input, not both: the secret is its standard input");
    return streamed(call, (_say, signal) => execute(call.steward, call.who, { ...body, signal }));
  },
} satisfies Pick<Handlers, Names>;

type Asking = Pick<Call<"computer.exec">, "gate" | "steward" | "visit" | "caller">;
const streamed = ({ steward, visit, caller }: Asking, work: Parameters<typeof workSource>[0]): Response =>
  eventStream(
    visit,
    caller,
    workSource(work, (error) => describeFailure(error, steward.log, steward.now()).body),
  );

interface OneCommand {
  command: string;
  cwd?: string | undefined;
  stdin?: string | undefined;
  timeoutMs?: number | undefined;
  secret?: { name: string } | { value: string } | undefined;
  signal: AbortSignal;
}

async function execute(steward: Steward, who: Principal, { command, cwd, stdin, timeoutMs, secret, signal }: OneCommand) {
  const limit = limitOf({ steward }, timeoutMs === undefined ? undefined : timeoutMs / 1000);
  const how = { signal, ...(limit === undefined ? {} : { timeoutMs: limit }) };
  if (secret) return executeWithSecret(steward, who, { command, secret, ...how, ...(cwd === undefined ? {} : { cwd }) });
  const computer = await steward.computer(who);
  const rules = reach(steward, computer);
  const at = cwd === undefined ? undefined : (await rules.resolved(cwd)).at;
  if (at !== undefined) await rules.refuse(at);
  return computer.exec(command, { ...how, ...(at === undefined ? {} : { cwd: at }), ...(stdin === undefined ? {} : { stdin }) });
}

/** The owner's own machine has shells of its own beside those in the owner's computer. */
const shellOf = ({ mode }: Computer, session: string): string => (mode === "contained" ? session : `${session}-${mode}`);

interface InShell {
  session: string;
  command: string;
  say: Say;
  signal: AbortSignal;
}

/** What it puts into /return belongs to this session. */
async function runInShell(
  { gate, steward, who }: { gate: Gate; steward: Steward; who: Principal },
  { session, command, say, signal }: InShell,
) {
  const computer = await steward.computer(who);
  await computer.machine?.start();
  await steward.store.commit({ put: usedBy(steward, who.person, session) });
  const decoder = new TextDecoder();
  const limit = limitOf({ steward });
  const late = new AbortController();
  const timer = limit === undefined ? undefined : setTimeout(() => late.abort(), limit);
  try {
    const code = await gate.shells.run(who.person, shellOf(computer, session), {
      computer,
      command,
      data: (bytes) => say("output", decoder.decode(bytes, { stream: true })),
      waiting: (waiting) => void say("waiting", waiting),
      signal: AbortSignal.any([signal, late.signal]),
    });
    return { code: code ?? null, timedOut: late.signal.aborted };
  } finally {
    clearTimeout(timer);
    void steward.lookout.look(who.person);
  }
}
