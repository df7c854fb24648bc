// A folded part that remembers whether it is open.
import type { ComponentChildren, VNode } from "preact";
import { foldState } from "../folds.ts";
import { Icon } from "./icon.tsx";

export function Fold({
  id,
  title,
  children,
  class: more = "",
  open = false,
}: {
  id: string;
  title: ComponentChildren;
  children: () => ComponentChildren;
  class?: string;
  open?: boolean;
}): VNode {
  const state = foldState(id, open);
  return (
    <details class={`fold ${more}`} open={state.value} onToggle={(event) => (state.value = event.currentTarget.open)}>
      <summary>
        <Icon name="chevron" class="twist" />
        {title}
      </summary>
      {state.value ? children() : null}
    </details>
  );
}
