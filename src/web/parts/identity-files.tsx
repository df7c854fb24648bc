// The identity's files: one is shown, what is written stays until it is saved or discarded, with its difference before saving.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { telling, toast } from "../notices.ts";
import { callSkills, type Identity, type IdentityFile, type Lines } from "../skills-api.ts";
import { number, shortDate } from "../words.ts";
import { Diff } from "./diff.tsx";
import { Card, type Loaded, Waiting } from "./load.tsx";

const ABOUT: Record<string, string> = {
  "SOUL.md": "How Steward speaks and behaves, to everybody here.",
  "USER.md": "Who you are and how you like things.",
  "MEMORY.md": "Lasting facts and decisions.",
  "HEARTBEAT.md": "What Steward does by itself, and when. Not in its instructions.",
  "TOOLS.md": "Notes on tools: what to use when, names of machines and folders.",
};

/** What is written, and what the file said when it was begun. */
interface Draft {
  text: string;
  before: string;
}

function withDraft(all: ReadonlyMap<string, Draft>, name: string, draft?: Draft): ReadonlyMap<string, Draft> {
  const next = new Map(all);
  next.delete(name);
  return draft ? next.set(name, draft) : next;
}

export function Files({ known, again }: { known: Loaded<Identity>; again(): void }): VNode {
  const [name, setName] = useState("USER.md");
  // What is written stays while another file is looked at, and when the file changes meanwhile.
  const [drafts, setDrafts] = useState<ReadonlyMap<string, Draft>>(new Map());
  const write = (draft?: Draft): void => setDrafts((all) => withDraft(all, name, draft));
  const saved = (text: string): void => {
    if (known.data) known.set({ ...known.data, files: known.data.files.map((one) => (one.name === name ? { ...one, text } : one)) });
    setDrafts((all) => {
      const written = all.get(name);
      return withDraft(all, name, written && written.text !== text ? { text: written.text, before: text } : undefined);
    });
  };
  const file = known.data?.files.find((one) => one.name === name);
  return (
    <Card
      id="identity-files"
      title="Files"
      about={
        known.data?.folder === undefined
          ? "A change holds from the next message on."
          : `In ${known.data.folder}: any editor will do too. A change holds from the next message on.`
      }
    >
      <div class="tabs-row" role="group" aria-label="Which file">
        {Object.keys(ABOUT).map((one) => (
          <button key={one} type="button" class="small" aria-pressed={one === name} onClick={() => setName(one)}>
            {one}
          </button>
        ))}
      </div>
      {file ? (
        <Editor key={name} file={file} draft={drafts.get(name)} write={write} saved={saved} again={again} />
      ) : (
        <Waiting problem={known.problem} />
      )}
    </Card>
  );
}

interface EditorProps {
  file: IdentityFile;
  draft: Draft | undefined;
  write(draft?: Draft): void;
  saved(text: string): void;
  again(): void;
}

function Editor({ file, draft, write, saved, again }: EditorProps): VNode {
  const { name, yours, tokens, at, by, problem } = file;
  const [lines, setLines] = useState<Lines>();
  const text = draft?.text ?? file.text;
  const changed = text !== file.text;
  const moved = changed && draft !== undefined && draft.before !== file.text;
  useEffect(() => setLines(undefined), [text, file.text]);
  const compare = async (): Promise<void> =>
    setLines((await telling(callSkills("identity.put", { id: name, body: { text, preview: true } })))?.diff);
  const save = async (): Promise<void> => {
    // Refused: what the file says now is asked for, and what was written stays.
    if (!(await telling(callSkills("identity.put", { id: name, body: { text, before: file.text } })))) return again();
    saved(text);
    toast(`${name} is saved. It holds from the next message on.`);
    again();
  };
  return (
    <>
      <p class="about">
        {ABOUT[name]} {tokens > 0 ? `${number(tokens)} tokens in each request.` : ""}{" "}
        {at > 0 && by !== "start" ? `Changed ${shortDate(at)} by ${by}.` : ""}
      </p>
      {problem ? <p class="problem">The file can't be read: {problem}</p> : null}
      <textarea
        class="identity-text"
        aria-label={name}
        readOnly={!yours}
        value={text}
        onInput={({ currentTarget: { value } }) => write({ text: value, before: draft?.before ?? file.text })}
      />
      {moved ? (
        <p class="problem">The file was changed since you began to write. “Show what changes” compares with what it says now.</p>
      ) : null}
      {yours ? (
        <div class="actions">
          <button type="button" class="primary small" disabled={!changed} onClick={() => void save()}>
            {moved ? "Replace it" : "Save"}
          </button>
          <button type="button" class="small" disabled={!changed} onClick={() => void compare()}>
            Show what changes
          </button>
          <button type="button" class="small" disabled={!changed} onClick={() => write()}>
            Discard
          </button>
        </div>
      ) : (
        <p class="quiet">It is the owner's: how Steward speaks to everybody here.</p>
      )}
      {lines ? <Diff lines={lines} label={`What changes in ${name}`} /> : null}
    </>
  );
}
