// The conversation: its rows, the empty beginning, and where the person writes.
import { useEffect } from "preact/hooks";
import type { VNode } from "preact";
import { senior } from "../agents.ts";
import { AgentTree, ReadOnly } from "../parts/agents.tsx";
import { Composer, focusComposer } from "../parts/composer.tsx";
import { drawRow } from "../parts/entry.tsx";
import { Header } from "../parts/header.tsx";
import { Mark, type IconName } from "../parts/icon.tsx";
import { List } from "../parts/list.tsx";
import { me } from "../people.ts";
import { sessionInPath } from "../router.ts";
import { guess, rows } from "../rows.ts";
import { draftOf, sendDraft } from "../sending.ts";
import { atStart, leaveSession, loadingOlder, loadOlder, openSession, trouble, view } from "../session.ts";

export const title = "Chat";
export const icon: IconName = "bell";

export function Page(): VNode {
  const id = sessionInPath.value;
  useEffect(() => {
    if (id) void openSession(id);
    else leaveSession();
  }, [id]);
  return (
    <div class="chat">
      <Header />
      <Conversation id={id} />
      {id ? <AgentTree session={id} /> : null}
      {id && senior.value ? <ReadOnly session={id} parent={senior.value} /> : <Composer key={id ?? ""} session={id} />}
    </div>
  );
}

function Conversation({ id }: { id: string | undefined }): VNode {
  if (trouble.value)
    return (
      <div class="middle">
        <h2>This session can't be shown</h2>
        <p>{trouble.value}</p>
        <p>
          <a href="/">Begin a new one</a>
        </p>
      </div>
    );
  if (id && !view.value && rows.value.length === 0)
    return (
      <div class="middle" aria-busy="true">
        <p class="quiet late">Opening…</p>
      </div>
    );
  if (rows.value.length === 0 && atStart.value) return <Empty id={id} />;
  return (
    <>
      {loadingOlder.value ? (
        <p class="loading-older" role="status">
          Loading earlier messages…
        </p>
      ) : null}
      <List
        key={id}
        rows={rows.value}
        draw={drawRow}
        guess={guess}
        label="Conversation"
        nearTop={() => atStart.value || void loadOlder()}
      />
    </>
  );
}

const chips = ["List the files in my home folder", "How much disk space is free?", "What can you do?"];

function Empty({ id }: { id: string | undefined }): VNode {
  const hour = new Date().getHours();
  const greeting = hour < 5 ? "Good night" : hour < 12 ? "Good morning" : hour < 18 ? "Good afternoon" : "Good evening";
  const use = (text: string): void => {
    draftOf(id).text.value = text;
    void sendDraft(id);
  };
  const begin = (text: string): void => {
    draftOf(id).text.value = text;
    focusComposer();
  };
  return (
    <div class="middle empty">
      <Mark size={52} />
      <h2>{greeting}.</h2>
      <p>Say what you need in plain words. {modeWords[me.value?.mode ?? ""] ?? ""}</p>
      <div class="chips">
        {chips.map((chip) => (
          <button key={chip} type="button" onClick={() => use(chip)}>
            {chip}
          </button>
        ))}
        <button type="button" onClick={() => begin("Remember that ")}>
          Remember that …
        </button>
      </div>
    </div>
  );
}

const modeWords: Record<string, string> = {
  contained: "It works inside a sandbox of its own, and what it changes can be undone.",
  guarded: "It works on this computer inside a sandbox, asks before it leaves it, and what it changes can be undone.",
  full: "It works on this computer without a sandbox; what its file tools change can be undone.",
};
