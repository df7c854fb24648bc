// What a caller that listens is sent while its task is at work: pieces of text as they come, then how it ended.
import type * as A2A from "@a2a-js/sdk";
import type { LiveEvent, Stored } from "../core/events.ts";
import { openTurn } from "../core/history.ts";
import type { Notice } from "../core/store.ts";
import { type Asked, artifact, LOOK_BACK, privateTurns, type Serving } from "./a2a-parts.ts";

const LOOK_MS = 2000;

/** Ends with the task, when it waits for a person, or when the caller goes. */
export async function* followed(
  { steward, sdk, signal }: Serving,
  asked: Asked,
  shown: () => Promise<A2A.Task>,
): AsyncGenerator<A2A.StreamResponse, void, undefined> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const { session, id: taskId, context: contextId } = asked;
  const sent = new Map<string, number>();
  const piece = (id: string, text: string, last: boolean): A2A.StreamResponse => {
    const append = sent.has(id);
    sent.set(id, (sent.get(id) ?? 0) + text.length);
    return {
      payload: {
        $case: "artifactUpdate",
        value: { taskId, contextId, artifact: artifact(id, text), append, lastChunk: last, metadata: undefined },
      },
    };
  };
  const { TaskState: all } = sdk;
  const goesOn = [all.TASK_STATE_SUBMITTED, all.TASK_STATE_WORKING];
  let told: A2A.TaskState | undefined;
  let own = false;
  try {
    for await (const notice of watched(steward.store.watch(both), both)) {
      const live = notice?.session === session ? notice.live : undefined;
      if (live) {
        const text = own && newText(live, sent);
        if (text) yield piece(text.id, text.text, false);
        continue;
      }
      if (notice !== undefined && notice.session !== undefined && notice.session !== session) continue;
      own = isOwn(await steward.store.events(session, { last: LOOK_BACK }));
      const task = await shown();
      for (const one of task.artifacts) {
        const [part] = one.parts;
        const text = part?.content?.$case === "text" ? part.content.value : "";
        const rest = text.slice(sent.get(one.artifactId) ?? 0);
        if (rest !== "") yield piece(one.artifactId, rest, true);
      }
      const state = task.status?.state;
      if (state === told) continue;
      told = state;
      yield { payload: { $case: "statusUpdate", value: { taskId, contextId, status: task.status, metadata: undefined } } };
      if (state === undefined || !goesOn.includes(state)) return;
    }
  } finally {
    stop.abort();
  }
}

/** Whether the turn that is open is the caller's. */
function isOwn(log: Stored[]): boolean {
  const open = openTurn(log);
  return open !== undefined && !privateTurns(log).has(open);
}

/** What is new of a text that grows; nothing when pieces before it were missed. */
function newText(event: LiveEvent, sent: Map<string, number>): { id: string; text: string } | undefined {
  if (event.type !== "item.delta" || event.kind !== "text") return undefined;
  const text = event.at === (sent.get(event.item) ?? 0) ? event.text : "";
  return text === "" ? undefined : { id: event.item, text };
}

/** Each notice; at once, and now and then, undefined: look, whatever was told. */
async function* watched(notices: AsyncIterable<Notice>, signal: AbortSignal): AsyncGenerator<Notice | undefined> {
  const iterator = notices[Symbol.asyncIterator]();
  let next = iterator.next();
  yield undefined;
  for (;;) {
    const tick = { timer: undefined as NodeJS.Timeout | undefined };
    const late = new Promise<undefined>((resolve) => (tick.timer = setTimeout(() => resolve(undefined), LOOK_MS)));
    const result = await Promise.race([next, late]);
    clearTimeout(tick.timer);
    if (signal.aborted || result?.done) return;
    if (result) next = iterator.next();
    yield result?.value;
  }
}
