// What is known of the person: a search over everything, the kept facts, the JSON memory with its versions.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callMemory, type FactChange, type Hit, type Known } from "../memory-api.ts";
import { spoken, telling, toast } from "../notices.ts";
import type { IconName } from "../parts/icon.tsx";
import { Card, type Loaded, useLoad, Waiting } from "../parts/load.tsx";
import { Fields } from "../parts/memory-fields.tsx";
import { takeStyles } from "../sheet.ts";
import { baseName, count, number, shortDate, wholeTime } from "../words.ts";
import styles from "./memory.css";

export const title = "Memory";
export const icon: IconName = "brain";

takeStyles(styles);

export function Page(): VNode {
  const known = useLoad(() => callMemory("memory.get"));
  return (
    <div class="cards">
      <Search />
      <Facts known={known} />
      <Fields known={known} />
    </div>
  );
}

function Search(): VNode {
  const [words, setWords] = useState("");
  const [found, setFound] = useState<Hit[]>();
  const [busy, setBusy] = useState("");
  const search = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (words.trim() === "") return;
    setBusy("search");
    const answer = await telling(callMemory("memory.search", { query: { q: words.trim(), limit: "50" } }));
    setBusy("");
    if (!answer) return;
    setFound(answer.hits);
    spoken.value = answer.hits.length === 0 ? "Nothing was found." : `${count(answer.hits.length, "hit")}.`;
  };
  const sync = async (): Promise<void> => {
    setBusy("sync");
    const looked = await telling(callMemory("memory.sync"));
    setBusy("");
    if (!looked) return;
    const { files, pieces, vectors, problems } = looked;
    toast(`${count(files, "file")}, ${count(pieces, "piece")} of text${vectors > 0 ? `, ${number(vectors)} with their meaning` : ""}.`);
    for (const problem of problems) toast(problem, { tone: "bad" });
  };
  return (
    <Card
      id="memory-search"
      title="Search"
      about="Everything that was said in any session, what is remembered, and the text files of your workspace."
      aside={
        <button type="button" class="small" disabled={busy !== ""} onClick={() => void sync()}>
          {busy === "sync" ? "Looking…" : "Look through the workspace"}
        </button>
      }
    >
      <form class="memory-search" role="search" onSubmit={(event) => void search(event)}>
        <input
          type="search"
          aria-label="Words to look for"
          placeholder="kitchen invoice"
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={busy !== "" || words.trim() === ""}>
          {busy === "search" ? "Searching…" : "Search"}
        </button>
      </form>
      {found?.length === 0 ? <p class="quiet">Nothing was found. Fewer words find more.</p> : null}
      {found && found.length > 0 ? (
        <ol class="memory-hits" aria-label="What was found">
          {found.map((hit) => (
            <One key={keyOf(hit)} hit={hit} />
          ))}
        </ol>
      ) : null}
    </Card>
  );
}

const keyOf = (hit: Hit): string =>
  hit.from === "said" ? `${hit.session}#${hit.number}` : hit.from === "file" ? `${hit.path}:${hit.line}` : hit.id;

function One({ hit }: { hit: Hit }): VNode {
  return (
    <li>
      <small class="quiet">
        {hit.from === "said" ? (
          <a href={`/s/${hit.session}`}>In a conversation</a>
        ) : hit.from === "file" ? (
          <span title={hit.path}>
            {baseName(hit.path)}, line {number(hit.line)}
          </span>
        ) : (
          "Remembered"
        )}{" "}
        · <time title={wholeTime(hit.at)}>{shortDate(hit.at)}</time>
        {hit.by === "words" ? "" : hit.by === "meaning" ? " · by its meaning" : " · by words and meaning"}
      </small>
      <p>{hit.text}</p>
    </li>
  );
}

function Facts({ known }: { known: Loaded<Known> }): VNode {
  const changes = useLoad(() => callMemory("memory.facts"));
  const done = (said: string): void => {
    toast(said);
    known.again();
    changes.again();
  };
  const forget = async (id: string): Promise<void> => {
    if (await telling(callMemory("memory.forget", { id }))) done("Forgotten. Below, under the history, it is brought back.");
  };
  const restore = async (id: string): Promise<void> => {
    if (await telling(callMemory("memory.restore", { id }))) done("It is kept again.");
  };
  const facts = known.data?.facts.toSorted((a, b) => b.at - a.at);
  return (
    <Card id="memory-facts" title="Facts" about="What the agent was asked to keep. They are in its instructions.">
      {facts === undefined ? (
        <Waiting problem={known.problem} />
      ) : facts.length === 0 ? (
        <p class="quiet">Nothing yet. Say “remember that …” in a conversation.</p>
      ) : (
        <ul class="lines-list" aria-label="Facts">
          {facts.map(({ id, text, at, session, type, untrusted, local }) => (
            <li key={id}>
              <span class="grow">
                {text}
                <small>
                  {type && type !== "other" ? `${type} · ` : ""}
                  {shortDate(at)}
                  {untrusted ? " · after words of others, so no instruction" : ""}
                  {local ? " · for models of this machine only" : ""}
                  {session ? (
                    <>
                      {" · "}
                      <a href={`/s/${session}`}>where it was said</a>
                    </>
                  ) : null}
                </small>
              </span>
              <button type="button" class="small" aria-label={`Forget: ${text.slice(0, 60)}`} onClick={() => void forget(id)}>
                Forget
              </button>
            </li>
          ))}
        </ul>
      )}
      <FactHistory changes={changes.data?.changes ?? []} restore={(id) => void restore(id)} />
    </Card>
  );
}

function FactHistory({ changes, restore }: { changes: FactChange[]; restore(id: string): void }): VNode | null {
  if (changes.length === 0) return null;
  const gone = new Set<string>();
  return (
    <details class="memory-versions">
      <summary>History of facts</summary>
      <ul class="lines-list" aria-label="History of facts">
        {changes.map(({ at, did, by, fact, text, there }) => {
          const offered = !there && did === "forgotten" && !gone.has(fact);
          if (offered) gone.add(fact);
          return (
            <li key={`${at} ${fact}`}>
              <span class="grow">
                {text}
                <small>
                  {did} by {by === "you" ? "you" : "the agent"} · <time title={wholeTime(at)}>{shortDate(at)}</time>
                </small>
              </span>
              {offered ? (
                <button type="button" class="small" aria-label={`Bring back: ${text.slice(0, 60)}`} onClick={() => restore(fact)}>
                  Bring back
                </button>
              ) : null}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
