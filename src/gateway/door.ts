// Everything of the gateway that is not a socket: made once, reached over HTTP (`server.ts`) and from inside the process.
import { randomBytes } from "node:crypto";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { isLoopback, type Own, plainAddress } from "./addresses.ts";
import { openAuth } from "./auth.ts";
import { openHub } from "./hub.ts";
import { openLanes } from "./lanes.ts";
import { openLive } from "./live.ts";
import { openTerminals } from "./os-agent/terminals.ts";
import { openPages } from "./pages.ts";
import { a2a } from "./routes/a2a.ts";
import { access as accessRoutes } from "./routes/access.ts";
import { answers } from "./routes/answers.ts";
import { channels } from "./routes/channels.ts";
import { commands } from "./routes/commands.ts";
import { computer } from "./routes/computer.ts";
import { doctor } from "./routes/doctor.ts";
import { documents } from "./routes/documents.ts";
import { engines } from "./routes/engines.ts";
import { identity } from "./routes/identity.ts";
import { library } from "./routes/library.ts";
import { mcp } from "./routes/mcp.ts";
import { memory } from "./routes/memory.ts";
import { notices } from "./routes/notices.ts";
import { openai } from "./routes/openai.ts";
import { people } from "./routes/people.ts";
import { schedules } from "./routes/schedules.ts";
import { sessions } from "./routes/sessions.ts";
import { settings } from "./routes/settings.ts";
import { skills } from "./routes/skills.ts";
import { tasks } from "./routes/tasks.ts";
import { tree } from "./routes/tree.ts";
import { twizzy } from "./routes/twizzy.ts";
import { usage } from "./routes/usage.ts";
import { openTickets } from "./tickets.ts";
import { enter, type Gate, type Handlers, makeRouter, type Visit } from "./table.ts";

export const handlers: Handlers = {
  ...documents,
  ...memory,
  ...library,
  ...skills,
  ...identity,
  ...computer,
  ...tree,
  ...accessRoutes,
  ...people,
  ...sessions,
  ...schedules,
  ...channels,
  ...notices,
  ...commands,
  ...answers,
  ...settings,
  ...usage,
  ...doctor,
  ...engines,
  ...mcp,
  ...tasks,
  ...a2a,
  ...openai,
  ...twizzy,
};

export interface DoorOptions {
  /** Default: as configured. */
  host?: string | undefined;
  /** 0 takes a free one. Absent: nothing listens, there is only the door inside the process. */
  port?: number | undefined;
  /** Folder of the built page; without one a plain answer says how to build it. */
  web?: string | undefined;
  /** Made when absent. */
  localToken?: string | undefined;
  /** Ends the program; without it `server.stop` is refused. */
  stop?: (() => void) | undefined;
}
export interface Door {
  gate: Gate;
  /** Answers one request that came over a socket. Never throws. */
  visit(visit: Omit<Visit, "gate">): Promise<Response>;
  /** As somebody who was recognised already; no Origin, Host or cookie plays a part. */
  inside(request: Request, who: Principal): Promise<Response>;
  close(): void;
}

export function openDoor(steward: Steward, options: DoorOptions): Door {
  const stop = new AbortController();
  const { server, auth: access } = steward.settings.config();
  const own: Own = { host: options.host ?? server.host, port: options.port ?? server.port };
  const loopback = isLoopback(plainAddress(own.host));
  if (!loopback && access.local === "open")
    steward.log("warning", 'auth.local "open" holds on loopback addresses only; it is off here', { host: own.host });
  const auth = openAuth(steward, {
    localToken: options.localToken ?? randomBytes(32).toString("base64url"),
    port: () => own.port,
    loopback,
  });
  const live = openLive(auth);
  const name = own.host === "0.0.0.0" || own.host === "::" ? "127.0.0.1" : own.host;
  const gate: Gate = {
    steward,
    auth,
    live,
    own,
    hub: openHub(steward, stop.signal),
    lanes: openLanes(),
    doors: new Map(),
    windows: new Map(),
    shells: openTerminals(steward.log),
    tickets: openTickets(steward.now),
    url: () => `http://${name.includes(":") ? `[${name}]` : name}:${own.port}`,
    stop: options.stop,
  };
  const app = makeRouter(handlers);
  const pages = openPages(options.web);
  const visit = async (given: Omit<Visit, "gate">): Promise<Response> => {
    const { method } = given.request;
    const page = method === "GET" || method === "HEAD" ? pages(given.request) : undefined;
    return page ?? enter(app, { gate, ...given });
  };
  return {
    gate,
    visit,
    inside: (request, principal) => enter(app, { gate, request, caller: { principal, by: "inside", ambient: false } }),
    close() {
      live.close();
      stop.abort();
    },
  };
}
