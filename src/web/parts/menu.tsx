// A button that opens a small menu: arrow keys move, Escape closes, a click elsewhere closes.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import { Icon, type IconName } from "./icon.tsx";

export interface Choice {
  label: string;
  icon?: IconName;
  /** Second line or group. */
  note?: string;
  chosen?: boolean;
  disabled?: boolean;
  danger?: boolean;
  run(): void;
}

export function Menu({
  label,
  button,
  choices,
  opened,
  class: more = "",
}: {
  label: string;
  button: ComponentChildren;
  choices: () => readonly Choice[];
  opened?: () => void;
  class?: string;
}): VNode {
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const up = open && (frame.current?.getBoundingClientRect().bottom ?? 0) > innerHeight - 240;
  useLayoutEffect(() => {
    if (!open) return;
    const away = (event: Event): void => {
      if (!frame.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    opened?.();
    const items = frame.current?.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)");
    ([...(items ?? [])].find((item) => item.getAttribute("aria-checked") === "true") ?? items?.[0])?.focus();
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const close = (): void => {
    setOpen(false);
    frame.current?.querySelector<HTMLElement>("button")?.focus();
  };
  return (
    <div class={`menu-frame ${more}`} ref={frame} onKeyDown={(event) => open && moved(event, frame.current, close)}>
      <button
        type="button"
        class="ghost menu-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open ? (
        <div class={`menu${up ? " up" : ""}`} role="menu" aria-label={label}>
          {choices().map((choice) => (
            <Item key={choice.label + (choice.note ?? "")} choice={choice} close={close} />
          ))}
        </div>
      ) : null}
    </div>
  );
}

function Item({ choice, close }: { choice: Choice; close(): void }): VNode {
  const { label, icon, note, chosen, disabled, danger, run } = choice;
  const radio = chosen !== undefined;
  return (
    <button
      type="button"
      role={radio ? "menuitemradio" : "menuitem"}
      aria-checked={radio ? chosen : undefined}
      tabIndex={-1}
      class={danger ? "danger" : ""}
      disabled={disabled}
      onClick={() => (close(), run())}
    >
      {radio ? <Icon name="check" class={chosen ? "" : "unseen"} /> : icon ? <Icon name={icon} /> : null}
      <span>
        {label}
        {note ? <small>{note}</small> : null}
      </span>
    </button>
  );
}

function moved(event: KeyboardEvent, frame: HTMLElement | null, close: () => void): void {
  const items = [...(frame?.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)") ?? [])];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") return close();
  if (event.key === "Escape") close();
  else if (to === undefined) return;
  else items[(to + items.length) % items.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}
