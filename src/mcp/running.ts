// Which servers run: started when first used, one for each person and mode, again after a failure (later and later), ended when nobody used them for a while.
import type { ServerConfig } from "../core/config-mcp.ts";
import type { Computer } from "../core/computer.ts";
import type { Principal } from "../core/types.ts";
import { watched } from "../run/identity.ts";
import { modeOf, type Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { clip, visible } from "../std/text.ts";
import { type Address, addressTransport, openAddress } from "./address.ts";
import { connect, type Connection, sdk } from "./connection.ts";
import { definitionHash } from "./definitions.ts";
import { isSignIn, providerOf, renewed, signInNeeded, signInOr, vaultOf } from "./oauth.ts";
import { hiderOf, secretOf, valuesOf } from "./given.ts";
import type { Whose } from "./listings.ts";
import type { Listed } from "./pins.ts";
import { program } from "./program.ts";

export interface Running {
  /** Opens a connection where there is none. Throws unavailable while it rests after failures. */
  connection(who: Principal, name: string, server: ServerConfig): Promise<Connection>;
  state(name: string): { state: "idle" | "starting" | "running" | "failed" | "sign-in"; note?: string; retryAt?: number };
  /** Ends all of this server, or this person's, and forgets its failures. */
  end(name: string, person?: string): Promise<void>;
  /** All that runs for this person. */
  endFor(person: string): Promise<void>;
  close(): Promise<void>;
}
interface One {
  name: string;
  person: string;
  /** Of the definition that it was started with. */
  definition: string;
  opening?: Promise<Connection> | undefined;
  open?: Connection | undefined;
  /** Over, and replaced by another, with calls that are still under way. */
  left: Set<Connection>;
  said(): string;
  failures: number;
  retryAt: number;
  problem?: string | undefined;
  signIn?: boolean;
  usedAt: number;
  timer?: NodeJS.Timeout;
  stop: AbortController;
}

const MOST_OPEN = 32;
const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 60_000;
const START_MS = 60_000;
const TAIL = 600;

export interface RunningOptions {
  steward(): Steward;
  listed(whose: Whose, tools: Record<string, Listed>): Promise<void>;
  /** Where a page of this Steward would come back from signing in. */
  redirect(): string;
}

export function openRunning(options: RunningOptions): Running {
  const all = new Map<string, One>();
  const keyOf = (who: Principal, name: string): string => JSON.stringify([name, who.person, modeOf(options.steward(), who)]);
  const drop = async (key: string, one: One): Promise<void> => {
    if (all.get(key) === one) all.delete(key);
    clearTimeout(one.timer);
    one.stop.abort();
    const open = one.open ?? one.opening?.catch(() => undefined);
    await Promise.all([open, ...one.left].map(async (connection) => (await connection)?.close()));
  };
  const touch = (key: string, one: One): void => {
    const { now, settings } = options.steward();
    one.usedAt = now();
    clearTimeout(one.timer);
    const ms = settings.config().mcp.idleMinutes * 60_000;
    const look = (): void => void (isBusy(one) ? touch(key, one) : drop(key, one));
    one.timer = setTimeout(look, ms).unref();
  };
  const makeRoom = async (): Promise<void> => {
    const open = [...all].filter(([, { open: connection, opening }]) => connection !== undefined || opening !== undefined);
    if (open.length < MOST_OPEN) return;
    const [oldest] = open.filter(([, one]) => one.open && !isBusy(one)).toSorted(([, a], [, b]) => a.usedAt - b.usedAt);
    if (!oldest) throw new StewardError("limit", `${MOST_OPEN} servers run already, all of them busy`);
    await drop(...oldest);
  };
  const ended = async (which: (one: One) => boolean): Promise<void> =>
    void (await Promise.all([...all].filter(([, one]) => which(one)).map(([key, one]) => drop(key, one))));
  return {
    async connection(who, name, server) {
      const key = keyOf(who, name);
      const definition = definitionHash(server);
      const before = all.get(key);
      if (before && before.definition !== definition) await drop(key, before);
      const one = all.get(key) ?? made(name, who.person, definition);
      all.set(key, one);
      touch(key, one);
      if (one.open && !one.open.isOpen()) {
        if (one.open.busy() > 0) one.left.add(one.open);
        else void one.open.close().catch(() => undefined); // what it held open; else it closes with its last call
        failed(options.steward(), one, one.said() || "it ended");
      }
      if (one.open) return one.open;
      if (one.opening) return one.opening;
      rests(options.steward(), one);
      await makeRoom();
      one.opening ??= start(options, who, { one, server }).finally(() => delete one.opening);
      return one.opening;
    },
    state: (name) => stateOf([...all.values()].filter((one) => one.name === name)),
    end: (name, person) => ended((one) => one.name === name && (person === undefined || one.person === person)),
    endFor: (person) => ended(({ person: whose }) => whose === person),
    close: () => ended(() => true),
  };
}

const made = (name: string, person: string, definition: string): One => ({
  ...{ name, person, definition, failures: 0, retryAt: 0, usedAt: 0 },
  ...{ left: new Set<Connection>(), said: () => "" },
  stop: new AbortController(),
});

const isBusy = ({ open, left }: One): boolean => [open, ...left].some((connection) => connection !== undefined && connection.busy() > 0);

function rests({ now }: Steward, { name, retryAt, problem }: One): void {
  if (retryAt <= now()) return;
  throw new StewardError("unavailable", `The server ${name} has failed: ${problem}`, {
    hint: `It is tried again in ${Math.ceil((retryAt - now()) / 1000)} s.`,
  });
}

function failed({ now, log }: Steward, one: One, why: string): void {
  delete one.open;
  one.problem = clip(visible(why), TAIL);
  one.failures++;
  one.retryAt = one.failures === 1 ? 0 : now() + Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (one.failures - 2));
  log("warning", "An MCP server failed", { server: one.name, failures: one.failures, error: one.problem });
}

function stateOf(ones: One[]): ReturnType<Running["state"]> {
  const broken = ones.find(({ problem, open }) => (open ? !open.isOpen() : problem !== undefined));
  const note = (broken?.open ? broken.said() || "it ended" : broken?.problem) ?? ones.map((one) => one.said()).find((text) => text !== "");
  const more = note === undefined ? {} : { note: note.slice(-TAIL) };
  if (ones.some(({ open }) => open?.isOpen())) return { state: "running", ...more };
  if (ones.some(({ opening }) => opening !== undefined)) return { state: "starting", ...more };
  if (broken) return { state: broken.signIn ? "sign-in" : "failed", ...more, ...(broken.retryAt > 0 ? { retryAt: broken.retryAt } : {}) };
  return { state: "idle" };
}

async function start(options: RunningOptions, who: Principal, { one, server }: { one: One; server: ServerConfig }): Promise<Connection> {
  const steward = options.steward();
  try {
    const connection = withWords(await (server.url === undefined ? startProgram : startAddress)(options, who, { one, server }), one);
    if (one.stop.signal.aborted) {
      await connection.close();
      throw new StewardError("unavailable", `The server ${one.name} was ended`);
    }
    await options.listed(one, connection.tools);
    Object.assign(one, { open: connection, failures: 0, retryAt: 0, problem: undefined, signIn: false });
    return connection;
  } catch (error) {
    one.signIn = isSignIn(error);
    const tail = one.said();
    const why = `${messageOf(error)}${tail ? `\n${tail}` : ""}`;
    if (one.signIn) one.problem = messageOf(error);
    else failed(steward, one, why);
    if (one.signIn) throw error;
    throw new StewardError("unavailable", `The server ${one.name} could not be started: ${one.problem}`, { cause: error });
  }
}

/** A call with which the connection ended tells why: the last of what the server said. */
function withWords(connection: Connection, one: One): Connection {
  const { call } = connection;
  return Object.assign(connection, {
    call: (...args: Parameters<typeof call>) =>
      call(...args)
        .catch((error: unknown) => {
          const said = connection.isOpen() ? "" : one.said();
          const text = messageOf(error);
          if (text.includes(said) || !(error instanceof StewardError)) throw error;
          throw new StewardError(error.code, `${text}\n${said}`, { cause: error });
        })
        .finally(() => void (connection.busy() === 0 && one.left.delete(connection))),
  });
}

const changed = (options: RunningOptions, one: One) => (tools: Record<string, Listed>) =>
  void options.listed(one, tools).catch(() => undefined);

async function startProgram(
  options: RunningOptions,
  who: Principal,
  { one, server }: { one: One; server: ServerConfig },
): Promise<Connection> {
  const { command = "", args, env, network } = server;
  const steward = options.steward();
  const [mcp, computer, values, hide] = await Promise.all([
    sdk(),
    computerOf(steward, who),
    valuesOf(steward, env),
    hiderOf(steward, server),
  ]);
  return connect({
    ...{ name: one.name, workspace: computer.workspace, version: steward.version, startMs: START_MS, signal: one.stop.signal },
    changed: changed(options, one),
    transport() {
      const made = program(watched(steward.own, who, computer), {
        argv: [command, ...args],
        env: values,
        network,
        parse: mcp.deserializeMessage,
      });
      one.said = () => hide([made.why() ?? "", made.said()].filter(Boolean).join("\n")).slice(-TAIL);
      return made;
    },
  });
}

/** Never outside walls: where the owner's own commands run without, a server runs in the owner's own computer. */
const computerOf = (steward: Steward, who: Principal): Promise<Computer> =>
  modeOf(steward, who) === "full" ? steward.computers.own(who.person) : steward.computer(who);

async function startAddress(
  options: RunningOptions,
  who: Principal,
  { one, server }: { one: One; server: ServerConfig },
): Promise<Connection> {
  const steward = options.steward();
  const { url = "", oauth } = server;
  const address: Address = openAddress(server, steward.log);
  const [mcp, headers, hide] = await Promise.all([sdk(), valuesOf(steward, server.headers), hiderOf(steward, server)]);
  const state = { signIn: false, why: "" };
  one.said = () => hide(state.why).slice(0, TAIL);
  const vault = vaultOf(steward, { name: one.name, person: who.person, url });
  const provider = await providerOf({
    ...{ name: one.name, oauth, redirect: options.redirect(), address, vault },
    missing: () => void (state.signIn = true),
    secret: (name) => secretOf(steward, name),
  });
  const known = (error: unknown): Promise<unknown> => signInOr(mcp, error, { name: one.name, vault });
  const connection = await connect({
    ...{ name: one.name, version: steward.version, startMs: START_MS, signal: one.stop.signal },
    changed: changed(options, one),
    transport: () => addressTransport(mcp, { url, headers, address, provider: renewed(mcp, provider, { vault, address }) }),
    closed: () => address.close(),
  }).catch(async (error: unknown) => {
    await address.close();
    throw state.signIn ? signInNeeded(one.name) : await known(error);
  });
  const { call } = connection;
  return Object.assign(connection, {
    async call(...args: Parameters<typeof call>) {
      try {
        return await call(...args);
      } catch (error) {
        if (!connection.isOpen()) state.why = messageOf(error);
        throw await known(error);
      }
    },
  });
}
