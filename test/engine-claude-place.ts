// Claude's real program in an engine's place, and what a request of it says. For tests of engines/claude.
import claude from "../src/engines/claude.ts";
import type { Action, Script } from "../src/testing/model-server.ts";
import { openPlace as openEnginePlace, type Place, type PlaceOptions as EnginePlaceOptions } from "./engine-place.ts";
import { realPrograms } from "./programs.ts";

/** The real program, brought once a machine. */
export const real = await realPrograms(claude.programs());
/** Options of a test of the real program. */
export const limit = { timeout: 280_000, ...(typeof real === "string" ? { skip: real } : {}) };

function realClaude(): { path: string; version: string } {
  if (typeof real === "string") throw new Error(real);
  return { path: real.path.claude!, version: real.version.claude! };
}

export interface PlaceOptions extends Omit<EnginePlaceOptions<unknown>, "engine" | "programs"> {
  /** In the real program's place. */
  program?: string;
}

/** What the settings list is allowed; of the rest nothing, unless the test says so. */
export function openPlace({ program, permit, ...more }: PlaceOptions = {}): Promise<Place> {
  return openEnginePlace({
    engine: claude,
    programs: { claude: program === undefined ? realClaude() : { path: program, version: "0" } },
    permit: async (wish) => (wish.listed ? { allowed: true } : (permit?.(wish) ?? { allowed: false, reason: "nobody is there" })),
    ...more,
  });
}

/** The texts that a request carried, side by side, without what the program adds. */
export function said({ body }: { body: { messages?: unknown[] } }): string[] {
  return (body.messages as { role: string; content: string | Record<string, unknown>[] }[]).flatMap(({ role, content }) => {
    const blocks: Record<string, unknown>[] = typeof content === "string" ? [{ type: "text", text: content }] : content;
    if (role === "system") {
      const news = /^The user sent a new message while you were working:\n(.*)/.exec(String(blocks[0]?.text))?.[1];
      return news === undefined ? [] : [`meanwhile: ${news}`];
    }
    return blocks.flatMap((block: Record<string, unknown>) => {
      if (block.type === "text") return String(block.text).startsWith("<system-reminder>") ? [] : [`${role}: ${String(block.text)}`];
      if (block.type === "tool_use") return [`${role}: call ${String(block.name)} ${JSON.stringify(block.input)}`];
      if (block.type === "tool_result")
        return [`${role}: result ${typeof block.content === "string" ? block.content : JSON.stringify(block.content)}`];
      return [`${role}: ${String(block.type)}`];
    });
  });
}

/** Each answer once; the last for ever. Calls have ids of their own, as the provider gives them. */
export const script =
  (...answers: Action[][]): Script =>
  (_request, index) =>
    answers[Math.min(index, answers.length - 1)]!.map((action) =>
      action.do === "calls" ? { ...action, calls: action.calls.map((call, at) => ({ id: `toolu_${index}_${at}`, ...call })) } : action,
    );
