// Who answers: engine, model and pins of a session, its person and the install. How they are changed is src/commands.
import type { Principal } from "../core/types.ts";
import type { Failure } from "../std/error.ts";
import { type SessionDoc, sessionKey } from "./sessions.ts";
import type { Steward } from "./steward.ts";

/** `local`: models of this machine or the private network only. `engine`: the chosen engine only. */
export type Pin = "local" | "engine";
export type Scope = "session" | "person" | "install";
/** `found`: nobody chose it. */
export type From = Scope | "found";
export interface Choice {
  engine: string;
  /** "provider/name". */
  model: string;
  /** What holds, and the widest place that says so. */
  pins: Partial<Record<Pin, Scope>>;
  from: { engine: From; model: From };
}
/** As it stands in a session's document, a person's, or the configuration. */
export interface Wish {
  engine?: string | null;
  model?: string | null;
  pin?: Pin | null;
}
export interface Level extends Wish {
  from: Scope;
}
export type Whose = Pick<Principal, "person">;
type Docs = readonly (Partial<SessionDoc> | undefined)[];

export const choiceKey = (person: string): string => `p/${person}/choice`;

/** `docs`: of the session, then of its senior. */
export async function chosen(steward: Steward, { person }: Principal, docs: Docs): Promise<Choice> {
  return resolved(steward, await levelsOf(steward, person, docs));
}

/** Of a session by its id, or of a new one. */
export async function choiceOf(steward: Steward, who: Principal, session?: string): Promise<Choice> {
  return chosen(steward, who, session === undefined ? [] : await docsOf(steward, who, session));
}

export async function docsOf({ store }: Steward, { person }: Whose, session: string): Promise<Docs> {
  const doc = (await store.get(sessionKey(person, session))) as SessionDoc | undefined;
  const senior = doc?.parent === undefined ? undefined : ((await store.get(sessionKey(person, doc.parent))) as SessionDoc | undefined);
  return [doc, senior];
}

/** Of a session and its senior: whether what is said there stays on this machine, by a pin of one of them, whatever holds elsewhere. */
export const isKept = (docs: Docs): boolean => docs.some((doc) => doc?.pin === "local");

export const staysHere = async (steward: Steward, who: Whose, session: string): Promise<boolean> =>
  isKept(await docsOf(steward, who, session));

/** Read one by one: a person may have very many more sessions than these. */
const FEW = 100;

/** Those of these sessions for which that holds. */
export async function stayingHere(steward: Steward, who: Whose, sessions: string[]): Promise<Set<string>> {
  if (sessions.length <= FEW) {
    const stays = await Promise.all(sessions.map((session) => staysHere(steward, who, session)));
    return new Set(sessions.filter((_, at) => stays[at]));
  }
  const docs = new Map((await steward.store.list(sessionKey(who.person, ""))).map(({ key, value }) => [key, value as SessionDoc]));
  const doc = (id = ""): SessionDoc | undefined => docs.get(sessionKey(who.person, id));
  return new Set(sessions.filter((id) => isKept([doc(id), doc(doc(id)?.parent)])));
}

/** Narrowest first. */
export async function levelsOf({ store, settings }: Steward, person: string, docs: Docs): Promise<Level[]> {
  const own = (await store.get(choiceKey(person))) as Wish | undefined;
  const { runtime, model } = settings.config();
  const { engine, ...pinned } = runtime;
  const isChosen = settings.origins()["runtime.engine"] !== undefined; // else it is only what Steward has by itself
  return [
    ...docs.map((doc): Level => ({ ...doc, from: "session" })),
    { ...own, from: "person" },
    { ...pinned, ...(isChosen ? { engine } : {}), ...(model === undefined ? {} : { model }), from: "install" },
  ];
}

/** Where the engine is pinned, what narrower places say of engines does not count. */
export function resolved(steward: Steward, levels: Level[]): Choice {
  const widest = (pin: Pin): number => levels.findLastIndex((level) => level.pin === pin);
  const engine = levels.slice(Math.max(0, widest("engine"))).find((level) => level.engine);
  const model = levels.find((level) => level.model);
  return {
    engine: engine?.engine ?? "loop",
    model: model?.model ?? steward.models.current(),
    pins: Object.fromEntries((["local", "engine"] as const).flatMap((pin) => (widest(pin) < 0 ? [] : [[pin, levels[widest(pin)]!.from]]))),
    from: { engine: engine?.from ?? "found", model: model?.from ?? "found" },
  };
}

/** Why these may not answer under the pins; undefined when they may. Also for those of the chain that stand in. */
export async function breach(
  steward: Steward,
  { engine, pins }: Choice,
  asked: { engine: string; model: string },
): Promise<Failure | undefined> {
  if (pins.engine && asked.engine !== engine) return refusal(`Only the engine ${engine} may answer: it is pinned ${WHERE[pins.engine]}.`);
  if (pins.local && !(await steward.models.isLocal(asked.model)))
    return refusal(
      `${asked.model} is not on this machine or in the private network, and only such models may answer: so it is pinned ${WHERE[pins.local]}.`,
    );
  return undefined;
}

export const WHERE: Record<Scope, string> = { session: "in this session", person: "for you", install: "for everybody" };
const refusal = (message: string): Failure => ({
  code: "denied",
  message,
  hint: "/model lists what there is; /unpin takes the pin away, where you may.",
});
