// What OS-Agent's commands in Discord do: always in the person's own computer, with their rights, and the result said in the chat.
import type { Job } from "../core/store.ts";
import { byHand, mustBeOn } from "../run/by-hand.ts";
import { limitsOf } from "../run/computers.ts";
import { putFile } from "../run/files.ts";
import { type Hold, LEASE_MS } from "../run/jobs.ts";
import { notify } from "../run/notifications.ts";
import { sending } from "../run/outbox.ts";
import { refusedCommand } from "../run/policy.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { awaitedKey, type Bang, type BangData } from "./bang.ts";
import { inShell, shellOf } from "./bang-shell.ts";

/** As OS-Agent's bot shows it. */
const SHOWN = 1900;
const MOST_MS = 3_600_000;
const MOST_READ = 8 * 1024 * 1024;
const STOP_MS = 1500;

interface Doing {
  steward: Steward;
  data: BangData;
  signal: AbortSignal;
}
/** `output`: in a code block, at its full length as a file. */
type Result = { text: string } | { output: string };

/** Once: of one that was cut off nobody knows how far it came. */
export async function bang(steward: Steward, job: Job, hold: Hold): Promise<void> {
  const data = job.data as BangData;
  const { id, to, from, principal, session } = data;
  const begun = `bang-begun/${id}`;
  const lease = { job: job.id, epoch: job.epoch };
  const cut = await steward.store.get(begun);
  if (!cut) await steward.store.commit({ put: { [begun]: true }, lease: { ...lease, then: { keepMs: LEASE_MS } } });
  const result = cut
    ? { text: `Steward was stopped while \`!${data.name}\` ran. Nobody knows how far it came.` }
    : await resultOf({ steward, data, signal: AbortSignal.any([hold.abort.signal, AbortSignal.timeout(mostOf(steward))]) });
  if (hold.abort.signal.aborted) throw hold.abort.signal.reason;
  const letter = "text" in result ? { text: result.text } : await shown(steward, data, result.output);
  const sent = sending({ person: principal.person, to, session, ...letter }, steward.now(), id);
  await steward.store.commit({ ...sent, drop: [begun, awaitedKey(to, from)], lease: { ...lease, then: "done" } });
  void steward.lookout.look(principal.person);
}

const mostOf = (steward: Steward): number => limitsOf(steward).commandMs ?? MOST_MS;

async function resultOf(doing: Doing): Promise<Result> {
  try {
    return await WORK[doing.data.name](doing);
  } catch (error) {
    if (!(error instanceof StewardError) || error.code === "internal" || error.code === "stale") throw error;
    return { text: `Error: ${error.message}${error.hint ? ` ${error.hint}` : ""}` };
  }
}

async function shown(steward: Steward, { principal }: BangData, output: string): Promise<{ text: string; files?: string[] }> {
  const text = output.trimEnd() || "(no output)";
  const block = (inner: string): string => `\`\`\`\n${inner.replaceAll("```", "ˋˋˋ")}\n\`\`\``;
  if (text.length <= SHOWN) return { text: block(text) };
  const bytes = new TextEncoder().encode(text);
  const { id } = await putFile(steward, principal, { name: "output.txt", bytes, limit: MOST_READ * 4 });
  return { text: `The last of ${text.length} characters; all are in the file.\n${block(text.slice(-SHOWN).toWellFormed())}`, files: [id] };
}

const WORK: Record<Bang, (doing: Doing) => Promise<Result>> = {
  async exec({ steward, data, signal }) {
    const { principal, to, from, rest, id } = data;
    const command = allowed(steward, rest);
    const shell = shellOf(principal.person, to);
    let asks = 0;
    return {
      output: await inShell(await steward.computers.own(principal.person), {
        ...{ id: shell, command, signal },
        async waits(prompt) {
          const text = `**VM input requested:** ${prompt.trim() || "(no words)"}`;
          const sent = sending({ person: principal.person, to, text }, steward.now(), `${id}.${++asks}`);
          await steward.store.commit({ ...sent, put: { ...sent.put, [awaitedKey(to, from)]: { shell, principal } } });
        },
      }),
    };
  },
  async run({ steward, data, signal }) {
    const command = allowed(steward, data.rest);
    const computer = await steward.computers.own(data.principal.person);
    const { stdout, stderr, timedOut, cancelled } = await computer.exec(`exec 2>&1\n${command}`, { signal, timeoutMs: mostOf(steward) });
    return { output: `${stdout}${stderr}${timedOut || cancelled ? "\n(It took too long and was stopped.)" : ""}` };
  },
  async ls({ steward, data }) {
    const { computer } = await byHand(steward, data.principal);
    const all = await computer.list(data.rest.trim() || computer.workspace);
    return { output: all.map(({ name, type }) => (type === "dir" ? `${name}/` : name)).join("\n") || "(empty)" };
  },
  async read({ steward, data }) {
    const { computer } = await byHand(steward, data.principal);
    return { output: new TextDecoder().decode(await computer.read(named(data.rest, "!read PATH"), { limit: MOST_READ })) };
  },
  async write({ steward, data }) {
    const [, path = "", text = ""] = /^(\S+)(?:\s([\s\S]*))?$/.exec(data.rest) ?? [];
    const { computer, changes } = await byHand(steward, data.principal);
    await changes(named(path, "!write PATH TEXT"), false);
    await computer.write(path, new TextEncoder().encode(text));
    return { text: "Saved" };
  },
  async delete({ steward, data }) {
    const path = named(data.rest, "!delete PATH");
    const { computer, changes } = await byHand(steward, data.principal);
    try {
      await changes(path, true);
      await computer.remove(path);
      return { text: "Deleted" };
    } catch (error) {
      if (hasCode(error, "not_found")) return { text: "File not found" };
      throw error;
    }
  },
  async notify({ steward, data }) {
    const { principal, session, rest, id } = data;
    await notify(steward, principal, { message: named(rest, "!notify TEXT"), session, key: id, from: "outside" });
    return { text: "Notified" };
  },
  async restartvm({ steward, data }) {
    mustBeOn(steward, "terminal");
    const { machine } = await steward.computers.own(data.principal.person);
    if (!machine) throw new StewardError("unavailable", "There is no computer here that can be restarted");
    await machine.stop();
    await machine.start();
    return { text: "The computer was restarted." };
  },
  async shutdown({ steward, data }) {
    if (!data.owner) throw new StewardError("denied", "Only the owner may stop Steward.");
    const { stop } = steward;
    if (!stop) throw new StewardError("unavailable", "This Steward can't be stopped from here.");
    setTimeout(stop, STOP_MS).unref();
    return { text: "Steward stops now." };
  },
  reset: async () => Promise.reject(new StewardError("internal", "!reset is /clear")),
};

function named(text: string, form: string): string {
  if (text.trim() === "") throw new StewardError("invalid", `It goes like this: ${form}`);
  return text.trim();
}

function allowed(steward: Steward, given: string): string {
  mustBeOn(steward, "terminal");
  const command = named(given, "!exec COMMAND");
  const refused = refusedCommand(command, steward.permissions.read().capabilities.terminal.restrictions);
  if (refused) throw new StewardError("denied", `Permission denied: ${refused}.`);
  return command;
}
