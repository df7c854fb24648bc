// A row that can't be drawn as it should shows its words instead, and leaves the others alone.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { textOf } from "../../core/history.ts";
import type { Row } from "../rows.ts";

const MOST = 20_000;

export function Guarded({ row, children }: { row: Row; children: ComponentChildren }): VNode {
  const [error, reset] = useErrorBoundary();
  useEffect(() => {
    if (error) reset();
  }, [row]);
  if (!error) return <>{children}</>;
  return (
    <div class="md">
      <p class="quiet">This could not be shown as it should.</p>
      <p class="raw">{wordsOf(row).slice(0, MOST)}</p>
    </div>
  );
}

function wordsOf(row: Row): string {
  if (row.kind === "pending") return textOf(row.pending.parts);
  if (row.kind !== "entry") return "";
  const { entry } = row;
  if (entry.kind === "message") return textOf([...entry.parts]);
  if (entry.kind === "item" && (entry.item.kind === "text" || entry.item.kind === "thinking")) return entry.item.text;
  return JSON.stringify(entry, null, 2);
}
