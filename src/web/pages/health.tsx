// Health: how each part is, what was changed and can be taken back, the newest log lines.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { ask, call } from "../api.ts";
import type { Answered } from "../../core/api.ts";
import { messageOf } from "../../std/error.ts";
import { bytes } from "../../std/text.ts";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { Facts, Table } from "../parts/table.tsx";
import { Undo } from "../parts/tool.tsx";
import { isOwner } from "../people.ts";
import { journal, wholeJournal } from "../undo.ts";
import { duration, number, shortDate, since, timeOf, wholeTime } from "../words.ts";

export const title = "Health";
export const icon: IconName = "pulse";

type Report = Answered<"health.get">;

export function Page(): VNode {
  const { data, problem } = useLoad(() => call("health.get"), 5000);
  return (
    <div class="cards">
      {data ? (
        <Report data={data} />
      ) : (
        <Card id="health-all" title="Health">
          <Waiting problem={problem} />
        </Card>
      )}
      {isOwner.value ? <Doctor /> : null}
      <Changes />
      {isOwner.value ? <Logs /> : null}
    </div>
  );
}

const parts: Record<string, string> = {
  llm_connection: "Model",
  plugins: "Tools",
  system: "Machine",
  store: "Storage",
  sandbox: "Sandbox",
  settings: "Settings",
};
const tones: Record<string, string> = {
  healthy: "done",
  ok: "done",
  closed: "done",
  degraded: "asking",
  "half-open": "asking",
  unhealthy: "failed",
  open: "failed",
};

function Report({ data }: { data: Report }): VNode {
  const { components = [], breakers = [], memory, queue, caches = {} } = data;
  const figures: [string, string][] = [];
  if (data.uptimeSeconds !== undefined) figures.push(["Running for", since(data.uptimeSeconds)]);
  if (memory) figures.push(["Memory", bytes(memory.residentBytes)], ["of it heap", bytes(memory.heapBytes)]);
  if (queue) figures.push(["Jobs running", number(queue.running)], ["due", number(queue.due)], ["later", number(queue.later)]);
  return (
    <>
      <Card
        id="health-all"
        title="Parts"
        aside={
          <span class={`pill ${tones[data.status] ?? ""}`}>
            <span class={`dot ${tones[data.status] ?? "waiting"}`} aria-hidden="true" />
            {data.status}
          </span>
        }
      >
        {data.banner ? <p class="notice warning">{data.banner}</p> : null}
        <ul class="lines-list">
          {components.map(({ name, status, message, responseMs, lastCheck }) => (
            <li key={name}>
              <span class={`dot ${tones[status] ?? "waiting"}`} aria-hidden="true" />
              <span class="grow">
                <strong>{parts[name] ?? name}</strong> <span class="quiet">{status}</span>
                <small>{message}</small>
              </span>
              <span class="quiet" title={lastCheck ? wholeTime(lastCheck) : undefined}>
                {responseMs === undefined ? "" : duration(responseMs)}
              </span>
            </li>
          ))}
          {breakers.map(({ name, state, failures, since: at }) => (
            <li key={`breaker-${name}`}>
              <span class={`dot ${tones[state] ?? "waiting"}`} aria-hidden="true" />
              <span class="grow">
                <strong>{name}</strong> <span class="quiet">breaker {state}</span>
                <small>{failures === 0 ? "No failures of late" : `${failures} failures${at ? ` since ${timeOf(at)}` : ""}`}</small>
              </span>
            </li>
          ))}
        </ul>
        <Facts list={figures} look="figures" />
      </Card>
      {Object.keys(caches).length > 0 ? <Caches caches={caches} /> : null}
    </>
  );
}

function Caches({ caches }: { caches: NonNullable<Report["caches"]> }): VNode {
  return (
    <Card id="health-caches" title="Caches" about="Repeated reads of what has not changed.">
      <Table label="Caches" columns={[["Cache"], ["Entries", "right"], ["Hits", "right"], ["Misses", "right"], ["Hit rate", "right"]]}>
        {Object.entries(caches).map(([name, { size, max_size, hits, misses, hit_rate }]) => (
          <tr key={name}>
            <th scope="row">{name.replaceAll("_", " ")}</th>
            <td class="to-right">
              {number(size)} of {number(max_size)}
            </td>
            <td class="to-right">{number(hits)}</td>
            <td class="to-right">{number(misses)}</td>
            <td class="to-right">{Math.round(hit_rate * 100)} %</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

const marks: Record<string, string> = { info: "done", warning: "asking", error: "failed", critical: "failed" };

/** It takes seconds, so it is asked for by hand. */
function Doctor(): VNode {
  const [{ busy, problem, report }, set] = useState<{ busy?: boolean; problem?: string; report?: Answered<"doctor.get"> }>({});
  const run = (asked: Promise<Answered<"doctor.get">>): void => {
    set({ busy: true });
    asked.then(
      (found) => set({ report: found }),
      (error: unknown) => set({ problem: messageOf(error) }),
    );
  };
  const { checks = [], passed, total_checks: all } = report?.summary ?? {};
  return (
    <Card
      id="health-doctor"
      title="Doctor"
      about="Looks at every part that can be wrong on this machine, computers too. It takes a few seconds."
      aside={
        <button type="button" class="small" disabled={busy} onClick={() => run(ask<"doctor.get">("GET /api/doctor", {}))}>
          {report ? "Look again" : "Look"}
        </button>
      }
    >
      <div aria-live="polite">
        {busy ? <p class="quiet">Looking…</p> : problem ? <p class="problem">{problem}</p> : null}
        {report ? <p>{`${passed} of ${all} checks passed`}</p> : null}
      </div>
      <ul class="lines-list">
        {checks.map(({ name, severity, message, hint, fix_message: mended }) => (
          <li key={name}>
            <span class={`dot ${marks[severity]}`} aria-hidden="true" />
            <span class="grow">
              <strong>{name}</strong>{" "}
              <span class="quiet">{severity === "info" ? "fine" : severity === "warning" ? "warning" : "problem"}</span>
              <small>{message}</small>
              {severity !== "info" && hint ? <small>{hint}</small> : null}
              {mended ? <small>{mended}</small> : null}
            </span>
          </li>
        ))}
      </ul>
      {checks.some((one) => one.fix_available && !one.fix_applied) ? (
        <button type="button" onClick={() => run(ask<"doctor.repair">("POST /api/doctor/repair", { body: {} }))}>
          Mend what is safe to mend
        </button>
      ) : null}
    </Card>
  );
}

function Changes(): VNode {
  const { data, problem } = useLoad(wholeJournal);
  const entries = data?.map((entry) => journal.value.get(entry.id) ?? entry);
  return (
    <Card id="health-undo" title="What was changed" about="Newest first. Undoing takes back that one change.">
      {!entries ? (
        <Waiting problem={problem} />
      ) : entries.length === 0 ? (
        <p class="quiet">Nothing yet.</p>
      ) : (
        <ul class="lines-list changes">
          {entries.map(({ id, at, summary, state, reason, changed }) => (
            <li key={id}>
              <span class="grow">
                {summary}
                <small title={wholeTime(at)}>
                  {shortDate(at)}
                  {state === "impossible" || state === "failed" ? ` · ${reason ?? "can't be undone"}` : ""}
                  {changed && changed.length > 0
                    ? ` · ${changed.slice(0, 3).join(", ")}${changed.length > 3 ? ` and ${changed.length - 3} more` : ""}`
                    : ""}
                </small>
              </span>
              {state === "impossible" ? <span class="quiet">Can't be undone</span> : <Undo ids={[id]} what={summary} />}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Logs(): VNode {
  const { data, problem, again } = useLoad(() => call("logs.tail", { query: { lines: "200" } }));
  return (
    <Card
      id="health-logs"
      title="Log"
      about="The newest lines; secrets are taken out."
      aside={
        <button type="button" class="small" onClick={again}>
          Read again
        </button>
      }
    >
      {data ? (
        <pre class="pane log" tabIndex={0} role="region" aria-label="Log">
          {data.lines.map(logLine).join("\n") || "It is empty."}
        </pre>
      ) : (
        <Waiting problem={problem} />
      )}
    </Card>
  );
}

/** A structured line in one readable line; anything else as it is. */
function logLine(line: string): string {
  try {
    const { time, at, level, message, msg = message, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const when = time ?? at;
    const fields = Object.entries(rest)
      .filter(([name]) => name !== "pid" && name !== "hostname")
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    return `${typeof when === "string" || typeof when === "number" ? timeOf(+new Date(when)) : ""} ${String(level ?? "").padEnd(7)} ${String(msg ?? "")} ${fields.join(" ")}`.trim();
  } catch {
    return line;
  }
}
