// A dialog over the page: takes the focus, gives it back, ends with Escape.
import { useEffect, useId, useRef } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";

export function Dialog({ title, close, children }: { title: string; close(): void; children: ComponentChildren }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onCancel={(event) => (event.preventDefault(), close())}>
      <div class="dialog">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
