// Identity: how Steward speaks and what it always knows: personalities, the files with their difference before saving, what waits, the history, what a turn sends.
import type { VNode } from "preact";
import { confirm, telling, toast } from "../notices.ts";
import { call } from "../api.ts";
import { Diff } from "../parts/diff.tsx";
import { Fold } from "../parts/fold.tsx";
import type { IconName } from "../parts/icon.tsx";
import { Files } from "../parts/identity-files.tsx";
import { Card, type Loaded, useLoad, Waiting } from "../parts/load.tsx";
import { isOwner } from "../people.ts";
import { callSkills, type Identity, type IdentityFile, type OwnChange } from "../skills-api.ts";
import { takeStyles } from "../sheet.ts";
import { number, shortDate, wholeTime } from "../words.ts";
import styles from "./skills.css";

export const title = "Identity";
export const icon: IconName = "write";

takeStyles(styles);

export function Page(): VNode {
  const known = useLoad(() => callSkills("identity.get"));
  const history = useLoad(() => callSkills("changes.list"));
  const again = (): void => (known.again(), history.again());
  const waiting = known.data?.files.filter(({ waits }) => waits !== undefined) ?? [];
  return (
    <div class="cards">
      {waiting.map((file) => (
        <Waits key={file.name} file={file} again={again} />
      ))}
      {isOwner.value && known.data ? <Personality data={known.data} again={again} /> : null}
      <Files known={known} again={again} />
      <History history={history} again={again} />
      <Sent />
    </div>
  );
}

function Waits({ file: { name, waits = "", diff = [] }, again }: { file: IdentityFile; again(): void }): VNode {
  const settle = async (accept: boolean): Promise<void> => {
    if (!(await telling(callSkills("identity.settle", { id: name, body: { accept, text: waits } })))) return;
    toast(accept ? `${name} holds as it is now.` : `${name} is put back.`);
    again();
  };
  return (
    <Card
      id={`waits-${name}`}
      title={`${name} waits for you`}
      about="A command of the agent changed this file. Until you say so, the text from before holds."
    >
      <Diff lines={diff} label={`What a command changed in ${name}`} />
      <div class="actions">
        <button type="button" class="small" aria-label={`Let it hold: ${name}`} onClick={() => void settle(true)}>
          Let it hold
        </button>
        <button type="button" class="small primary" aria-label={`Put it back: ${name}`} onClick={() => void settle(false)}>
          Put it back
        </button>
      </div>
    </Card>
  );
}

function Personality({ data: { preset, presets }, again }: { data: Identity; again(): void }): VNode {
  const choose = async (name: Identity["preset"]): Promise<void> => {
    const own = {
      title: `Speak as ${name}?`,
      text: "SOUL.md holds words of your own. They can be brought back below, under What was changed.",
      action: "Replace them",
    };
    if (name !== "Custom" && preset === "Custom" && !(await confirm(own))) return again();
    if (!(await telling(callSkills("identity.preset", { body: { preset: name } })))) return again();
    toast(name === "Custom" ? "Write your own words into SOUL.md below." : `${name} from the next message on.`);
    again();
  };
  return (
    <Card id="identity-personality" title="Personality">
      <fieldset class="presets" aria-labelledby="identity-personality">
        {presets.map(({ name, text }) => (
          <label key={`${name} ${preset}`} class="preset">
            <b>
              <input type="radio" name="preset" checked={name === preset} onChange={() => void choose(name)} /> {name}
            </b>
            <span class="about">{text || "Your own words, in SOUL.md."}</span>
          </label>
        ))}
      </fieldset>
    </Card>
  );
}

function History({ history, again }: { history: Loaded<{ changes: OwnChange[] }>; again(): void }): VNode {
  const undo = async ({ id, summary }: OwnChange): Promise<void> => {
    const done = await telling(call("undo.one", { params: { id } }));
    const [entry] = done?.entries ?? [];
    if (!entry) return;
    toast(
      entry.state === "undone" ? `Undone: ${summary}` : (entry.reason ?? "It could not be undone."),
      entry.state === "undone" ? {} : { tone: "bad" },
    );
    again();
  };
  const changes = history.data?.changes;
  return (
    <Card id="identity-history" title="What was changed" about="Of identity, skills and settings, by you and by the agent.">
      {changes === undefined ? (
        <Waiting problem={history.problem} />
      ) : changes.length === 0 ? (
        <p class="quiet">Nothing yet. Say “remember in MEMORY.md that …” or “speak more briefly from now on” in a conversation.</p>
      ) : (
        <ul class="lines-list" aria-label="What was changed">
          {changes.map((one) => (
            <li key={one.id}>
              <span class="grow">
                {one.diff ? (
                  <Fold id={`change-${one.id}`} title={one.summary}>
                    {() => <Diff lines={one.diff ?? []} label={one.summary} />}
                  </Fold>
                ) : (
                  one.summary
                )}
                <small title={wholeTime(one.at)}>
                  {shortDate(one.at)} · by {one.by}
                </small>
              </span>
              {one.state === "done" ? (
                <button
                  type="button"
                  class="small"
                  aria-label={`Undo: ${one.summary}, ${wholeTime(one.at)}`}
                  onClick={() => void undo(one)}
                >
                  Undo
                </button>
              ) : (
                <span class="undo-state">{one.state}</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Sent(): VNode {
  const { data, problem } = useLoad(() => callSkills("context.get"));
  return (
    <Card id="identity-sent" title="What a message sends" about="With a new conversation, in tokens, estimated at four characters each.">
      {data ? (
        <>
          <table class="sent" aria-labelledby="identity-sent">
            <tbody>
              {data.parts
                .filter(({ tokens }) => tokens > 0)
                .map(({ name, tokens }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>{number(tokens)}</td>
                  </tr>
                ))}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row">together, to {data.model}</th>
                <td>{number(data.tokens)}</td>
              </tr>
            </tfoot>
          </table>
          <Fold id="sent-text" title="The words">
            {() => (
              <pre class="skill-text" tabIndex={0} role="region" aria-label="The instructions">
                {data.parts.flatMap(({ text }) => text ?? []).join("\n")}
              </pre>
            )}
          </Fold>
        </>
      ) : (
        <Waiting problem={problem} />
      )}
    </Card>
  );
}
