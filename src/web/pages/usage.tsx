// Usage: what models were asked and what it cost, by day and by what it went to, the budget, and all of it as CSV.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { openFile } from "../files.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { Facts } from "../parts/table.tsx";
import { BudgetCard } from "../parts/usage-budget.tsx";
import { DayChart } from "../parts/usage-chart.tsx";
import { type By, Cost, type Span, UsedFor } from "../parts/usage-table.tsx";
import { isOwner, me } from "../people.ts";
import { takeStyles } from "../sheet.ts";
import { callUsage, daysBefore, type Figures, type Usage } from "../usage-api.ts";
import { compact, count, number } from "../words.ts";
import styles from "./usage.css";

export const title = "Usage";
export const icon: IconName = "chart";

takeStyles(styles);

const PERIODS = [
  { days: 1, label: "Today" },
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "A year" },
] as const;

export function Page(): VNode {
  const [days, setDays] = useState(30);
  const [person, setPerson] = useState("");
  // Which day it is where Steward runs: a window that stays open goes on to the next.
  const today = useLoad(() => callUsage("usage.get", { query: {} }), 60_000);
  const people = useLoad(() => (isOwner.value ? callUsage("people.list") : Promise.resolve({ people: [] })));
  const list = people.data?.people ?? [];
  const to = today.data?.to;
  const span: Span | undefined = to === undefined ? undefined : { from: daysBefore(to, days - 1), to, ...(person ? { person } : {}) };
  const shown = JSON.stringify(span);
  const name = list.find(({ id }) => id === person)?.name;
  return (
    <div class="cards usage">
      <Card id="usage-all" title="Usage" aside={span ? <Csv span={span} /> : null}>
        <div class="usage-choice">
          <label>
            <span>When</span>
            <select value={String(days)} onChange={(event) => setDays(Number(event.currentTarget.value))}>
              {PERIODS.map((one) => (
                <option key={one.days} value={String(one.days)}>
                  {one.label}
                </option>
              ))}
            </select>
          </label>
          {list.length > 1 ? (
            <label>
              <span>Whose</span>
              <select value={person} onChange={(event) => setPerson(event.currentTarget.value)}>
                <option value="">Everybody's</option>
                {list.map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name}
                  </option>
                ))}
              </select>
            </label>
          ) : null}
        </div>
        {span ? <All key={shown} span={span} /> : <Waiting problem={today.problem} />}
      </Card>
      {span ? (
        <Card id="usage-for" title="What it went to">
          <UsedFor key={shown} span={span} choices={choicesFor(person, list.length)} />
        </Card>
      ) : null}
      <BudgetCard key={`budget-${person}`} {...(person ? { person } : {})} {...(name === undefined ? {} : { name })} />
    </div>
  );
}

/** What somebody else talks about is theirs. */
function choicesFor(person: string, people: number): By[] {
  const own = person === "" || person === me.value?.person;
  return ["model", "engine", ...(own ? (["session"] as const) : []), ...(people > 1 && person === "" ? (["person"] as const) : [])];
}

const Csv = ({ span }: { span: Span }): VNode => (
  <button type="button" class="small" onClick={() => void openFile(`/api/usage.csv?${new URLSearchParams({ ...span })}`)}>
    <Icon name="download" /> CSV
  </button>
);

function All({ span }: { span: Span }): VNode {
  const { data, problem } = useLoad(() => callUsage("usage.get", { query: { ...span, by: "day" } }), 15_000);
  if (!data) return <Waiting problem={problem} />;
  return (
    <>
      <Totals usage={data} />
      {data.total.requests > 0 || data.total.cost > 0 ? (
        <DayChart usage={data} />
      ) : (
        <p class="quiet">
          {data.ever.requests > 0 || data.ever.cost > 0
            ? "No model was asked in this time."
            : "No model was asked yet. What each call used and cost will stand here."}
        </p>
      )}
      {data.total.unknown > 0 ? (
        <p class="notice warning">
          <span>
            {count(data.total.unknown, "call")} went to models whose price nobody knows, so the cost lacks them. A price for a million
            tokens is set with <code>steward config set 'prices.PROVIDER/MODEL' …</code>
          </span>
        </p>
      ) : null}
      <p class="about">Prices as of {data.prices.asOf}, where the configuration has none.</p>
    </>
  );
}

function Totals({ usage: { total, ever } }: { usage: Usage }): VNode {
  const figures: [string, VNode | string][] = [
    ["Cost", <Cost figures={total} />],
    ["Requests", number(total.requests)],
    ["Tokens in", compact(total.input)],
    ["of it cached", compact(total.cached)],
    ["Tokens out", compact(total.output)],
    ["Ever since", <Cost figures={ever satisfies Figures} />],
  ];
  return <Facts list={figures} look="figures totals" />;
}
