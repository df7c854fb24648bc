// What else can be said of a schedule: where its result goes, what happens when times are missed or meet, and what a run may use.
import type { ComponentChildren, VNode } from "preact";
import { call } from "../api.ts";
import { callNotices } from "../notices-api.ts";
import type { FieldName, More } from "../schedule-settings.ts";
import { sessions } from "../sessions.ts";
import { type Control, Field } from "./field.tsx";
import { useLoad } from "./load.tsx";

export interface Form {
  more: More;
  set(change: Partial<More>): void;
  /** What the server said, of which field. */
  problem: { field: FieldName | undefined; text: string } | undefined;
}
interface Props extends Form {
  /** The zone in which Steward plans. */
  zone: string;
  /** When is not a time of the clock. */
  zoneless: boolean;
  /** Asks the agent. */
  prompt: boolean;
}

type Key = keyof More;
const id = (key: Key): string => `schedule-${key}`;
const words = ({ problem }: Form, key: Key): string | undefined => (problem?.field === key ? problem.text : undefined);

export function MoreFields({ zone, zoneless, prompt, ...form }: Props): VNode {
  return (
    <>
      <Part title="When it is over">
        <Place form={form} />
      </Part>
      <Part title="When it does not go as planned">
        <Choice form={form} wide of="missed" label="When Steward did not run at that time" options={missedOf(form.more.missed)} />
        <Choice form={form} wide of="overlap" label="When it is due and still at work" options={OVERLAP} />
        <Text form={form} of="retries" label="Tries after a failure" />
        <Text form={form} of="maxRuns" label="Runs, then it ends" empty="never" />
        <Choice
          form={form}
          wide
          of="zone"
          label="Time zone"
          disabled={zoneless}
          options={[["", `that of Steward (${zone})`], ...ZONES.map((one): [string, string] => [one, one])]}
        />
      </Part>
      {prompt ? <Run form={form} /> : null}
    </>
  );
}

const Part = ({ title, children }: { title: string; children: ComponentChildren }): VNode => (
  <fieldset class="schedule-part">
    <legend>{title}</legend>
    <div class="schedule-fields">{children}</div>
  </fieldset>
);

/** Those that may stand behind words about time. */
const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((one) => /^[A-Z][A-Za-z_]+\/[A-Za-z_/+-]+$/.test(one))];

type Options = [value: string, label: string][];
const PLACES: Options = [
  ["person", "tell me, as under Notifications"],
  ["log", "nowhere: only into its history"],
  ["session", "into a conversation"],
  ["channel", "into a chat"],
];
const OVERLAP: Options = [
  ["skip", "leave that time out"],
  ["wait", "run after it"],
  ["parallel", "run beside it"],
];
const MISSED: Options = [
  ["", "make up for it, as is usual"],
  ["10", "make up for it within 10 minutes"],
  ["60", "make up for it within an hour"],
  ["1440", "make up for it within a day"],
  ["skip", "leave it out"],
  ["ask", "ask me"],
];
const PINS: Options = [
  ["", "any engine and model, as usual"],
  ["local", "only models of this machine"],
  ["engine", "only this engine"],
];
/** An existing one has its own. */
const missedOf = (value: string): Options => {
  const known = value === "" ? MISSED : MISSED.slice(1);
  return known.some(([one]) => one === value) ? known : [...known, [value, `make up for it within ${value} minutes`]];
};
const withEmpty = (given: readonly { id: string; title: string }[], value: string, empty: string): Options => {
  const all = given.map((one): [string, string] => [one.id, one.title || "Untitled"]);
  return [["", empty], ...all, ...(value && !all.some(([one]) => one === value) ? [[value, value] as [string, string]] : [])];
};

function Place({ form }: { form: Form }): VNode {
  const { place, into } = form.more;
  const channels = useLoad(() => callNotices("notices.list")).data?.reachable ?? [];
  return (
    <>
      <Choice form={form} wide of="place" label="Its result goes" options={PLACES} />
      {place === "session" ? (
        <Choice form={form} wide of="into" label="Which conversation" options={withEmpty(sessions.value, into, "choose one")} />
      ) : null}
      {place === "channel" ? (
        <>
          <Text form={form} of="channel" label="Channel" among={channels} />
          <Text form={form} of="chat" label="Id of the chat there" among={[]} />
        </>
      ) : null}
    </>
  );
}

function Run({ form }: { form: Form }): VNode {
  const engines = useLoad(() => call("choice.get", { query: {} })).data?.engines ?? [];
  const providers = useLoad(() => call("models.list", { query: {} })).data?.providers ?? [];
  const models = providers.flatMap(({ models: all }) => all);
  return (
    <Part title="What a run uses">
      <Choice
        form={form}
        wide
        of="session"
        label="It goes on in"
        options={withEmpty(sessions.value, form.more.session, "a fresh conversation each time")}
      />
      <Choice form={form} wide of="pin" label="It may use" options={PINS} />
      <Text form={form} of="engine" label="Engine" empty="as usual" among={engines.map(({ name }) => name)} />
      <Text form={form} of="model" label="Model" empty="as usual" among={models} />
      <Text form={form} of="tokens" label="Tokens at most" empty="no limit of its own" />
      <Text form={form} of="dollars" label="Dollars at most" empty="no limit of its own" />
    </Part>
  );
}

interface OneProps {
  form: Form;
  of: Key;
  label: string;
}

interface ChoiceProps extends OneProps {
  options: Options;
  disabled?: boolean;
  wide?: boolean;
}

const Choice = ({ form, of, label, options, disabled = false, wide = false }: ChoiceProps): VNode => (
  <Field id={id(of)} label={label} problem={words(form, of)} wide={wide}>
    {(control: Control) => (
      <select
        id={control.id}
        aria-describedby={control["aria-describedby"]}
        aria-invalid={control["aria-invalid"]}
        value={form.more[of]}
        disabled={disabled}
        onChange={(event) => form.set({ [of]: event.currentTarget.value })}
      >
        {options.map(([value, said]) => (
          <option key={value} value={value}>
            {said}
          </option>
        ))}
      </select>
    )}
  </Field>
);

interface TextProps extends OneProps {
  /** What holds when nothing is said. */
  empty?: string;
}

/** A number without `among`; else words: what is known of it, and another may be written. */
const Text = ({ form, of, label, empty = "", among }: TextProps & { among?: readonly string[] }): VNode => (
  <Field id={id(of)} label={label} problem={words(form, of)}>
    {(control: Control) => (
      <>
        <input
          type="text"
          id={control.id}
          aria-describedby={control["aria-describedby"]}
          aria-invalid={control["aria-invalid"]}
          {...(among ? { list: `${control.id}-list` } : { inputMode: "decimal" as const })}
          value={form.more[of]}
          placeholder={empty}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => form.set({ [of]: event.currentTarget.value })}
        />
        {among ? (
          <datalist id={`${control.id}-list`}>
            {among.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        ) : null}
      </>
    )}
  </Field>
);
