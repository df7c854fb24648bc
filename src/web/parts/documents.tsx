// Documents that were given to the computer, and files that came back from it.
import { signal } from "@preact/signals";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import type { Answered } from "../../core/api.ts";
import { bytes } from "../../std/text.ts";
import { callComputer } from "../computer-api.ts";
import { fileAddress, openFile } from "../files.ts";
import { confirm, telling, toast } from "../notices.ts";
import { upload } from "../transfer.ts";
import { shortDate, wholeTime } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Card, useLoad, Waiting } from "./load.tsx";

type One = Answered<"documents.list">["documents"][number];
const given = signal<{ name: string; share: number } | undefined>(undefined);

export function Documents(): VNode {
  const { data, problem, again } = useLoad(() => callComputer("documents.list", { query: { limit: "500" } }), 5000);
  const picker = useRef<HTMLInputElement>(null);
  const give = async (files: Iterable<File>): Promise<void> => {
    for (const file of files) {
      const progress = (share: number): void => void (given.value = { name: file.name, share });
      progress(0);
      const done = await telling(upload(file, { signal: new AbortController().signal, progress }));
      given.value = undefined;
      if (done) toast(`“${done.name}” is in /data.`);
    }
    again();
  };
  return (
    <div class="cards">
      <Card
        id="docs-given"
        title="Given"
        about="Documents that your agent can read."
        aside={
          <button type="button" class="small" disabled={given.value !== undefined} onClick={() => picker.current?.click()}>
            {given.value ? `${Math.round(given.value.share * 100)} %` : "Add documents"}
          </button>
        }
      >
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Documents to add"
          onChange={(event) => void give([...(event.currentTarget.files ?? [])])}
        />
        {given.value ? <progress value={given.value.share} max={1} aria-label={`Uploading ${given.value.name}`} /> : null}
        <List kind="given" found={data?.documents} problem={problem} again={again} />
      </Card>
      <Card id="docs-returned" title="Returned" about="Files that your computer handed back.">
        <List kind="returned" found={data?.documents} problem={problem} again={again} />
      </Card>
    </div>
  );
}

const nothing = {
  given: "Nothing yet. What you upload here or in a conversation lies in /data.",
  returned: "Nothing yet. What a program moves to /return comes to you.",
};

function List({
  kind,
  found,
  problem,
  again,
}: {
  kind: One["kind"];
  found: readonly One[] | undefined;
  problem: string;
  again(): void;
}): VNode {
  const mine = found?.filter((one) => one.kind === kind);
  if (!mine) return <Waiting problem={problem} />;
  if (mine.length === 0) return <p class="quiet">{nothing[kind]}</p>;
  return (
    <ul class="lines-list">
      {mine.map((one) => (
        <Row key={one.id} one={one} again={again} />
      ))}
    </ul>
  );
}

function Row({ one, again }: { one: One; again(): void }): VNode {
  const { id, name, size, at, kind, path, session, transcript } = one;
  const remove = async (): Promise<void> => {
    const sure = await confirm({
      title: `Remove “${name}”?`,
      text: kind === "given" ? "It is taken out of /data too." : "The file that came back is deleted.",
      action: "Remove",
      danger: true,
    });
    if (sure && (await telling(callComputer("documents.remove", { id })))) again();
  };
  return (
    <li>
      <Icon name="file" />
      <span class="grow">
        <button type="button" class="ghost entry-name" onClick={() => void openFile(fileAddress(id))}>
          <span>{name}</span>
        </button>
        <small title={wholeTime(at)}>
          {bytes(size)} · {shortDate(at)}
          {path ? ` · ${path}` : ""}
          {session ? (
            <>
              {" · "}
              <a href={`/s/${session}`}>conversation</a>
            </>
          ) : null}
          {transcript?.problem ? ` · not transcribed: ${transcript.problem}` : ""}
        </small>
        {transcript?.id ? (
          <button
            type="button"
            class="ghost small"
            aria-label={`Transcript of ${name}`}
            onClick={() => void openFile(fileAddress(transcript.id!))}
          >
            Transcript
          </button>
        ) : null}
      </span>
      <button type="button" class="ghost round" aria-label={`Remove ${name}`} onClick={() => void remove()}>
        <Icon name="trash" />
      </button>
    </li>
  );
}
