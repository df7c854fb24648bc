// What was used, by model, engine, session or person: a table, the dearest first.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callUsage, type Figures, priceOf, type Usage } from "../usage-api.ts";
import { compact, number } from "../words.ts";
import { useLoad, Waiting } from "./load.tsx";
import { Table } from "./table.tsx";

export type By = "model" | "engine" | "session" | "person";
const NAMES: Record<By, string> = { model: "Model", engine: "Engine", session: "Session", person: "Person" };

/** What nobody knows is said beside what is known. */
export function Cost({ figures }: { figures: Figures }): VNode {
  const { text, missing } = priceOf(figures);
  return (
    <>
      {text}
      {missing > 0 ? (
        <span class="unknown-price" title={`${number(missing)} of ${number(figures.requests)} calls`}>
          {text ? ` + ${number(missing)} unknown` : "price unknown"}
        </span>
      ) : null}
    </>
  );
}

export interface Span {
  from: string;
  to: string;
  person?: string;
}

export function UsedFor({ span, choices }: { span: Span; choices: By[] }): VNode {
  const [by, choose] = useState<By>("model");
  const now = choices.includes(by) ? by : "model";
  return (
    <>
      <div class="actions by" role="group" aria-label="By what">
        {choices.map((one) => (
          <button key={one} type="button" class="small" aria-pressed={now === one} onClick={() => choose(one)}>
            {NAMES[one]}
          </button>
        ))}
      </div>
      <Used key={now} by={now} span={span} />
    </>
  );
}

function Used({ by, span }: { by: By; span: Span }): VNode {
  const { data, problem } = useLoad<Usage>(() => callUsage("usage.get", { query: { ...span, by } }));
  if (!data) return <Waiting problem={problem} />;
  if (data.rows.length === 0) return <p class="quiet">Nothing yet.</p>;
  return (
    <Table
      label={`By ${by}`}
      columns={[[NAMES[by]], ["Cost", "right"], ["Requests", "right"], ["In", "right"], ["Out", "right"], ["Cached", "right"]]}
    >
      {data.rows.map((row) => (
        <tr key={row.key}>
          <th scope="row">{row.name ?? row.key}</th>
          <td class="to-right">
            <Cost figures={row} />
          </td>
          <td class="to-right">{number(row.requests)}</td>
          <td class="to-right">{compact(row.input)}</td>
          <td class="to-right">{compact(row.output)}</td>
          <td class="to-right">{compact(row.cached)}</td>
        </tr>
      ))}
    </Table>
  );
}
