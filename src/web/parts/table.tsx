// Figures side by side: a table that is scrolled by itself where the window is narrow, and names with what they are.
import type { ComponentChildren, VNode } from "preact";

interface TableProps {
  /** What a screen reader calls it. */
  label: string;
  /** Figures stand on the right. */
  columns: [name: string, side?: "right"][];
  /** Its rows. */
  children: ComponentChildren;
}

export const Table = ({ label, columns, children }: TableProps): VNode => (
  <div class="wide" tabIndex={0} role="region" aria-label={label}>
    <table>
      <thead>
        <tr>
          {columns.map(([name, side]) => (
            <th key={name} scope="col" class={side && "to-right"}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
);

export const Facts = ({
  list,
  look = "facts",
}: {
  list: [string, ComponentChildren][];
  look?: "facts" | "figures" | "figures totals";
}): VNode => (
  <dl class={look}>
    {list.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);
