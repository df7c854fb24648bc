// How it is changed who answers: for a session, a person or the install, never against a pin.
import type { Event } from "../core/events.ts";
import type { Principal } from "../core/types.ts";
import {
  breach,
  type Choice,
  choiceKey,
  choiceOf,
  docsOf,
  type Level,
  levelsOf,
  type Pin,
  resolved,
  type Scope,
  WHERE,
  type Wish,
} from "../run/choice.ts";
import { markOldFacts } from "../run/memory.ts";
import { ownDoc, sessionKey } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { isOwner } from "./command.ts";

export interface Wanted {
  scope: Scope;
  /** Its own choice gives way to a wider one. */
  session?: string;
  /** null: as the next wider place says. */
  engine?: string | null;
  /** "provider/name". */
  model?: string | null;
  /** The model that this one answers with by itself. */
  provider?: string;
  /** null: none, here and in what is narrower. */
  pin?: Pin | null;
}

/** Holds from the next turn on. Throws not_found for what there is not, invalid for a model that can't be had, denied against a pin or without the right. */
export async function choose(steward: Steward, who: Principal, { provider, ...wanted }: Wanted): Promise<Choice> {
  const { scope, session } = wanted;
  if (scope === "session" && session === undefined) throw new StewardError("invalid", "There is no session to choose for");
  if (scope === "install" && !isOwner(who))
    throw new StewardError("denied", "Only the owner chooses for everybody", {
      hint: "Choose for yourself (me) or for this session (here).",
    });
  if (session !== undefined) await ownDoc(steward, who, session);
  const wish: Wish = {
    ...(wanted.engine === undefined ? {} : { engine: wanted.engine }),
    ...(wanted.model === undefined ? {} : { model: wanted.model }),
    ...(provider === undefined ? {} : { model: await steward.models.preferred(provider) }),
    ...(wanted.pin === undefined ? {} : { pin: wanted.pin }),
  };
  if (wish.pin === "engine") wish.engine ??= (await choiceOf(steward, who, session)).engine;
  if (wish.engine) await steward.engine(wish.engine);
  if (wish.model) await steward.models.check(wish.model);
  await checkPins(steward, who, { scope, wish, ...(session === undefined ? {} : { session }) });
  await write(steward, who, { scope, wish, ...(session === undefined ? {} : { session }) });
  return choiceOf(steward, who, session);
}

interface Placed {
  scope: Scope;
  session?: string;
  wish: Wish;
}
const ORDER: Scope[] = ["session", "person", "install"];

/** What it would come to is looked at before anything is written. */
async function checkPins(steward: Steward, who: Principal, { scope, session, wish }: Placed): Promise<void> {
  const before = await levelsOf(steward, who.person, session === undefined ? [] : await docsOf(steward, who, session));
  const [was, held] = [resolved(steward, before), before.find((level) => level.from === scope)?.pin];
  if (wish.pin && held && held !== wish.pin)
    throw new StewardError("denied", `There is a pin ${WHERE[scope]} already: ${held}`, { hint: "/unpin first." });
  const cleared = Object.fromEntries(Object.keys(wish).map((key) => [key, null]));
  const after = before.map((level): Level => {
    if (level.from === scope) return { ...level, ...wish };
    const narrower = ORDER.indexOf(level.from) < ORDER.indexOf(scope);
    return narrower ? { ...level, ...cleared, ...(wish.pin ? { pin: level.pin ?? null } : {}) } : level;
  });
  const next = resolved(steward, after);
  const pinned = wish.pin === null ? next.pins : { ...next.pins, ...was.pins };
  const asked = { engine: wish.engine ?? next.engine, model: wish.model ?? next.model };
  const refused = await breach(steward, { ...was, pins: pinned }, asked);
  if (refused) throw new StewardError("denied", refused.message, { hint: refused.hint ?? "" });
}

async function write(steward: Steward, who: Principal, { scope, session, wish }: Placed): Promise<void> {
  if (wish.pin === null) await markOldFacts(steward, who);
  if (scope === "install") configure(steward, wish);
  const gone = Object.fromEntries(
    Object.keys(wish)
      .filter((key) => key !== "pin" || wish.pin === null)
      .map((key) => [key, null]),
  );
  const merge: Record<string, Record<string, unknown>> = {};
  if (scope !== "session") merge[choiceKey(who.person)] = scope === "person" ? { ...wish } : gone;
  if (session !== undefined) merge[sessionKey(who.person, session)] = scope === "session" ? { ...wish } : gone;
  const told: Event = {
    type: "session.updated",
    ...(wish.engine === undefined ? {} : { engine: (scope === "session" && wish.engine) || "" }),
    ...(wish.model === undefined ? {} : { model: (scope === "session" && wish.model) || "" }),
    ...(wish.pin === undefined ? {} : { pin: (scope === "session" && wish.pin) || "" }),
  };
  await steward.store.commit({ merge, ...(session === undefined ? {} : { events: [{ session, event: told }] }) });
}

const KEYS = { engine: "runtime.engine", model: "model", pin: "runtime.pin" } as const;

function configure({ settings }: Steward, wish: Wish): void {
  const origins = settings.origins();
  const named = (["engine", "model", "pin"] as const).filter((name) => wish[name] !== undefined);
  for (const name of named) {
    const origin = origins[KEYS[name]];
    if (origin !== undefined && origin !== "file")
      throw new StewardError("conflict", `${KEYS[name]} is set by ${origin}, which comes before config.json`, {
        hint: "Choose for yourself (me) or for this session (here), or start Steward without it.",
      });
  }
  for (const name of named) settings.set(KEYS[name], wish[name] ?? undefined);
}
