// One labelled field of a form: what it is for, and what the server says of what was given.
import type { ComponentChildren, VNode } from "preact";

/** What the control is given, so that it belongs to its label and its words. */
export interface Control {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
}
export interface FieldProps {
  id: string;
  label: ComponentChildren;
  about?: ComponentChildren;
  problem?: string | undefined;
  /** Takes a row of its own. */
  wide?: boolean;
  children(control: Control): VNode;
}

export function Field({ id, label, about, problem, wide, children }: FieldProps): VNode {
  const words = [...(about ? [`${id}-about`] : []), ...(problem ? [`${id}-problem`] : [])].join(" ");
  return (
    <div class={wide ? "field full" : "field"}>
      <label for={id}>{label}</label>
      {children({ id, ...(words ? { "aria-describedby": words } : {}), ...(problem ? { "aria-invalid": true } : {}) })}
      {about ? (
        <p class="about" id={`${id}-about`}>
          {about}
        </p>
      ) : null}
      {problem ? (
        <p class="problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      ) : null}
    </div>
  );
}
