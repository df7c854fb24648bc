// Looked at before a token is spent: can anybody answer, and is there budget?
import { choiceOf, resolved } from "../run/choice.ts";
import { candidates, restOf } from "../run/failover.ts";
import type { Steward } from "../run/steward.ts";
import { failureOf } from "../std/error.ts";
import { tokens } from "../std/text.ts";
import type { Choice } from "../run/choice.ts";
import { levelsOf } from "../run/choice.ts";
import type { End, Running } from "./run.ts";
import { failureText } from "./said.ts";
import type { Schedule } from "./state.ts";

/** What instructions and tools take at least, and what an answer needs. */
const USUAL_INPUT = 2500;
const LEAST_OUTPUT = 200;

export async function choiceFor(steward: Steward, running: Pick<Running, "doc" | "who">): Promise<Choice> {
  const { doc, who } = running;
  if (doc.session !== undefined) return choiceOf(steward, who, doc.session);
  return resolved(steward, [{ ...wishOf(doc), from: "session" }, ...(await levelsOf(steward, who.person, []))]);
}

export const wishOf = ({ engine, model, pin }: Schedule): Pick<Schedule, "engine" | "model" | "pin"> => ({
  ...(engine ? { engine } : {}),
  ...(model ? { model } : {}),
  ...(pin ? { pin } : {}),
});

/** Why it can't run now; undefined when it can. */
export async function ready(steward: Steward, running: Running): Promise<End | undefined> {
  const choice = await choiceFor(steward, running);
  const { all, refused } = await candidates(steward, choice);
  if (all.length === 0) return { outcome: "skipped", reason: refused?.message ?? "Nobody may answer.", cause: "model" };
  const rests = await Promise.all(all.map((one) => restOf(steward, one)));
  const free = all.filter((_, at) => rests[at] === undefined);
  if (free.length === 0) {
    const until = Math.min(...rests.map((rest) => rest?.until ?? Infinity));
    return {
      outcome: "skipped",
      reason: `Nobody can answer now: ${rests[0]?.why ?? "all rest"}`,
      again: { notBefore: until },
      cause: "model",
    };
  }
  const trouble = await opens(steward, free);
  if (trouble) return trouble;
  return affordable(steward, running, free[0]!);
}

type Candidates = Awaited<ReturnType<typeof candidates>>["all"];

/** A program of an engine says itself what is missing; a model of Steward's own loop has to be there. */
async function opens(steward: Steward, free: Candidates): Promise<End | undefined> {
  let why: string | undefined;
  for (const { engine, model } of free) {
    if (engine !== "loop") return undefined;
    try {
      await steward.models.open(model);
      return undefined;
    } catch (error) {
      why ??= failureText(failureOf(error));
    }
  }
  return { outcome: "skipped", reason: why ?? "Nobody may answer.", again: {}, cause: "model" };
}

async function affordable(steward: Steward, { doc, who }: Running, { engine, model }: Candidates[number]): Promise<End | undefined> {
  const prompt = "prompt" in doc.action ? doc.action.prompt : "";
  const meter = steward.money.meter({ principal: who, session: doc.session ?? "", turn: "", engine });
  try {
    const held = await meter({ model, input: USUAL_INPUT + tokens(prompt), output: LEAST_OUTPUT, least: LEAST_OUTPUT });
    await held.settle(undefined);
    return undefined;
  } catch (error) {
    const { code, message } = failureOf(error);
    if (code !== "limit") throw error;
    return { outcome: "skipped", reason: message, cause: "budget" };
  }
}
