// One background task in the tree: its state, what it does, what it cost, and what can be done with it.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { useNow } from "../clock.ts";
import { confirm, telling } from "../notices.ts";
import { callTasks, type Task } from "../tasks-api.ts";
import { compact, cost, duration, shortDate } from "../words.ts";

export const isAtWork = ({ state }: Task): boolean => state === "waiting" || state === "running";

/** The same words for whoever sees and whoever hears. */
function stateOf({ state, asks, helper }: Task): [tone: string, words: string] {
  if (asks > 0) return ["waiting", "waits for you"];
  if (helper && state === "done") return ["", "idle"];
  return [state === "failed" || state === "stopped" ? "failed" : state === "waiting" ? "waiting" : "", state];
}

export function Row({ task, again }: { task: Task; again(): void }): VNode {
  const [open, setOpen] = useState(false);
  const { id, name, session, progress, result, asks } = task;
  const [tone, words] = stateOf(task);
  const heading = `task-${id}`;
  return (
    <div class="thing" role="group" aria-labelledby={heading}>
      <div class="thing-head">
        <h3 id={heading}>{name}</h3>
        <span class={`pill ${tone}`}>{words}</span>
        <div class="actions">
          {result ? (
            <button
              type="button"
              class="small"
              aria-expanded={open}
              aria-label={`${open ? "Hide" : "Result of"} ${name}`}
              onClick={() => setOpen(!open)}
            >
              {open ? "Hide" : "Result"}
            </button>
          ) : null}
          <a class="button small" href={`/s/${session}`} aria-label={`${asks > 0 ? "Answer" : "Open"} ${name}`}>
            {asks > 0 ? "Answer" : "Open"}
          </a>
          <Doing task={task} again={again} />
        </div>
      </div>
      {progress ? <p>{progress}</p> : null}
      {result?.error ? <p class="problem">{result.error}</p> : null}
      <Figures task={task} />
      {open && result ? (
        <div class="task-result" tabIndex={0} role="region" aria-label={`Result of ${name}`}>
          {result.text || "It said nothing."}
          {result.files.length > 0
            ? `\n\n${result.files.length === 1 ? "One file stands" : `${result.files.length} files stand`} in its session.`
            : ""}
        </div>
      ) : null}
    </div>
  );
}

function Doing({ task: { id, name, state, helper }, again }: { task: Task; again(): void }): VNode | null {
  const [busy, setBusy] = useState(false);
  const act = async (call: "tasks.stop" | "tasks.resume"): Promise<void> => {
    const sure =
      call === "tasks.resume" ||
      (await confirm({ title: `Stop ${name}?`, text: "What it started is stopped too. You can resume it.", action: "Stop it" }));
    if (!sure) return;
    setBusy(true);
    await telling(call === "tasks.stop" ? callTasks(call, { id }) : callTasks(call, { id, body: {} }));
    setBusy(false);
    again();
  };
  if (state === "waiting" || state === "running")
    return (
      <button type="button" class="small" disabled={busy} aria-label={`Stop ${name}`} onClick={() => void act("tasks.stop")}>
        Stop
      </button>
    );
  if (helper || state === "done") return null;
  return (
    <button type="button" class="small" disabled={busy} aria-label={`Resume ${name}`} onClick={() => void act("tasks.resume")}>
      Resume
    </button>
  );
}

const BY = { person: "by you", agent: "by the agent", schedule: "by a schedule", a2a: "by another system" };

function Figures({ task }: { task: Task }): VNode {
  const { engine, model, at, endedAt, tokens, cost: spent, budget, by, helper, team } = task;
  const now = useNow();
  const limits = [
    ...(budget?.dollars === undefined ? [] : [`$${budget.dollars}`]),
    ...(budget?.tokens === undefined ? [] : [`${compact(budget.tokens)} tokens`]),
  ];
  const words = [
    `${engine} · ${model}`,
    ...(endedAt === undefined
      ? [duration(Math.max(0, now - at))]
      : helper
        ? []
        : [`${shortDate(endedAt)}, took ${duration(Math.max(0, endedAt - at))}`]),
    ...(helper ? ["helper agent"] : [`${compact(tokens)} tokens`, cost(spent), BY[by]]),
    ...(limits.length > 0 ? [`at most ${limits.join(", ")}`] : []),
    ...(team === undefined ? [] : [`team ${team}`]),
  ];
  return <p class="quiet">{words.join(" · ")}</p>;
}
