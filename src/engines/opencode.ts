// OpenCode by its server: started in the computer for each turn, its own session gone on with, its tools where the person's commands run.
import * as z from "zod/mini";
import type { EngineKind } from "../core/ports.ts";
import { written } from "../core/transcript.ts";
import type { Part } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { asked, partsOf } from "./asked.ts";
import { aborted, asError, type Ended, type Frame, framed, images, newFault, watch } from "./frame.ts";
import { AGENT, environment, modelOf, rulesFor, type Settings } from "./opencode-config.ts";
import { take, type Work } from "./opencode-events.ts";
import { type Fields, isGone, openServer, type Server } from "./opencode-server.ts";

const VERSION = "1.18.33";
const STEER_MS = 500;
/** How long a cancelled session may take to be kept well. */
const GRACE_MS = 400;

const config = z.strictObject({
  no_tools: z._default(z.boolean(), false),
  ask: z._default(z.boolean(), false),
  /** Whether a project's own opencode.json, AGENTS.md, commands, agents and plugins count. They run inside the computer only, so never in full mode. */
  project: z._default(z.boolean(), true),
  /** Its tool that searches the web. */
  search: z._default(z.boolean(), true),
  /** What one answer of the model may have at most. */
  outputTokens: z._default(z.int().check(z.minimum(1)), 8192),
  /** How long it may be silent while neither a tool nor a person is waited for. */
  idleSeconds: z._default(z.int().check(z.minimum(1)), 600),
});

export default {
  name: "opencode",
  config,
  wires: ["openai"],
  programs: () => [
    {
      name: "opencode",
      package: "opencode-ai",
      version: VERSION,
      bin: "opencode",
      about: "OpenCode, an open-source agent",
      licence: "MIT",
    },
  ],
  open: ({ config: settings, file }) => ({
    name: "opencode",
    run: (turn, host) => framed(turn, host, (frame) => runOpencode({ ...frame, file }, settings())),
  }),
} satisfies EngineKind<Settings>;

interface Running {
  frame: Frame;
  work: Work;
  server: Server;
  /** Rejects with what ends the turn, resolves when it is to end. */
  over: Promise<undefined>;
}

async function runOpencode(frame: Frame, settings: Settings): Promise<Ended> {
  const { place, turn, host, record } = frame;
  const { path } = await place.program("opencode");
  const held: { server?: Server } = {};
  const work = newWork(frame, () => held.server!);
  const server = await openServer(place, { path, env: environment(place, turn, settings) }, (event) => take(work, event));
  held.server = server;
  const [asking, working] = [() => work.asking > 0, () => record.running() > 0];
  const watched = watch(place, { name: "OpenCode", idleMs: settings.idleSeconds * 1000, heard: server.heard, asking, working });
  const over = Promise.race([server.broken, watched.failed, aborted(host.signal)]);
  over.catch(() => {});
  try {
    const id = await Promise.race([begin(frame, server, settings), over]);
    if (id === undefined) return { stop: "cancelled" };
    const ended = await talk({ frame, work, server, over }, id);
    return { ...ended, ...(ended.stop === "failed" || ended.lost ? {} : { resume: id.session }) };
  } finally {
    watched.stop();
    await server.kill();
  }
}

function newWork({ record, host, turn }: Frame, server: () => Server): Work {
  const own = new Set(turn.tools.map(({ name }) => `steward_${name.replace(/[^\w-]/g, "_")}`));
  return {
    own,
    ...{ record, host, server, helpers: new Set(), roles: new Map(), kinds: new Map(), inputs: new Map() },
    ...{ sent: 0, asked: new Set(), asking: 0, steps: 0, empty: 0, cut: false, idle: () => {}, retried: () => {} },
  };
}

interface Session {
  session: string;
  fresh: boolean;
}

/** Its own session, when it has it still. */
async function begin({ place, turn, more }: Frame, server: Server, settings: Settings): Promise<Session> {
  const permission = rulesFor(place, turn, settings);
  await server.ready;
  const kept = more.length === 0 ? turn.resume?.id : undefined;
  if (kept !== undefined) {
    const path = `/session/${encodeURIComponent(kept)}`;
    const known = await server.call("PATCH", path, { permission }).catch((error: unknown) => {
      if (isGone(error)) return undefined;
      throw error;
    });
    if (known !== undefined) return { session: kept, fresh: false };
  }
  const made = (await server.call("POST", "/session", { title: "Steward", permission })) as Fields;
  return { session: String(made.id), fresh: true };
}

// ---- The turn

async function talk({ frame, work, server, over }: Running, { session, fresh }: Session): Promise<Ended> {
  const { turn, host, place, record, more } = frame;
  const faulty = newFault(place);
  work.session = session;
  const { past, parts } = asked(fresh ? { history: turn.history } : turn, more);
  const idle = Promise.withResolvers<true>();
  work.idle = () => idle.resolve(true);
  // Its own way would be to try again for a long time.
  work.retried = (message) => {
    const fault = place.fault();
    work.error ??= fault === undefined ? new StewardError("unavailable", `The model's side failed: ${message}`) : asError(fault);
    work.idle();
  };
  const state: { idle: Promise<true> } = { idle: idle.promise };
  await send({ frame, work, server, over }, [...(past === "" ? [] : [{ type: "text" as const, text: past }]), ...parts]);
  const steering = steer({ frame, work, server, over });
  try {
    for (;;) {
      const done = await Promise.race([state.idle, over]);
      if (done === undefined) return stopped({ frame, work, server, over });
      const error = faulty();
      if (error !== undefined) throw asError(error);
      if (work.error !== undefined) throw work.error;
      const news = partsOf(await record.steer());
      if (news.length === 0 || host.signal.aborted) return { stop: host.signal.aborted ? "cancelled" : endOf(work, turn.rounds) };
      const next = Promise.withResolvers<true>();
      work.idle = () => next.resolve(true);
      state.idle = next.promise;
      await send({ frame, work, server, over }, news);
    }
  } finally {
    clearInterval(steering);
  }
}

const endOf = ({ cut, steps }: Work, rounds: number): "end" | "length" | "limit" =>
  cut ? "length" : steps >= rounds && rounds > 1 ? "limit" : "end";

async function send({ frame: { turn, file }, work, server, over }: Running, parts: Part[]): Promise<void> {
  const shown = await images(parts, turn.session, file);
  const body = {
    agent: AGENT,
    model: modelOf(turn),
    system: turn.instructions,
    parts: parts.flatMap((part): Fields[] => {
      const data = part.type === "file" ? shown.get(part.id) : undefined;
      const image =
        part.type === "file" && data !== undefined
          ? [{ type: "file", mime: part.mime, filename: part.name, url: `data:${part.mime};base64,${data}` }]
          : [];
      return [{ type: "text", text: written(part) }, ...image];
    }),
  };
  work.sent++;
  await Promise.race([server.call("POST", `/session/${work.session}/prompt_async`, body), over]);
}

/** What the person says meanwhile is read before the model is asked again. */
function steer(running: Running): ReturnType<typeof setInterval> {
  const { frame, work } = running;
  const state = { looking: false };
  const look = async (): Promise<void> => {
    const news = partsOf(await frame.record.steer());
    if (news.length > 0 && !frame.host.signal.aborted) await send(running, news);
  };
  return setInterval(() => {
    if (state.looking) return;
    state.looking = true;
    const failed = (error: unknown): void => {
      work.error ??= error instanceof StewardError ? error : new StewardError("internal", String(error));
      work.idle();
    };
    void look()
      .catch(failed)
      .finally(() => (state.looking = false));
  }, STEER_MS);
}

/** What it kept of the turn is believed only when it ended it well. */
async function stopped({ work, server }: Running): Promise<Ended> {
  const idle = new Promise<boolean>((resolve) => (work.idle = () => resolve(true)));
  const grace = new Promise<boolean>((resolve) => setTimeout(resolve, GRACE_MS, false));
  const ending = server.call("POST", `/session/${work.session}/abort`).then(
    () => idle,
    () => false,
  );
  return { stop: "cancelled", lost: !(await Promise.race([ending, grace])) };
}
