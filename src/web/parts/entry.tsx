// One row of the conversation: messages, replies, thinking, plans, notices, files, the end of a turn.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Entry } from "../../core/fold.ts";
import { textOf } from "../../core/history.ts";
import type { FilePart, Item, Part } from "../../core/types.ts";
import { bytes } from "../../std/text.ts";
import { useNow } from "../clock.ts";
import { fileAddress, openFile, picture } from "../files.ts";
import { Markdown } from "../markdown.tsx";
import type { Row } from "../rows.ts";
import { dropPending, sayAgain, type Pending } from "../sending.ts";
import { view } from "../session.ts";
import type { ToolEntry } from "../tools.ts";
import { dayName, duration, timeOf, wholeTime } from "../words.ts";
import { AskCard } from "./ask.tsx";
import { CopyButton } from "./code.tsx";
import { End } from "./end.tsx";
import { Fold } from "./fold.tsx";
import { Guarded } from "./guarded.tsx";
import { Icon } from "./icon.tsx";
import { ToolCard } from "./tool.tsx";

const drawn = new WeakMap<Row, VNode>();

/** The same row is the same element. */
export function drawRow(row: Row): VNode {
  const known = drawn.get(row);
  if (known) return known;
  const made = <Guarded row={row}>{draw(row)}</Guarded>;
  drawn.set(row, made);
  return made;
}

function draw(row: Row): VNode {
  if (row.kind === "day") return <Day at={row.at} />;
  if (row.kind === "working") return <Working />;
  if (row.kind === "pending") return <OnItsWay pending={row.pending} />;
  const { entry } = row;
  switch (entry.kind) {
    case "message":
      return (
        <Message parts={entry.parts} at={entry.at} by={speaker(entry)} kind={entry.source ? "reported" : entry.command ? "command" : ""} />
      );
    case "ask":
      return <AskCard entry={entry} />;
    case "end":
      return <End entry={entry} />;
    case "compacted":
      return <Compacted id={entry.id} summary={entry.summary} />;
    case "item":
      return <ItemRow entry={entry} item={entry.item} />;
  }
}

function ItemRow({ entry, item }: { entry: Entry & { kind: "item" }; item: Item }): VNode {
  const live = entry.state === "live";
  switch (item.kind) {
    case "text":
      return <Reply id={entry.id} text={item.text} at={entry.at} live={live} />;
    case "thinking":
      return <Thinking id={entry.id} text={item.text} live={live} />;
    case "tool":
      return <ToolCard entry={entry as ToolEntry} />;
    case "plan":
      return <Plan entries={item.entries} />;
    case "notice":
      return (
        <p class={`notice ${item.level}`}>
          <Icon name={item.level === "info" ? "info" : "warning"} /> <span>{item.text}</span>
        </p>
      );
    case "file":
      return (
        <div class="files">
          <FileChip file={item.file} />
        </div>
      );
    case "step":
      return <></>;
  }
}

function Day({ at }: { at: number }): VNode {
  const name = dayName(at, useNow());
  return (
    <div class="day">
      <span>{/day$/.test(name) ? name : new Date(at).toLocaleDateString(undefined, { dateStyle: "full" })}</span>
    </div>
  );
}

const Stamp = ({ at }: { at: number }): VNode => (
  <time class="stamp" dateTime={new Date(at).toISOString()} title={wholeTime(at)}>
    {timeOf(at)}
  </time>
);

interface Spoken {
  parts: readonly Part[];
  at: number;
  state?: "sending" | "failed";
  by?: string;
  kind?: "" | "reported" | "command";
}
const speaker = ({ from, source }: Entry & { kind: "message" }): string =>
  source && source !== "forwarded"
    ? source === "computer"
      ? "A program in your computer"
      : source === "agent"
        ? from
        : source === "schedule" || source === "heartbeat"
          ? "Schedule"
          : "A program"
    : from.startsWith("agent:")
      ? "Senior agent"
      : "You";

function Message({ parts, at, state, by = "You", kind = "" }: Spoken): VNode {
  const text = textOf([...parts]);
  const files = parts.filter((part) => part.type === "file");
  return (
    <article class={`message ${kind || (state ?? "")}`} aria-label={by}>
      {files.length > 0 ? (
        <div class="files">
          {files.map((file) => (
            <FileChip key={file.id} file={file} />
          ))}
        </div>
      ) : null}
      {text ? <div class="bubble">{text}</div> : null}
      <div class="under">
        {kind === "reported" ? <span class="stamp">{by}</span> : null}{" "}
        {state === "sending" ? <span class="stamp">Sending…</span> : <Stamp at={at} />}
      </div>
    </article>
  );
}

function OnItsWay({ pending }: { pending: Pending }): VNode {
  return (
    <>
      <Message parts={pending.parts} at={pending.at} state={pending.problem ? "failed" : "sending"} />
      {pending.problem ? (
        <div class="notice error" role="alert">
          <Icon name="warning" /> <span>Not sent: {pending.problem}</span>
          <button type="button" class="small" onClick={() => void sayAgain(pending)}>
            Send again
          </button>
          <button type="button" class="ghost small" onClick={() => dropPending(pending.key)}>
            Drop
          </button>
        </div>
      ) : null}
    </>
  );
}

function Reply({ id, text, at, live }: { id: string; text: string; at: number; live: boolean }): VNode {
  return (
    <article class={`reply${live ? " live" : ""}`} aria-label="Steward" aria-busy={live}>
      <Markdown id={id} text={text} live={live} />
      {live ? null : (
        <div class="under">
          <Stamp at={at} />
          <CopyButton text={text} what="reply" />
        </div>
      )}
    </article>
  );
}

const Thinking = ({ id, text, live }: { id: string; text: string; live: boolean }): VNode => (
  <Fold id={`think/${id}`} class="thinking" title={<span class={live ? "shimmer" : ""}>{live ? "Thinking…" : "Thought about it"}</span>}>
    {() => (
      <div class="thoughts">
        <Markdown id={`think/${id}`} text={text} live={live} />
      </div>
    )}
  </Fold>
);

const marks = { pending: "To do", active: "In work", done: "Done" } as const;

function Plan({ entries }: { entries: { text: string; state: keyof typeof marks }[] }): VNode {
  const done = entries.filter(({ state }) => state === "done").length;
  return (
    <section class="plan" aria-label="Plan">
      <header>
        <Icon name="check" /> Plan{" "}
        <span class="quiet">
          {done} of {entries.length}
        </span>
      </header>
      <ol>
        {entries.map(({ text, state }, index) => (
          <li key={index} class={state}>
            <span class="mark-box" role="img" aria-label={marks[state]} /> <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function FileChip({ file }: { file: FilePart }): VNode {
  const [src, setSrc] = useState<string>();
  const address = fileAddress(file.id);
  useEffect(() => {
    let gone = false;
    if (/^image\/(png|jpeg|gif|webp|avif)$/.test(file.mime)) void picture(address).then((found) => gone || setSrc(found));
    return () => void (gone = true);
  }, [address]);
  const title = `${file.name}, ${bytes(file.size)}`;
  return src ? (
    <a class="picture" href={src} target="_blank" rel="noopener" title={title}>
      <img src={src} alt={file.name} />
    </a>
  ) : (
    <button type="button" class="file-chip" title={title} onClick={() => void openFile(address)}>
      <Icon name="file" /> <span class="name">{file.name}</span> <span class="quiet">{bytes(file.size)}</span>
    </button>
  );
}

const Compacted = ({ id, summary }: { id: string; summary: string }): VNode => (
  <Fold id={id} class="compacted" title="Earlier messages were summed up to save room">
    {() => (
      <div class="thoughts">
        <Markdown id={id} text={summary} />
      </div>
    )}
  </Fold>
);

function Working(): VNode {
  const now = useNow();
  const turn = view.value?.turn;
  const asked = view.value?.entries.some((entry) => entry.kind === "ask" && entry.ask.turn === turn?.id && !entry.answered);
  const seconds = turn ? Math.floor((now - turn.at) / 1000) : 0;
  return (
    <p class="working">
      <span class="beads" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span>{asked ? "Waiting for your answer" : workingWords(turn?.waiting)}</span>
      {seconds >= 3 ? <span class="quiet">{duration(seconds * 1000)}</span> : null}
    </p>
  );
}

function workingWords(waiting: { on: "model" | "retry" | "ask"; until?: number; text?: string } | undefined): string {
  if (waiting?.on === "ask") return "Waiting for your answer";
  if (waiting?.on === "retry")
    return `${waiting.text ?? "The model could not be reached."} Trying again${waiting.until ? ` at ${timeOf(waiting.until)}` : ""}`;
  return waiting?.on === "model" ? "Waiting for the model" : "Working";
}
