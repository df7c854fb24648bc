// What lies over the page: toasts, the confirm dialog, and the words for screen readers.
import { useEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";
import { dropToast, question, spoken, toasts, type Question } from "../notices.ts";
import { Icon } from "./icon.tsx";

export function Over(): VNode {
  return (
    <>
      <div class="hidden" role="status" aria-live="polite">
        {spoken.value}
      </div>
      <div class="toasts" role="status" aria-live="polite">
        {toasts.value.map(({ id, text, tone, action }) => (
          <div key={id} class={`toast ${tone}`}>
            <span>{text}</span>
            {action ? (
              <button type="button" class="small" onClick={() => (dropToast(id), action.run())}>
                {action.label}
              </button>
            ) : null}
            <button type="button" class="ghost tiny" aria-label="Close this message" onClick={() => dropToast(id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
      {question.value ? <Ask ask={question.value} /> : null}
    </>
  );
}

function Ask({ ask }: { ask: Question }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="ask-title"
      aria-describedby="ask-text"
      onCancel={(event) => (event.preventDefault(), ask.answer(false))}
      onClick={(event) => event.target === dialog.current && ask.answer(false)}
    >
      <div class="dialog">
        <h2 id="ask-title">{ask.title}</h2>
        <p id="ask-text">{ask.text}</p>
        <div class="actions end">
          <button type="button" autofocus onClick={() => ask.answer(false)}>
            Cancel
          </button>
          <button type="button" class={ask.danger ? "danger solid" : "primary"} onClick={() => ask.answer(true)}>
            {ask.action}
          </button>
        </div>
      </div>
    </dialog>
  );
}
