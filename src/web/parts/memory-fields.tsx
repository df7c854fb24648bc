// The JSON memory of a person: written by hand, begun anew, and its earlier versions.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callMemory, type Known, type Version } from "../memory-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { count, number, wholeTime } from "../words.ts";
import { Card, type Loaded, useLoad, Waiting } from "./load.tsx";

/** What is written, and what the memory said when it was begun. */
interface Draft {
  text: string;
  before: string;
}

export function Fields({ known }: { known: Loaded<Known> }): VNode {
  const [draft, setDraft] = useState<Draft>();
  const versions = useLoad(() => callMemory("memory.history"));
  const now = known.data?.memory ?? "";
  const again = (): void => (known.again(), versions.again());
  const put = async (memory: string, said: string, before?: string): Promise<void> => {
    const done = await telling(callMemory("memory.put", { body: { memory, ...(before === undefined ? {} : { before }) } }));
    // Refused: what it says now is shown, and what was written stays. So does what was written while it was kept.
    if (!done) return again();
    if (known.data) known.set({ ...known.data, memory: done.memory });
    setDraft((written) => (written && written.text !== memory ? { text: written.text, before: done.memory } : undefined));
    toast(said);
    again();
  };
  const reset = async (): Promise<void> => {
    const words = "Its fields go; the version of now is kept below.";
    if (!(await confirm({ title: "Begin this memory anew?", text: words, action: "Begin anew", danger: true }))) return;
    if (!(await telling(callMemory("memory.reset")))) return;
    setDraft(undefined);
    again();
  };
  return (
    <Card
      id="memory-json"
      title="Fields"
      about="One JSON object that stands in the instructions of every turn. The agent may set its fields, but never protected_memory."
    >
      {known.data ? (
        <>
          <Writing
            now={now}
            draft={draft}
            limit={known.data.limit}
            write={(text) => setDraft({ text, before: draft?.before ?? now })}
            save={(text) => void put(text, "Saved.", now)}
            discard={() => setDraft(undefined)}
            reset={() => void reset()}
          />
          <Versions versions={versions.data?.versions ?? []} restore={(memory) => void put(memory, "That version holds again.")} />
        </>
      ) : (
        <Waiting problem={known.problem} />
      )}
    </Card>
  );
}

interface WritingProps {
  now: string;
  draft: Draft | undefined;
  limit: number;
  write(text: string): void;
  save(text: string): void;
  discard(): void;
  reset(): void;
}

function Writing({ now, draft, limit, write, save, discard, reset }: WritingProps): VNode {
  const text = draft?.text ?? now;
  const moved = draft !== undefined && draft.before !== now;
  return (
    <>
      <textarea
        class="memory-json"
        aria-label="The memory as JSON"
        spellcheck={false}
        value={text}
        onInput={(event) => write(event.currentTarget.value)}
      />
      {moved ? (
        <>
          <p class="problem">It was changed since you began to write. It says now:</p>
          <pre>{now}</pre>
        </>
      ) : null}
      <div class="actions">
        <button type="button" class="primary small" disabled={!draft} onClick={() => save(text)}>
          {moved ? "Replace it" : "Save"}
        </button>
        <button type="button" class="small" disabled={!draft} onClick={discard}>
          Discard
        </button>
        <button type="button" class="small danger" onClick={reset}>
          Begin anew
        </button>
        <span class="quiet">
          {number(text.length)} of {number(limit)} characters
        </span>
      </div>
    </>
  );
}

function Versions({ versions, restore }: { versions: Version[]; restore(memory: string): void }): VNode | null {
  if (versions.length === 0) return null;
  return (
    <details class="memory-versions">
      <summary>{count(versions.length, "version")}</summary>
      <ul class="lines-list" aria-label="Versions">
        {versions.map(({ id, at, by, memory }) => (
          <li key={id}>
            <details class="grow">
              <summary>
                {wholeTime(at)} · by {by}
              </summary>
              <pre>{memory}</pre>
            </details>
            <button type="button" class="small" aria-label={`Put back the version of ${wholeTime(at)}`} onClick={() => restore(memory)}>
              Put back
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
