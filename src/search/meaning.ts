// What texts mean, as vectors of a configured model: `memory.embedding`. Counted like every other call of a model.
import { chosen, isKept } from "../run/choice.ts";
import { type Meter, meterFor } from "../run/meter.ts";
import type { SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { StewardError } from "../std/error.ts";
import { tokens } from "../std/text.ts";

export interface Embedder {
  space: { name: string; dimensions: number };
  /** One for each text, in their order; a length of `dimensions`, a multiple of eight. */
  embed(texts: string[], signal?: AbortSignal): Promise<Float32Array[]>;
}

const MOST_CHARACTERS = 6000;

/** Whether what was said in a session may be sent to the model of meanings: to one elsewhere nothing goes that a pin keeps here. Without a session, whether anything may. */
export async function maySend(
  steward: Steward,
  person: string,
): Promise<(doc?: Partial<SessionDoc>, senior?: Partial<SessionDoc>) => boolean> {
  const name = steward.settings.config().memory.embedding;
  const { pins } = await chosen(steward, { person, role: "member", via: "schedule" }, []);
  const remote = name !== undefined && !(await steward.models.isLocal(name));
  return (doc, senior) => !remote || (pins.local === undefined && !isKept([doc, senior]));
}

/** Undefined when none is set. Asks the model once, for the length of its vectors. */
export async function embedder(steward: Steward, person: string): Promise<Embedder | undefined> {
  const { settings, models } = steward;
  const name = settings.config().memory.embedding;
  if (name === undefined) return undefined;
  const ask = async (texts: string[], signal?: AbortSignal): Promise<Float32Array[]> => {
    if (!(await maySend(steward, person))()) throw pinned(name);
    const sent = texts.map((text) => text.slice(0, MOST_CHARACTERS));
    const input = sent.reduce((sum, text) => sum + tokens(text), 0);
    const held = await meterOf(steward, person)({ model: name, input, output: 0 });
    const vectors = await models.embed(name, sent, signal).catch(async (error: unknown) => {
      await held.settle(undefined);
      throw error;
    });
    await held.settle({ input, output: 0 }, { assumed: true });
    if (vectors.length !== texts.length || vectors.some((vector) => vector.length === 0 || vector.length !== vectors[0]!.length))
      throw new StewardError("unavailable", `${name} sent ${vectors.length} vectors for ${texts.length} texts`);
    return vectors.map(padded);
  };
  const [first] = await ask(["."]);
  const dimensions = first!.length;
  return {
    space: { name, dimensions },
    async embed(texts, signal) {
      const vectors = await ask(texts, signal);
      if (vectors.some(({ length }) => length !== dimensions))
        throw new StewardError("unavailable", `${name} changed the length of its vectors`);
      return vectors;
    },
  };
}

const pinned = (name: string): StewardError =>
  new StewardError("denied", `${name} is not on this machine, and only such models may read what you say: so it is pinned`);

/** Nobody is asked for more: without room in the budget, words alone are found. A day's index counts as one session, and as one turn with nobody there. */
function meterOf(steward: Steward, person: string): Meter {
  const day = `search-${new Date(steward.now()).toISOString().slice(0, 10)}`;
  return meterFor(steward, {
    principal: { person, role: "member", via: "schedule" },
    session: day,
    turn: day,
    shared: true,
    engine: "search",
  });
}

function padded(vector: number[]): Float32Array {
  const whole = new Float32Array(Math.ceil(vector.length / 8) * 8);
  whole.set(vector.map((value) => (Number.isFinite(value) ? value : 0)));
  return whole;
}
