// One schedule: when, what, how it is, what can be done with it, and how its due times ended.
import { useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { confirm, telling, toast } from "../notices.ts";
import { callSchedules, momentIn, type Run, type Schedule } from "../schedules-api.ts";
import { useLoad, Waiting } from "./load.tsx";

export interface Around {
  zone: string;
  again(): void;
  change(schedule: Schedule): void;
}

const DOES = { prompt: "Asks the agent", script: "Runs a script", tell: "Reminds you" } as const;

export function Row({ schedule, around }: { schedule: Schedule; around: Around }): VNode {
  const [open, setOpen] = useState(false);
  const { id, name, when, next, held, source, action } = schedule;
  const [kind, text] = Object.entries(action)[0] as [keyof typeof DOES, string];
  return (
    <li class="thing" aria-labelledby={`schedule-${id}`}>
      <div class="thing-head">
        <h3 id={`schedule-${id}`}>{name}</h3>
        <State schedule={schedule} />
        <div class="actions">
          <button type="button" class="small" aria-expanded={open} aria-label={`History of ${name}`} onClick={() => setOpen(!open)}>
            History
          </button>
          <Doings schedule={schedule} around={around} />
        </div>
      </div>
      <p>
        {when}
        {next === undefined ? "" : ` · next ${momentIn(around.zone, next)}`}
      </p>
      <p class="quiet">
        {DOES[kind]}
        {text === name ? "" : `: ${text.length > 300 && !held ? `${text.slice(0, 300)}…` : text}`}
        {source === "agent" ? " · made by the agent" : source === "heartbeat" ? " · from HEARTBEAT.md" : ""}
      </p>
      {held ? (
        <p class="notice warning">
          <span>
            The agent made this after reading what others may have written, or when nobody was there. Read it; it runs only when you resume
            it.
          </span>
        </p>
      ) : null}
      {open ? <History schedule={schedule} around={around} /> : null}
    </li>
  );
}

const TONES: Partial<Record<Run["outcome"], string>> = { failed: "failed", missed: "waiting" };

function State({ schedule: { held, finished, enabled, newest } }: { schedule: Schedule }): VNode {
  if (held) return <span class="pill waiting">waits for you</span>;
  if (finished) return <span class="pill">finished</span>;
  if (!enabled) return <span class="pill">paused</span>;
  const outcome = newest?.outcome;
  return (
    <span class={`pill ${outcome ? (TONES[outcome] ?? "") : ""}`}>
      {outcome === undefined ? "on" : outcome === "ran" ? "on, ran" : `on, ${outcome}`}
    </span>
  );
}

function Doings({ schedule, around }: { schedule: Schedule; around: Around }): VNode {
  const { id, name, enabled, held, finished, source } = schedule;
  const done = (words: string): void => (toast(words), around.again());
  const turn = async (on: boolean): Promise<void> => {
    if (await telling(callSchedules("schedules.change", { id, body: { enabled: on } }))) done(`${name} ${on ? "goes on" : "is paused"}.`);
  };
  const busy = useRef(false);
  /** Once, also for a double click. The button is not disabled meanwhile, which would take the focus from it. */
  const run = async ({ detail }: MouseEvent): Promise<void> => {
    if (busy.current || detail > 1) return;
    busy.current = true;
    if (await telling(callSchedules("schedules.run", { id, body: {} }))) done(`${name} runs now.`);
    busy.current = false;
  };
  const remove = async (): Promise<void> => {
    const sure = await confirm({
      title: `Remove ${name}?`,
      text: "Its history goes too. Undo brings the schedule back.",
      action: "Remove",
      danger: true,
    });
    if (!sure || !(await telling(callSchedules("schedules.remove", { id })))) return;
    done(`${name} is removed.`);
    document.getElementById("schedules-add")?.focus();
  };
  const off = held || !enabled;
  return (
    <>
      {finished && !held ? null : (
        <button
          type="button"
          class={`small ${held ? "primary" : ""}`}
          aria-label={`${off ? "Resume" : "Pause"} ${name}`}
          onClick={() => void turn(off)}
        >
          {off ? "Resume" : "Pause"}
        </button>
      )}
      {held ? null : (
        <button type="button" class="small" aria-label={`Run now: ${name}`} onClick={(event) => void run(event)}>
          Run now
        </button>
      )}
      {source === "heartbeat" ? null : (
        <>
          <button type="button" class="small" aria-label={`Change ${name}`} onClick={() => around.change(schedule)}>
            Change
          </button>
          <button type="button" class="small danger" aria-label={`Remove ${name}`} onClick={() => void remove()}>
            Remove
          </button>
        </>
      )}
    </>
  );
}

const PAGE = 20;

function History({ schedule, around }: { schedule: Schedule; around: Around }): VNode {
  const { id, name, sums } = schedule;
  const [older, setOlder] = useState<Run[]>([]);
  const { data, problem, again } = useLoad(() => callSchedules("schedules.history", { id, query: { limit: String(PAGE) } }), 5000);
  if (!data) return <Waiting problem={problem} />;
  const last = older.at(-1) ?? data.runs.at(-1);
  const more = async (): Promise<void> => {
    const found = await telling(callSchedules("schedules.history", { id, query: { limit: String(PAGE), before: String(last!.due) } }));
    if (found) setOlder([...older, ...found.runs]);
  };
  const makeUp = async (run: Run): Promise<void> => {
    if (!(await telling(callSchedules("schedules.run", { id, body: { missed: run.due } })))) return;
    toast(`${name} runs now.`);
    again();
  };
  const all = [...data.runs, ...older.filter(({ due }) => due < (data.runs.at(-1)?.due ?? 0))];
  return (
    <div class="schedule-history">
      <p class="quiet">
        {sums.ran} ran, {sums.failed} failed, {sums.missed} missed, {sums.skipped} skipped
        {sums.byHand > 0 ? `; ${sums.byHand} by hand` : ""}.
      </p>
      {all.length === 0 ? (
        <p class="quiet">Nothing was due yet.</p>
      ) : (
        <ul aria-label={`History of ${name}`}>
          {all.map((run) => (
            <Ended key={run.due} run={run} zone={around.zone} makeUp={() => void makeUp(run)} />
          ))}
        </ul>
      )}
      {(older.length > 0 ? older.length : data.runs.length) % PAGE === 0 && all.length > 0 ? (
        <button type="button" class="small" onClick={() => void more()}>
          Older
        </button>
      ) : null}
    </div>
  );
}

function Ended({ run, zone, makeUp }: { run: Run; zone: string; makeUp(): void }): VNode {
  const { due, to, count = 1, outcome, reason, said, session, tokens, byHand, asks } = run;
  return (
    <li>
      <span class={`pill ${TONES[outcome] ?? ""}`}>{outcome}</span>{" "}
      <span>
        {momentIn(zone, due)}
        {to === undefined ? "" : ` to ${momentIn(zone, to)}, ${count} times`}
        {byHand ? " (by hand)" : ""}
      </span>
      {session ? (
        <>
          {" "}
          <a href={`/s/${session}`} aria-label={`Session of ${momentIn(zone, due)}`}>
            Session
          </a>
        </>
      ) : null}
      {tokens ? <span class="quiet"> {tokens} tokens</span> : null}
      {asks ? (
        <>
          {" "}
          <button type="button" class="small" onClick={makeUp}>
            Make up for it
          </button>
        </>
      ) : null}
      {reason || said ? <p class="quiet">{(reason ?? said ?? "").slice(0, 400)}</p> : null}
    </li>
  );
}
