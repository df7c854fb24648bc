// How a person wants to be told: channels in their order, quiet hours, what urgent means.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { callNotices, type Change, type Preferences, type Told } from "../notices-api.ts";
import { spoken, telling, toast } from "../notices.ts";
import { Icon } from "./icon.tsx";
import { Card } from "./load.tsx";

interface Props {
  told: Told;
  again(): void;
}

export const PreferencesCard = ({ told, again }: Props): VNode => (
  <Card
    id="notices-how"
    title="How you are told"
    about="Each goes out by the first channel. An urgent one goes on to the next until you have read it: with its button, here, or by any word of yours in a chat."
  >
    {told.reachable.length === 0 ? (
      <p class="notice warning">
        <span>
          No channel reaches you: notifications only stand here. Under <a href="/channels">Channels</a> connect one, then write to Steward
          there and pair yourself.
        </span>
      </p>
    ) : null}
    <Order told={told} again={again} />
    <Times preferences={told.preferences} zone={told.zone} again={again} />
  </Card>
);

const prefer = async (change: Change, again: () => void): Promise<boolean> => {
  const done = await telling(callNotices("notices.prefer", { body: change }));
  again();
  return done !== undefined;
};

function Order({ told: { preferences, reachable, hooks }, again }: Props): VNode | null {
  const [focus, setFocus] = useState("");
  const all = [...new Set([...preferences.channels, ...reachable])];
  const more = hooks.filter((name) => !all.includes(name));
  useEffect(() => {
    if (focus === "") return;
    const [name, way] = focus.split(" ");
    const buttons = [...document.querySelectorAll<HTMLButtonElement>(`#notice-channel-${name} button`)];
    (buttons.find((one) => one.dataset["way"] === way && !one.disabled) ?? buttons.find((one) => !one.disabled))?.focus();
    setFocus("");
  }, [all.join(" ")]);
  const move = async (name: string, by: 1 | -1): Promise<void> => {
    const order = all.filter((one) => one !== name);
    order.splice(all.indexOf(name) + by, 0, name);
    setFocus(`${name} ${by}`);
    if (await prefer({ channels: order }, again)) spoken.value = `${name} is number ${order.indexOf(name) + 1}.`;
  };
  const leave = (name: string): Promise<boolean> => prefer({ channels: all.filter((one) => one !== name) }, again);
  if (all.length === 0 && more.length === 0) return null;
  return (
    <>
      <h3 class="note-part">Channels</h3>
      {all.length === 0 ? null : (
        <ol class="note-order" aria-label="Channels, first choice first">
          {all.map((name, at) => (
            <li key={name} id={`notice-channel-${name}`}>
              <span>{name}</span>
              {reachable.includes(name) ? null : <span class="pill">does not reach you now</span>}
              <div class="actions">
                <Arrow name={name} by={-1} disabled={at === 0} move={move} />
                <Arrow name={name} by={1} disabled={at === all.length - 1} move={move} />
                {hooks.includes(name) || !reachable.includes(name) ? (
                  <button type="button" class="small" aria-label={`Leave out ${name}`} onClick={() => void leave(name)}>
                    Leave out
                  </button>
                ) : null}
              </div>
            </li>
          ))}
        </ol>
      )}
      {more.map((name) => (
        <div key={name} class="actions">
          <button type="button" class="small" onClick={() => void prefer({ channels: [...all, name] }, again)}>
            <Icon name="plus" /> Also by the webhook {name}
          </button>
        </div>
      ))}
    </>
  );
}

interface ArrowProps {
  name: string;
  by: 1 | -1;
  disabled: boolean;
  move(name: string, by: 1 | -1): Promise<void>;
}

const Arrow = ({ name, by, disabled, move }: ArrowProps): VNode => (
  <button
    type="button"
    class="small"
    data-way={by}
    disabled={disabled}
    aria-label={`${name} ${by < 0 ? "earlier" : "later"}`}
    onClick={() => void move(name, by)}
  >
    <Icon name={by < 0 ? "send" : "down"} />
  </button>
);

/** What is being written stays while the page asks again. */
function Times({ preferences, zone, again }: { preferences: Preferences; zone: string; again(): void }): VNode {
  const [quiet, setQuiet] = useState(preferences.quiet !== null);
  const [from, setFrom] = useState(preferences.quiet?.from ?? "22:00");
  const [to, setTo] = useState(preferences.quiet?.to ?? "07:00");
  const [always, setAlways] = useState(preferences.urgentAlways);
  const [minutes, setMinutes] = useState(String(preferences.escalateMinutes));
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const change = { quiet: quiet ? { from, to } : null, urgentAlways: always, escalateMinutes: Number(minutes) };
    if (await prefer(change, again)) toast("Saved.");
  };
  return (
    <form class="note-form" onSubmit={(event) => void save(event)}>
      <h3 class="note-part">Times</h3>
      <label class="check">
        <input type="checkbox" checked={quiet} onChange={(event) => setQuiet(event.currentTarget.checked)} /> Quiet hours: what is not
        urgent waits until they end
      </label>
      {quiet ? (
        <fieldset>
          <legend>Quiet hours</legend>
          <Clock id="notices-from" label="From" value={from} set={setFrom} />
          <Clock id="notices-to" label="To" value={to} set={setTo} />
          <p class="about">By the clock of {zone}.</p>
        </fieldset>
      ) : null}
      <label class="check">
        <input type="checkbox" checked={always} onChange={(event) => setAlways(event.currentTarget.checked)} /> Urgent ones come in quiet
        hours too
      </label>
      <div class="field">
        <label for="notices-minutes">Minutes until an unread urgent one goes on to the next channel</label>
        <input
          id="notices-minutes"
          type="number"
          required
          min="1"
          max="1440"
          value={minutes}
          onInput={(event) => setMinutes(event.currentTarget.value)}
        />
      </div>
      <div>
        <button type="submit" class="primary">
          Save
        </button>
      </div>
    </form>
  );
}

interface ClockProps {
  id: string;
  label: string;
  value: string;
  set(value: string): void;
}

const Clock = ({ id, label, value, set }: ClockProps): VNode => (
  <div class="field">
    <label for={id}>{label}</label>
    <input id={id} type="time" required value={value} onInput={(event) => set(event.currentTarget.value)} />
  </div>
);
