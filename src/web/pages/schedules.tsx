// Schedules: what Steward does later or again and again, how it went, what will run, and the heartbeat.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { Icon, type IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { CalendarCard } from "../parts/schedule-calendar.tsx";
import { ScheduleDialog } from "../parts/schedule-dialog.tsx";
import { type Around, Row } from "../parts/schedule-row.tsx";
import { callSchedules, type Schedule } from "../schedules-api.ts";
import { takeStyles } from "../sheet.ts";
import things from "../lazy/things.css";
import styles from "./schedules.css";

export const title = "Schedules";
export const icon: IconName = "retry";

takeStyles(things);
takeStyles(styles);

const PAGE = 50;

export function Page(): VNode {
  const [dialog, setDialog] = useState<{ schedule?: Schedule }>();
  const [from, setFrom] = useState(0);
  const [changes, setChanges] = useState(0);
  const [words, setWords] = useState("");
  const { data, problem, again } = useLoad(() => callSchedules("schedules.list", { query: {} }));
  const zone = data?.zone ?? "UTC";
  const changed = (): void => (again(), setChanges((count) => count + 1));
  const around: Around = { zone, again: changed, change: (schedule) => setDialog({ schedule }) };
  return (
    <div class="cards">
      <Card
        id="schedules-all"
        title="Schedules"
        about="Each time that something is due ends as ran, failed, missed or skipped, and stands in its history."
        aside={
          <button id="schedules-add" type="button" class="small primary" onClick={() => setDialog({})}>
            <Icon name="plus" /> Schedule something
          </button>
        }
      >
        {!data ? (
          <Waiting problem={problem} />
        ) : data.total === 0 ? (
          <p class="quiet">
            Nothing is scheduled yet. Schedule something here, or say it in a conversation: “remind me tomorrow at 9 to call Ada”, “every
            weekday at 8 tell me what is new in my inbox folder”.
          </p>
        ) : (
          <>
            {data.total > 10 ? (
              <div class="field schedule-search">
                <label for="schedules-search">Search schedules</label>
                <input
                  id="schedules-search"
                  type="search"
                  value={words}
                  onInput={(event) => (setFrom(0), setWords(event.currentTarget.value))}
                />
              </div>
            ) : null}
            <List key={`${from} ${words}`} from={from} words={words} changes={changes} around={around} turn={setFrom} />
          </>
        )}
      </Card>
      {data && data.total > 0 ? <CalendarCard shown={changes} /> : null}
      <Heartbeat changes={changes} />
      {dialog ? (
        <ScheduleDialog
          schedule={dialog.schedule}
          zone={zone}
          close={() => setDialog(undefined)}
          done={() => (setDialog(undefined), changed())}
        />
      ) : null}
    </div>
  );
}

interface ListProps {
  from: number;
  words: string;
  changes: number;
  around: Around;
  turn(from: number): void;
}

function List({ from, words, changes, around, turn }: ListProps): VNode {
  const query = { from: String(from), limit: String(PAGE), ...(words.trim() ? { q: words.trim() } : {}) };
  const { data, problem } = useLoad(() => callSchedules("schedules.list", { query }), 10_000, changes);
  if (!data) return <Waiting problem={problem} />;
  if (data.schedules.length === 0) return <p class="quiet">None has these words.</p>;
  return (
    <>
      <ul class="things" aria-label="Schedules">
        {data.schedules.map((schedule) => (
          <Row key={schedule.id} schedule={schedule} around={around} />
        ))}
      </ul>
      {data.total > PAGE ? (
        <div class="actions">
          <button type="button" class="small" disabled={from === 0} onClick={() => turn(Math.max(0, from - PAGE))}>
            Earlier
          </button>
          <span class="quiet">
            {from + 1} to {from + data.schedules.length} of {data.total}
          </span>
          <button type="button" class="small" disabled={from + PAGE >= data.total} onClick={() => turn(from + PAGE)}>
            Later
          </button>
        </div>
      ) : null}
    </>
  );
}

function Heartbeat({ changes }: { changes: number }): VNode {
  const { data, problem } = useLoad(() => callSchedules("heartbeat.get", { query: {} }), 15_000, changes);
  return (
    <Card
      id="schedules-heartbeat"
      title="Heartbeat"
      about={
        <>
          HEARTBEAT.md says what Steward does by itself: a heading says when, the list below it what. It is changed on the page{" "}
          <a href="/identity">Identity</a>. A section that finds nothing changed costs nothing.
        </>
      }
    >
      {!data ? (
        <Waiting problem={problem} />
      ) : (
        <>
          {!data.enabled ? (
            <p class="quiet">It is turned off.</p>
          ) : data.sections.length === 0 ? (
            <p class="quiet">HEARTBEAT.md has no sections.</p>
          ) : (
            <ul class="heartbeat">
              {data.sections.map(({ id, name, enabled }) => (
                <li key={id}>
                  {name}
                  {enabled ? "" : " (paused)"}
                </li>
              ))}
            </ul>
          )}
          {data.problems.map((one) => (
            <p key={one} class="problem">
              {one}
            </p>
          ))}
        </>
      )}
    </Card>
  );
}
