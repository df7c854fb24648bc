// The form of a channel: what to do at the platform, a field for each thing that it needs, a try before anything is kept. Secrets go in and are never shown.
import { useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { failureOf } from "../../std/error.ts";
import { changes, isSet, linesOf, plainValues, scalar, TAKE_OUT } from "../channel-settings.ts";
import { type Channel, callChannels, type Kind, type Need, type Settings } from "../channels-api.ts";
import { Markdown } from "../markdown.tsx";
import { telling, toast } from "../notices.ts";
import { Icon } from "./icon.tsx";

export interface FormProps {
  kind: Kind;
  name: string;
  /** The one that is changed; absent: a new one. */
  channel?: Channel;
  /** Of a new one: names that are taken. */
  taken?: readonly string[];
  close(): void;
}
type Tried = { state: "untried" | "trying" } | { state: "works"; account: string } | { state: "fails"; problem: string; hint: string };

export function ChannelForm({ kind, name: given, channel, taken = [], close }: FormProps): VNode {
  const [name, setName] = useState(given);
  const [values, setValues] = useState<Record<string, string>>(() => plainValues(kind, channel));
  const [more, setMore] = useState(() => linesOf(kind, channel));
  const [tried, setTried] = useState<Tried>({ state: "untried" });
  // The answer about settings that were changed since says nothing of those that stand here.
  const number = useRef(0);
  const untried = (): void => (number.current++, setTried({ state: "untried" }));
  const edit = (key: string, value: string): void => (setValues({ ...values, [key]: value }), untried());
  const settings = (): Settings => changes({ kind, channel, values, more });
  const attempt = async (): Promise<void> => {
    const mine = ++number.current;
    const tell = (outcome: Tried): void => void (mine === number.current && setTried(outcome));
    setTried({ state: "trying" });
    const body = { kind: kind.name, settings: settings() };
    await callChannels("channels.test", { id: name, body }).then(
      ({ account }) => tell({ state: "works", account }),
      (error: unknown) => {
        const { message, hint = "" } = failureOf(error);
        tell({ state: "fails", problem: message, hint });
      },
    );
  };
  const keep = async (): Promise<void> => {
    const body = channel ? { settings: settings() } : { kind: kind.name, enabled: true, settings: settings() };
    if (!(await telling(callChannels("channels.set", { id: name, body })))) return;
    toast(channel ? `${kind.title} is changed and connects anew.` : `${kind.title} connects.`);
    close();
  };
  const pick = tried.state === "works" ? keep : attempt;
  return (
    <form class="channel-form" onSubmit={(event) => (event.preventDefault(), void pick())}>
      <Guide kind={kind} folded={channel !== undefined} />
      {kind.needs
        .filter(({ optional }) => !optional)
        .map((need) => (
          <Field key={need.key} need={need} channel={channel} value={values[need.key] ?? ""} edit={edit} />
        ))}
      <details class="channel-more" open={taken.includes(name) || undefined}>
        <summary>{channel ? "More settings" : "Name and more settings"}</summary>
        {channel ? null : <NameField name={name} taken={taken} set={(to) => (setName(to), untried())} />}
        {kind.needs
          .filter(({ optional }) => optional)
          .map((need) => (
            <Field key={need.key} need={need} channel={channel} value={values[need.key] ?? ""} edit={edit} />
          ))}
        <Others kind={kind} channel={channel} value={more} set={(to) => (setMore(to), untried())} />
      </details>
      <Outcome tried={tried} />
      <Buttons tried={tried} isNew={!channel} keep={() => void keep()} attempt={() => void attempt()} close={close} />
    </form>
  );
}

/** Who changes a setting has been through it. */
function Guide({ kind: { name, title, guide }, folded }: { kind: Kind; folded: boolean }): VNode {
  const text = (
    <div class="channel-guide">
      <Markdown id={`channel-guide/${name}`} text={guide} />
    </div>
  );
  if (!folded) return text;
  return (
    <details class="channel-more">
      <summary>What to do at {title}</summary>
      {text}
    </details>
  );
}

interface FieldProps {
  need: Need;
  channel: Channel | undefined;
  value: string;
  edit(key: string, value: string): void;
}

function Field({ need: { key, about, secret, optional, env }, channel, value, edit }: FieldProps): VNode {
  const id = `channel-need-${channel?.name ?? "new"}-${key}`;
  const set = secret && isSet(channel, key);
  const out = value === TAKE_OUT;
  const field = {
    id,
    value: out ? "" : value,
    required: !optional && !set,
    disabled: out,
    placeholder: set ? "leave empty to keep it" : "",
    "aria-describedby": `${id}-about`,
    autocapitalize: "off",
    spellcheck: false,
    onInput: (event: Event & { currentTarget: HTMLInputElement }) => edit(key, event.currentTarget.value),
  } as const;
  return (
    <div class="field">
      <label for={id}>
        <code>{key}</code>
        {optional ? <span class="quiet"> if you like</span> : null}
        {set ? (
          <span class="channel-set">
            <Icon name="check" /> {out ? "will be taken out" : "set"}
          </span>
        ) : null}
      </label>
      <div class="about" id={`${id}-about`}>
        <Markdown
          id={`channel-about/${id}`}
          text={env.length > 0 && !set && !channel ? `${about} Also read from ${env.join(" or ")}.` : about}
        />
      </div>
      <div class="field-row">
        {secret ? <input type="password" autocomplete="new-password" {...field} /> : <input type="text" autocomplete="off" {...field} />}
        {set && optional ? (
          <button
            type="button"
            class="small"
            aria-label={out ? `Keep it: ${key}` : `Take out ${key}`}
            onClick={() => edit(key, out ? "" : TAKE_OUT)}
          >
            {out ? "Keep it" : "Take out"}
          </button>
        ) : null}
      </div>
    </div>
  );
}

const NameField = ({ name, taken, set }: { name: string; taken: readonly string[]; set(name: string): void }): VNode => (
  <div class="field">
    <label for="channel-name">Name</label>
    <p class="about" id="channel-name-about">
      What it is called here: small letters, digits and dashes. A second account at the same platform needs a name of its own.
    </p>
    <input
      id="channel-name"
      value={name}
      required
      pattern="[a-z][a-z0-9\-]{0,31}"
      autocomplete="off"
      spellcheck={false}
      aria-describedby="channel-name-about"
      aria-invalid={taken.includes(name)}
      onInput={(event) => set(event.currentTarget.value)}
    />
    {taken.includes(name) ? <p class="problem">There is a channel of this name; it would be changed.</p> : null}
  </div>
);

function Others({ kind, channel, value, set }: { kind: Kind; channel: Channel | undefined; value: string; set(to: string): void }): VNode {
  const id = `channel-others-${channel?.name ?? "new"}`;
  const known = new Set(kind.needs.map(({ key }) => key));
  const deep = Object.entries(channel?.settings ?? {}).flatMap(([key, one]) => (known.has(key) || scalar(one) ? [] : [key]));
  return (
    <div class="field">
      <label for={id}>Others, one a line</label>
      <p class="about" id={`${id}-about`}>
        As <code>name = value</code>, by the names of the configuration.
        {deep.length > 0 ? ` In config.json only: ${deep.join(", ")}.` : ""}
      </p>
      <textarea
        id={id}
        rows={2}
        value={value}
        spellcheck={false}
        aria-describedby={`${id}-about`}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </div>
  );
}

/** Read out when it comes. */
const Outcome = ({ tried }: { tried: Tried }): VNode => (
  <div role="status" class="channel-outcome">
    {tried.state === "trying" ? <p class="quiet">Trying it at the platform …</p> : null}
    {tried.state === "works" ? (
      <p class="channel-state good">
        <Icon name="check" /> It works, as {tried.account || "the account of these settings"}.
      </p>
    ) : null}
    {tried.state === "fails" ? (
      <p class="problem">
        {tried.problem}
        {tried.hint ? <span class="channel-hint"> {tried.hint}</span> : null}
      </p>
    ) : null}
  </div>
);

interface ButtonsProps {
  tried: Tried;
  isNew: boolean;
  keep(): void;
  attempt(): void;
  close(): void;
}

function Buttons({ tried: { state }, isNew, keep, attempt, close }: ButtonsProps): VNode {
  const word = isNew ? "Connect" : "Keep";
  return (
    <div class="actions">
      <button class="primary" disabled={state === "trying"}>
        {state === "works" ? word : state === "fails" ? "Try again" : "Try it"}
      </button>
      {state === "works" ? (
        <button type="button" onClick={attempt}>
          Try again
        </button>
      ) : null}
      {state === "fails" ? (
        <button type="button" onClick={keep}>
          {word} anyway
        </button>
      ) : null}
      <button type="button" onClick={close}>
        Cancel
      </button>
    </div>
  );
}
