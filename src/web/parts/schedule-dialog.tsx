// Making and changing a schedule: when in words, with what Steward makes of them while they are typed.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { failureOf, messageOf } from "../../std/error.ts";
import type { Answered, GivenBody } from "../../core/api.ts";
import { changesOf, fieldOf, type More, moreOf } from "../schedule-settings.ts";
import { callSchedules, momentIn, type Schedule } from "../schedules-api.ts";
import { Dialog } from "./dialog.tsx";
import { Field } from "./field.tsx";
import { type Form, MoreFields } from "./schedule-more.tsx";

type Kind = "prompt" | "tell" | "script";
const KINDS: Record<Kind, { label: string; about: string }> = {
  prompt: { label: "Ask the agent", about: "It does this with nobody there, in your own computer; what needs your word waits for you." },
  tell: { label: "Remind me", about: "Only told to you; no model is asked." },
  script: { label: "Run a script", about: "A command in your own computer; no model is asked." },
};
type Preview = Answered<"schedules.preview">;

const kindOf = (schedule: Schedule | undefined): Kind => (schedule ? (Object.keys(schedule.action)[0] as Kind) : "prompt");
const textOf = (schedule: Schedule | undefined): string => (schedule ? Object.values(schedule.action).join("") : "");

interface Props {
  /** Absent: a new one is made. */
  schedule?: Schedule | undefined;
  zone: string;
  close(): void;
  done(): void;
}
interface Basic {
  kind: Kind;
  when: string;
  text: string;
  name: string;
}

export function ScheduleDialog({ schedule, zone, close, done }: Props): VNode {
  const { basic, more, problem, busy, when, next, write, writeMore, save } = useDraft(schedule, done);
  const { kind } = basic;
  const ready = basic.text.trim() !== "" && (when === "" ? schedule !== undefined : next.preview !== undefined);
  const isBasic = problem?.field === undefined || problem.field in basic;
  return (
    <Dialog title={schedule ? `Change ${schedule.name}` : "Schedule something"} close={close}>
      <form class="schedule-form" onSubmit={(event) => (event.preventDefault(), void save())}>
        <WhenField when={basic.when} set={(to) => write({ when: to })} schedule={schedule}>
          <Next {...next} zone={zone} />
        </WhenField>
        <KindField kind={kind} set={(to) => write({ kind: to })} />
        <Texts basic={basic} write={write} />
        <Advanced opened={!isBasic}>
          {() => (
            <MoreFields
              more={more}
              set={writeMore}
              problem={problem}
              zone={zone}
              zoneless={when === "" && schedule !== undefined && !("cron" in schedule.trigger)}
              prompt={kind === "prompt"}
            />
          )}
        </Advanced>
        {problem && isBasic ? (
          <p class="problem" role="alert">
            {problem.text}
          </p>
        ) : null}
        <div class="actions end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button class="primary" disabled={!ready || busy}>
            {schedule ? "Save" : "Schedule"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface Draft {
  basic: Basic;
  more: More;
  problem: Form["problem"];
  busy: boolean;
  /** As it is sent, with its zone; empty: as it was. */
  when: string;
  next: ReturnType<typeof usePreview>;
  write(change: Partial<Basic>): void;
  writeMore(change: Partial<More>): void;
  save(): Promise<void>;
}

/** What was written so far, and what the server says against it; the field that it names gets the focus. */
function useDraft(schedule: Schedule | undefined, done: Props["done"]): Draft {
  const [basic, setBasic] = useState<Basic>({ kind: kindOf(schedule), when: "", text: textOf(schedule), name: schedule?.name ?? "" });
  const [more, setMore] = useState(() => moreOf(schedule));
  const [problem, setProblem] = useState<Form["problem"]>();
  const [busy, setBusy] = useState(false);
  const when = basic.when.trim() === "" ? "" : `${basic.when.trim()}${more.zone ? ` in ${more.zone}` : ""}`;
  const next = usePreview(when);
  useEffect(() => {
    if (problem?.field) document.getElementById(`schedule-${problem.field}`)?.focus();
  }, [problem]);
  const save = async (): Promise<void> => {
    setBusy(true);
    await keep({ schedule, basic: { ...basic, when }, more }).then(done, (error: unknown) => {
      const { message, hint } = failureOf(error);
      setProblem({ field: fieldOf(message, more), text: hint ? `${message}. ${hint}` : `${message}.` });
    });
    setBusy(false);
  };
  const write = (change: Partial<Basic>): void => (setBasic({ ...basic, ...change }), setProblem(undefined));
  const writeMore = (change: Partial<More>): void => (setMore({ ...more, ...change }), setProblem(undefined));
  return { basic, more, problem, busy, when, next, write, writeMore, save };
}

function Texts({ basic: { kind, text, name }, write }: Pick<Draft, "basic" | "write">): VNode {
  return (
    <>
      <Field id="schedule-text" label={kind === "script" ? "Command" : kind === "tell" ? "Text" : "What to do"}>
        {({ id, ...control }) => (
          <textarea
            id={id}
            aria-describedby={control["aria-describedby"]}
            aria-invalid={control["aria-invalid"]}
            rows={4}
            value={text}
            maxLength={20_000}
            onInput={(event) => write({ text: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field id="schedule-name" label="Name">
        {({ id, ...control }) => (
          <input
            type="text"
            id={id}
            aria-describedby={control["aria-describedby"]}
            aria-invalid={control["aria-invalid"]}
            value={name}
            maxLength={80}
            autocomplete="off"
            onInput={(event) => write({ name: event.currentTarget.value })}
          />
        )}
      </Field>
    </>
  );
}

async function keep({ schedule, basic, more }: { schedule: Schedule | undefined; basic: Basic; more: More }): Promise<void> {
  const { kind, text, when, name } = basic;
  const action = kind === "prompt" ? { prompt: text } : kind === "tell" ? { tell: text } : { script: text };
  const change = { action, ...changesOf(more, schedule), ...(name.trim() ? { name: name.trim() } : {}), ...(when ? { when } : {}) };
  if (!schedule) return void (await callSchedules("schedules.add", { body: change as GivenBody<"schedules.add"> }));
  const { trigger } = schedule;
  const turned = !when && "cron" in trigger && more.zone !== (trigger.zone ?? "");
  const moved = turned ? { trigger: { cron: trigger.cron, ...(more.zone ? { zone: more.zone } : {}) } } : {};
  await callSchedules("schedules.change", { id: schedule.id, body: { ...change, ...moved } as GivenBody<"schedules.change"> });
}

/** Made when it is first opened; opens by itself where the server means one of its fields. */
function Advanced({ opened, children }: { opened: boolean; children(): VNode }): VNode {
  const [open, setOpen] = useState(false);
  const shown = open || opened;
  return (
    <details class="schedule-more" open={shown} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Advanced</summary>
      {shown ? children() : null}
    </details>
  );
}

interface WhenProps {
  when: string;
  set(when: string): void;
  schedule: Schedule | undefined;
  /** What Steward makes of it. */
  children: VNode;
}

const WhenField = ({ when, set, schedule, children }: WhenProps): VNode => (
  <div class="field">
    <label for="schedule-when">When{schedule ? ` (now: ${schedule.when})` : ""}</label>
    <input
      id="schedule-when"
      value={when}
      maxLength={200}
      autofocus
      autocomplete="off"
      placeholder="every weekday at 9"
      aria-describedby="schedule-preview"
      onInput={(event) => set(event.currentTarget.value)}
    />
    <div id="schedule-preview" role="status">
      {children}
    </div>
  </div>
);

const PAUSE_MS = 250;

/** Asked for when the typing rests. */
function usePreview(when: string): { preview: Preview | undefined; problem: string } {
  const [preview, setPreview] = useState<Preview>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    setPreview(undefined);
    setProblem("");
    if (when.trim() === "") return;
    const state = { over: false };
    const timer = setTimeout(() => {
      callSchedules("schedules.preview", { body: { when: when.trim() } }).then(
        (found) => {
          if (state.over) return;
          if (found.problem === undefined) setPreview(found);
          else setProblem(found.problem);
        },
        (error: unknown) => state.over || setProblem(messageOf(error)),
      );
    }, PAUSE_MS);
    return () => {
      state.over = true;
      clearTimeout(timer);
    };
  }, [when]);
  return { preview, problem };
}

function Next({ preview, problem, zone }: { preview: Preview | undefined; problem: string; zone: string }): VNode {
  if (problem) return <p class="problem">{problem}</p>;
  if (!preview)
    return (
      <p class="quiet">
        Such as: every weekday at 9, every 30 minutes, tomorrow at 17:00, in 20 minutes, <code>0 9 * * 1-5</code>, or with seconds{" "}
        <code>*/30 * 9-17 * * *</code>. Times are those of {zone}.
      </p>
    );
  return (
    <>
      <p class="quiet">
        {preview.text} ({preview.zone}):
      </p>
      <ol class="schedule-next">
        {preview.next.map((at) => (
          <li key={at}>{momentIn(preview.zone, at)}</li>
        ))}
      </ol>
    </>
  );
}

const KindField = ({ kind, set }: { kind: Kind; set(kind: Kind): void }): VNode => (
  <div class="field">
    <label for="schedule-kind">What</label>
    <select
      id="schedule-kind"
      value={kind}
      onChange={(event) => set(event.currentTarget.value as Kind)}
      aria-describedby="schedule-kind-about"
    >
      {(Object.keys(KINDS) as Kind[]).map((one) => (
        <option key={one} value={one}>
          {KINDS[one].label}
        </option>
      ))}
    </select>
    <p id="schedule-kind-about" class="quiet">
      {KINDS[kind].about}
    </p>
  </div>
);
