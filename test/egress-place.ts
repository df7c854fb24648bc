// What the tests of the proxy stand on: a Steward without turns, local servers under made-up names, and a port that stands for the one inside a computer.
import { execFile, spawn } from "node:child_process";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { Duplex } from "node:stream";
import type { Egress } from "../src/core/computer.ts";
import type { Answer, Ask, Principal } from "../src/core/types.ts";
import { answerAsk, openAsks } from "../src/run/asks.ts";
import { openEgress, type EgressOptions } from "../src/run/egress.ts";
import { openAuthority } from "../src/run/egress-certificates.ts";
import { taskText } from "../src/run/egress-tasks.ts";
import { makeSession, sessionKey } from "../src/run/sessions.ts";
import { sqlite } from "../src/stores/sqlite.ts";
import { scripted } from "../src/testing/scripted.ts";
import { harness, OWNER, temporary } from "./harness.ts";
import { until } from "./turns-place.ts";

export interface Place extends Awaited<ReturnType<typeof place>> {}

/** `names`: what the resolver knows. Every name that is not there has a loopback address. */
export async function place({
  config = {},
  options = {},
  names = {},
  person = OWNER.person,
}: { config?: Record<string, unknown>; options?: EgressOptions; names?: Record<string, string[]>; person?: string } = {}) {
  const home = temporary();
  const logs: { message: string; fields: Record<string, unknown> }[] = [];
  const steward = harness({ store: await sqlite(":memory:"), model: scripted(() => []), home, config });
  steward.log = (_level, message, fields = {}) => void logs.push({ message, fields });
  const servers = openAuthority(temporary(), Date.now);
  const resolved: string[] = [];
  const resolve = async (host: string): Promise<{ address: string; family: number }[]> => {
    resolved.push(host);
    return (names[host] ?? ["127.0.0.1"]).map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  const egresses = openEgress(() => steward, { resolve, authorities: [servers.certificate], ...options });
  const egress = egresses(person);
  const closers: (() => void)[] = [];
  const listening = async (server: Server, port = 0): Promise<number> => {
    await new Promise<void>((ready, fail) => server.once("error", fail).listen(port, "127.0.0.1", ready));
    closers.push(() => server.close());
    return (server.address() as AddressInfo).port;
  };
  const inside = await listening(inner(egress));
  const trust = join(home, "trust.pem");
  writeFileSync(trust, (await egress.trust()) + servers.certificate);
  const context = (host: string) => ({
    SNICallback: (_name: string, done: (error: null, found: never) => void) => done(null, servers.leaf(host) as never),
  });
  return {
    ...{ steward, egress, egresses, logs, resolved, inside, trust, home, servers, listening },
    set: (key: string, value: unknown) => steward.settings.set(key, value),
    http: (take: RequestListener) => listening(createHttp(take)),
    https: (host: string, take: RequestListener, port = 0) =>
      listening(createHttps({ ...context(host), ALPNProtocols: ["http/1.1"] } as never, take), port),
    raw: (take: (socket: Socket) => void) => listening(createServer(take)),
    asked: (who: Principal = OWNER) => until(async () => (await openAsks(steward, who))[0]),
    answer: (ask: Ask, answer: Answer, who: Principal = OWNER) => answerAsk(steward, who, ask.id, answer),
    verdicts: () =>
      logs
        .filter(({ message }) => message.startsWith("egress"))
        .map(({ message, fields }) => [message, fields.host, fields.by ?? fields.why]),
    /** A turn that runs a command, as the log shows it. */
    async task(who: Principal = OWNER, command = "curl x") {
      const { id: session } = await makeSession(steward, who, { title: "one" });
      const [turn, item] = [`trn_${session}`, `itm_${session}`];
      const call = { id: "call_1", tool: "execute_terminal_command", input: { command } };
      await steward.store.commit({
        events: [{ session, event: { type: "item.started", turn, item: { id: item, kind: "tool", call } } }],
        merge: { [sessionKey(who.person, session)]: { running: turn } },
      });
      return {
        session,
        turn,
        text: taskText({ session, turn, item }),
        end: () => steward.store.commit({ merge: { [sessionKey(who.person, session)]: { running: null } } }),
      };
    },
    async close() {
      egresses.close();
      for (const close of closers) close();
      await steward.store.close();
    },
  };
}

/** Each connection to this server is a tunnel, as from inside a computer. */
export function inner(egress: Egress): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    egress.open(Duplex.toWeb(socket) as never);
  });
}

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** A real program in the environment of a command inside. */
export function program(
  { egress, inside, trust }: Pick<Place, "egress" | "inside" | "trust">,
  argv: string[],
  task?: string,
): Promise<Ran> {
  const env = {
    PATH: "/usr/bin:/bin",
    HOME: "/nonexistent",
    SSL_CERT_FILE: trust,
    CURL_CA_BUNDLE: trust,
    GIT_SSL_CAINFO: trust,
    ...egress.variables(inside, task),
  };
  return new Promise((resolve) => {
    execFile(argv[0]!, argv.slice(1), { env, timeout: 90_000, maxBuffer: 1e9 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : ((error as { code?: number }).code ?? -1), out, err }),
    );
  });
}
export const curl = (one: Place, args: string[], task?: string): Promise<Ran> =>
  program(one, ["curl", "-sS", "--max-time", "60", ...args], task);

/** What comes back for these bytes, until the other side ends. */
export async function bytes(one: Pick<Place, "inside">, text: string | Buffer, ms = 30_000): Promise<string> {
  const { connect } = await import("node:net");
  return new Promise((resolve, reject) => {
    let got = "";
    const timer = setTimeout(() => reject(new Error(`no end after ${ms} ms; so far: ${got}`)), ms);
    const socket = connect(one.inside, "127.0.0.1", () => void socket.write(text));
    socket.setEncoding("latin1").on("data", (piece: string) => (got += piece));
    const over = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got);
    };
    socket.on("end", over).on("close", over).on("error", over);
  });
}

export const hasProgram = (name: string): Promise<boolean> =>
  new Promise((resolve) =>
    spawn(name, ["--version"], { stdio: "ignore" })
      .on("error", () => resolve(false))
      .on("exit", (code) => resolve(code === 0)),
  );
