// Where the person writes: text, files dropped or pasted, send, steer, stop.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { VNode } from "preact";
import { signal } from "@preact/signals";
import { bytes } from "../../std/text.ts";
import { spoken } from "../notices.ts";
import { attach, cancel, detach, draftOf, sendDraft, type Attachment, type Draft } from "../sending.ts";
import { running } from "../session.ts";
import { slashList, slashListId } from "../slash.ts";
import { Icon } from "./icon.tsx";
import { Slashes } from "./slashes.tsx";

export const composerId = "composer";
export const focusComposer = (): void => document.getElementById(composerId)?.focus();

const dragging = signal(false);
const escape = { at: 0 };
const ESCAPE_MS = 700;

/** Escape twice stops the running turn. */
export function escapePressed(session: string | undefined): void {
  if (!session || !running.value) return;
  const now = Date.now();
  if (now - escape.at < ESCAPE_MS) void cancel(session);
  else spoken.value = "Press Escape again to stop";
  escape.at = now;
}

export function Composer({ session }: { session: string | undefined }): VNode {
  const draft = draftOf(session);
  const files = draft.files.value;
  const uploading = files.some(({ file, problem }) => !file && !problem);
  const empty = !draft.text.value.trim() && !files.some(({ file }) => file);
  const picker = useRef<HTMLInputElement>(null);
  useDrop(draft);
  const send = (): void => {
    if (!empty && !uploading) void sendDraft(session);
  };
  return (
    <div class="composer-frame">
      <form class={`composer${dragging.value ? " drop" : ""}`} onSubmit={(event) => (event.preventDefault(), send())}>
        {files.length > 0 ? (
          <ul class="attached">
            {files.map((one) => (
              <Attached key={one.key} one={one} drop={() => detach(draft, one.key)} />
            ))}
          </ul>
        ) : null}
        <Slashes text={draft.text.value} write={(text) => ((draft.text.value = text), focusComposer())} />
        <Field draft={draft} send={send} session={session} />
        <div class="composer-row">
          <button type="button" class="ghost round" aria-label="Add files" title="Add files" onClick={() => picker.current?.click()}>
            <Icon name="clip" />
          </button>
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            onChange={(event) => (attach(draft, event.currentTarget.files ?? []), (event.currentTarget.value = ""))}
          />
          <span class="composer-hint" aria-hidden="true">
            {dragging.value
              ? "Drop to attach"
              : uploading
                ? "Uploading…"
                : running.value
                  ? "Enter steers · Esc Esc stops"
                  : "Enter sends · Shift+Enter for a new line · / for commands"}
          </span>
          {running.value && session ? (
            <button type="button" class="stop round" aria-label="Stop" title="Stop (Escape twice)" onClick={() => void cancel(session)}>
              <Icon name="stop" />
            </button>
          ) : null}
          <button
            class="send round"
            disabled={empty || uploading}
            aria-label={running.value ? "Send to the running turn" : "Send"}
            title="Send"
          >
            <Icon name="send" />
          </button>
        </div>
      </form>
    </div>
  );
}

function Field({ draft, send, session }: { draft: Draft; send(): void; session: string | undefined }): VNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const text = draft.text.value;
  const slashes = slashList.value;
  useLayoutEffect(() => {
    const here = field.current!;
    here.style.height = "auto";
    here.style.height = `${Math.min(here.scrollHeight, Math.round(innerHeight * 0.4))}px`;
  }, [text]);
  useEffect(() => {
    const typing = document.activeElement?.matches("input, textarea, select");
    if (!typing && matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, [session]);
  const pressed = (event: KeyboardEvent): void => {
    if (slashList.value?.key(event)) return (event.preventDefault(), event.stopPropagation());
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    // On a phone, Enter is a new line and the button sends.
    if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    send();
  };
  const pasted = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    attach(draft, files);
  };
  return (
    <>
      <label class="hidden" for={composerId}>
        Message
      </label>
      <textarea
        id={composerId}
        ref={field}
        rows={1}
        value={text}
        aria-autocomplete={slashes ? "list" : undefined}
        aria-controls={slashes && slashListId}
        aria-activedescendant={slashes?.active}
        placeholder={running.value ? "Add to what it is doing…" : "Ask Steward to do something…"}
        onInput={(event) => (draft.text.value = event.currentTarget.value)}
        onKeyDown={pressed}
        onPaste={pasted}
      />
    </>
  );
}

function Attached({ one, drop }: { one: Attachment; drop(): void }): VNode {
  // The size from the beginning: words that change while it is uploaded would move the buttons of all files under the pointer.
  return (
    <li class={one.problem ? "bad" : ""}>
      {one.preview ? <img src={one.preview} alt="" /> : <Icon name="file" />}
      <span class="name" title={one.name}>
        {one.name}
      </span>
      <span class="quiet">{one.problem ?? bytes(one.size)}</span>
      {one.file || one.problem ? null : <progress value={one.share} max={1} aria-label={`Uploading ${one.name}`} />}
      <button type="button" class="ghost tiny" aria-label={`Remove ${one.name}`} onClick={drop}>
        <Icon name="close" />
      </button>
    </li>
  );
}

/** Files may be dropped anywhere on the page. */
function useDrop(draft: Draft): void {
  useEffect(() => {
    const holds = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent): void => {
      if (!holds(event)) return;
      event.preventDefault();
      dragging.value = true;
    };
    const left = (event: DragEvent): void => {
      if (!event.relatedTarget) dragging.value = false;
    };
    const dropped = (event: DragEvent): void => {
      dragging.value = false;
      if (!holds(event)) return;
      event.preventDefault();
      attach(draft, event.dataTransfer?.files ?? []);
    };
    const pairs = [
      ["dragover", over],
      ["dragleave", left],
      ["drop", dropped],
    ] as const;
    for (const [name, run] of pairs) addEventListener(name, run);
    return () => {
      for (const [name, run] of pairs) removeEventListener(name, run);
    };
  }, [draft]);
}
