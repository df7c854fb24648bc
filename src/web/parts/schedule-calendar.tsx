// What will run, day by day: a list that a keyboard and a screen reader follow.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callSchedules, clockIn, dayIn, type Entry } from "../schedules-api.ts";
import { count } from "../words.ts";
import { Card, useLoad, Waiting } from "./load.tsx";

const DAY_MS = 86_400_000;

export function CalendarCard({ shown }: { shown: number }): VNode {
  const [days, setDays] = useState(7);
  return (
    <Card
      id="schedules-calendar"
      title="What will run"
      aside={
        <div class="actions" role="group" aria-label="How far">
          {([1, 7, 31] as const).map((one) => (
            <button key={one} type="button" class="small" aria-pressed={days === one} onClick={() => setDays(one)}>
              {one === 1 ? "Day" : one === 7 ? "Week" : "Month"}
            </button>
          ))}
        </div>
      }
    >
      <Days key={`${days} ${shown}`} days={days} />
    </Card>
  );
}

function Days({ days }: { days: number }): VNode {
  const { data, problem } = useLoad(() => {
    const now = Date.now();
    return callSchedules("schedules.calendar", { query: { from: String(now), to: String(now + days * DAY_MS) } });
  }, 60_000);
  if (!data) return <Waiting problem={problem} />;
  if (data.entries.length === 0) return <p class="quiet">Nothing will run in this time.</p>;
  const byDay = [...Map.groupBy(data.entries, ({ at }) => dayIn(data.zone, at))];
  return (
    <>
      <ol class="calendar">
        {byDay.map(([day, entries]) => (
          <li key={day}>
            <h3>{day}</h3>
            <ol>
              {entries.map((entry) => (
                <Line key={`${entry.schedule}${entry.at}`} entry={entry} zone={data.zone} />
              ))}
            </ol>
          </li>
        ))}
      </ol>
      {data.more ? <p class="quiet">There is more than can be shown at once.</p> : null}
    </>
  );
}

const Line = ({ entry: { at, name, times }, zone }: { entry: Entry; zone: string }): VNode => (
  <li>
    <span class="calendar-time">{clockIn(zone, at)}</span>
    <span>
      {name}
      {times ? <span class="quiet"> and {count(times - 1, "more time", "more times")} that day</span> : null}
    </span>
  </li>
);
