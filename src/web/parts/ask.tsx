// A question that only a person may answer, in place: exactly what will run, and how far the answer reaches.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Entry } from "../../core/fold.ts";
import type { Answer } from "../../core/types.ts";
import { revealed } from "../../std/text.ts";
import { call } from "../api.ts";
import { useNow } from "../clock.ts";
import { telling } from "../notices.ts";
import { refreshSoon } from "../sessions.ts";
import { scopeWords, timeOf, wholeTime } from "../words.ts";
import { focusComposer } from "./composer.tsx";
import { Fold } from "./fold.tsx";
import { Icon } from "./icon.tsx";

type AskEntry = Entry & { kind: "ask" };
const terms = [
  { label: "for a day", ms: 86_400_000 },
  { label: "for a week", ms: 604_800_000 },
  { label: "for a month", ms: 2_592_000_000 },
] as const;

export function AskCard({ entry }: { entry: AskEntry }): VNode {
  const { ask, answered } = entry;
  const [sent, setSent] = useState(false);
  const answer = async (one: Answer): Promise<void> => {
    setSent(true);
    const done = await telling(call("asks.answer", { params: { id: ask.id }, body: one }));
    refreshSoon();
    if (done) focusComposer();
    else setSent(false);
  };
  const title = `ask-${ask.id}`;
  return (
    <section class={`ask ${answered ? "answered" : "open"}`} aria-labelledby={title}>
      <header>
        <Icon name={ask.kind === "approval" ? "shield" : "ask"} />
        <h3 id={title}>{ask.prompt}</h3>
      </header>
      {ask.shows && !answered ? <Shows text={ask.shows} /> : null}
      {answered ? <Answered entry={entry} /> : <Choices entry={entry} busy={sent} answer={(one) => void answer(one)} />}
    </section>
  );
}

const Shows = ({ text }: { text: string }): VNode => (
  <pre class="shows" tabIndex={0} role="region" aria-label="What it wants to do">
    {revealed(text)}
  </pre>
);

function Answered({ entry: { ask, answered } }: { entry: AskEntry }): VNode | null {
  if (!answered) return null;
  const { by, answer, at } = answered;
  const allowed = ask.kind !== "approval" || answer.choice === "allow";
  return (
    <>
      <p class={`verdict ${allowed ? "good" : "bad"}`} title={wholeTime(at)}>
        <Icon name={allowed ? "check" : "close"} /> {verdict(ask.kind, answer, by)}
        <span class="quiet"> · {timeOf(at)}</span>
      </p>
      {ask.shows ? (
        <Fold id={`ask/${ask.id}`} title="What it wanted to do">
          {() => <Shows text={ask.shows ?? ""} />}
        </Fold>
      ) : null}
    </>
  );
}

function verdict(kind: string, answer: Answer, by: string): string {
  if (by === "expired") return "Nobody answered in time, so it was not done";
  if (by === "cancelled") return "Stopped before it was answered";
  if (kind !== "approval") return `Answered: ${answer.choice}`;
  if (answer.choice !== "allow") return "Denied";
  if (answer.for === "scope") return `Allowed until ${wholeTime(answer.until ?? 0)}`;
  return answer.for === "task" ? "Allowed for this task" : "Allowed once";
}

interface Choosing {
  entry: AskEntry;
  busy: boolean;
  answer(one: Answer): void;
}

function Choices(given: Choosing): VNode {
  const { ask } = given.entry;
  return (
    <>
      {ask.kind === "approval" ? <Approval {...given} /> : null}
      {ask.kind === "choice" ? (
        <div class="actions">
          {ask.options.map((option) => (
            <button key={option} type="button" disabled={given.busy} onClick={() => given.answer({ choice: option })}>
              {option}
            </button>
          ))}
        </div>
      ) : null}
      {ask.kind === "text" ? <Words {...given} /> : null}
      <Expiry at={ask.expiresAt} />
    </>
  );
}

function Approval({ entry: { ask }, busy, answer }: Choosing): VNode {
  return (
    <>
      <div class="actions">
        <button type="button" class="primary" disabled={busy} onClick={() => answer({ choice: "allow", for: "once" })}>
          Allow once
        </button>
        <button type="button" disabled={busy} onClick={() => answer({ choice: "allow", for: "task" })}>
          Allow for this task
        </button>
        <button type="button" class="danger" disabled={busy} onClick={() => answer({ choice: "deny" })}>
          Deny
        </button>
      </div>
      {ask.scope ? (
        <div class="lasting" role="group" aria-labelledby={`scope-${ask.id}`}>
          <span id={`scope-${ask.id}`}>
            Without asking again, <Scope scope={ask.scope} />:
          </span>
          {terms.map(({ label, ms }) => (
            <button
              key={ms}
              type="button"
              class="small"
              disabled={busy}
              onClick={() => answer({ choice: "allow", for: "scope", until: Date.now() + ms })}
            >
              Allow {label}
            </button>
          ))}
        </div>
      ) : null}
    </>
  );
}

/** A lasting answer's reach in plain words. */
export function Scope({ scope }: { scope: string }): VNode {
  const { words, name } = scopeWords(scope);
  return (
    <>
      {words} {name ? <code>{revealed(name)}</code> : null}
    </>
  );
}

function Words({ entry: { ask }, busy, answer }: Choosing): VNode {
  const [text, setText] = useState("");
  return (
    <form class="words" onSubmit={(event) => (event.preventDefault(), text.trim() && answer({ choice: text.trim() }))}>
      <label class="hidden" for={`words-${ask.id}`}>
        Your answer
      </label>
      <input
        id={`words-${ask.id}`}
        value={text}
        disabled={busy}
        onInput={(event) => setText(event.currentTarget.value)}
        autocomplete="off"
        placeholder="Your answer"
      />
      <button class="primary" disabled={busy || !text.trim()}>
        Answer
      </button>
    </form>
  );
}

function Expiry({ at }: { at: number }): VNode | null {
  const minutes = Math.ceil((at - useNow()) / 60_000);
  if (minutes > 60) return null;
  return <p class="quiet">{minutes > 0 ? `Expires in ${minutes} min; then it is not done.` : "It has expired."}</p>;
}
