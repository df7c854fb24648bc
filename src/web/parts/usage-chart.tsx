// Bars by day, drawn as SVG; the same figures as a table for whoever can't see them or wants them exactly.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { everyDay, type Line, money, type Usage } from "../usage-api.ts";
import { compact, count } from "../words.ts";
import { Fold } from "./fold.tsx";
import { Table } from "./table.tsx";
import { Cost } from "./usage-table.tsx";

type What = "cost" | "tokens";
const HEIGHT = 100;
const STEP = 10;

const tokensOf = ({ input, output }: Pick<Line, "input" | "output">): number => input + output;
const valueOf = (line: Line, what: What): number => (what === "cost" ? line.cost : tokensOf(line));
const textOf = (value: number, what: What): string => (what === "cost" ? money(value) : `${compact(value)} tokens`);
const dayText = (day: string): string =>
  new Date(`${day}T12:00:00Z`).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });

export function DayChart({ usage: { rows, from, to, total } }: { usage: Usage }): VNode {
  const [chosen, choose] = useState<What>();
  const what = chosen ?? (total.cost > 0 ? "cost" : "tokens");
  const days = everyDay(from, to);
  const byDay = new Map(rows.map((row) => [row.key, row]));
  const values = days.map((day) => {
    const row = byDay.get(day);
    return row ? valueOf(row, what) : 0;
  });
  const most = Math.max(...values);
  const width = days.length * STEP;
  const sum = what === "cost" ? total.cost : tokensOf(total);
  return (
    <figure class="day-chart">
      <div class="day-chart-head">
        <figcaption>{what === "cost" ? "Cost by day" : "Tokens by day"}</figcaption>
        <div class="actions" role="group" aria-label="What the chart shows">
          {(["cost", "tokens"] as const).map((one) => (
            <button key={one} type="button" class="small" aria-pressed={what === one} onClick={() => choose(one)}>
              {one === "cost" ? "Cost" : "Tokens"}
            </button>
          ))}
        </div>
      </div>
      <div class="day-chart-body">
        <span class="day-chart-most quiet" aria-hidden="true">
          {textOf(most, what)}
        </span>
        <svg
          viewBox={`0 0 ${width} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${textOf(sum, what)} from ${dayText(from)} to ${dayText(to)}; the most on one day is ${textOf(most, what)}. The table below has each day.`}
        >
          {values.map((value, at) => {
            const height = most > 0 ? Math.max(value > 0 ? 2 : 0, (value / most) * HEIGHT) : 0;
            const gap = days.length > 100 ? 0 : STEP / 8;
            return (
              <g key={days[at]}>
                <rect class="ground" x={at * STEP} y={0} width={STEP} height={HEIGHT} />
                <rect class="bar" x={at * STEP + gap} y={HEIGHT - height} width={STEP - 2 * gap} height={height} />
                <title>{`${dayText(days[at]!)}: ${textOf(value, what)}`}</title>
              </g>
            );
          })}
        </svg>
        <div class="day-chart-ends quiet" aria-hidden="true">
          <span>{dayText(from)}</span>
          <span>{dayText(to)}</span>
        </div>
      </div>
      <Fold id={`usage/days/${from}/${to}`} title={`Each day (${count(rows.length, "day")} with calls)`}>
        {() => <Days rows={rows} />}
      </Fold>
    </figure>
  );
}

const Days = ({ rows }: { rows: Line[] }): VNode => (
  <Table label="Each day" columns={[["Day"], ["Cost", "right"], ["Requests", "right"], ["Tokens", "right"]]}>
    {rows.toReversed().map((row) => (
      <tr key={row.key}>
        <th scope="row">{row.key}</th>
        <td class="to-right">
          <Cost figures={row} />
        </td>
        <td class="to-right">{row.requests}</td>
        <td class="to-right">{compact(tokensOf(row))}</td>
      </tr>
    ))}
  </Table>
);
