// A2A: agents of other systems find this one and call it. What they are answered is src/tasks.
import { SECURITY } from "../headers.ts";
import { eventStream, type Source } from "../stream.ts";
import type { Handlers } from "../table.ts";

type Names = "a2a.card" | "a2a.answer";

export const a2a = {
  "a2a.card": async ({ gate, steward }) => {
    const card = await steward.tasks.card(gate.url());
    return new Response(JSON.stringify(card), {
      headers: { ...SECURITY, "content-type": "application/json", "cache-control": "max-age=60" },
    });
  },
  "a2a.answer": async ({ gate, steward, visit, who, caller, body }) => {
    const stop = new AbortController();
    const signal = AbortSignal.any([visit.request.signal, stop.signal]);
    const version = visit.request.headers.get("a2a-version") ?? undefined;
    const answer = await steward.tasks.answer(who, { body, url: gate.url(), version, signal });
    if (!(Symbol.asyncIterator in answer)) return answer;
    return eventStream(visit, caller, sourceOf(answer as AsyncGenerator<object>, stop));
  },
} satisfies Pick<Handlers, Names>;

function sourceOf(answers: AsyncGenerator<object>, stop: AbortController): Source {
  return {
    async next() {
      const { done, value } = await answers.next();
      return done ? undefined : `data: ${JSON.stringify(value)}\n\n`;
    },
    wake() {},
    stop: () => stop.abort(),
  };
}
