// The computer as a machine: what it is and why, its use against its limits, its processes, starting it again, making it anew, and the self-test.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Answered } from "../../core/api.ts";
import type { Check } from "../../core/api-computer.ts";
import { messageOf } from "../../std/error.ts";
import { bytes } from "../../std/text.ts";
import { callComputer, type ComputerInfo } from "../computer-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { number, timeOf, wholeTime } from "../words.ts";
import { Icon } from "./icon.tsx";
import { Card, useLoad, Waiting } from "./load.tsx";
import { Facts, Table } from "./table.tsx";

type Machine = NonNullable<ComputerInfo["machine"]>;
interface Shown {
  info: ComputerInfo;
  again(): void;
}

export function MachineTab({ info, again }: Shown): VNode {
  const { machine, kind, why, mode, egress, home, workspace } = info;
  const facts: [string, string][] = [
    ["Kind", kind],
    ["Why", why],
    ["Mode", mode],
    ["Home", home || "…"],
    ...(workspace && workspace !== home ? ([["Workspace", workspace]] satisfies [string, string][]) : []),
    ["Network", egress.length > 0 ? egress.join(", ") : mode === "contained" ? "asks for each new host" : "as the mode allows"],
  ];
  return (
    <div class="cards">
      <Card id="machine-state" title="This computer" aside={machine ? <StateWord machine={machine} /> : undefined}>
        {machine?.note ? <p class={machine.state === "failed" ? "problem" : "about"}>{machine.note}</p> : null}
        <Facts list={facts} />
        {machine ? <Meters machine={machine} /> : null}
        {machine ? <Power machine={machine} again={again} /> : null}
      </Card>
      <SelfTest />
      {machine ? <Processes /> : null}
      {machine ? <Reset again={again} /> : null}
    </div>
  );
}

const tones = { absent: "waiting", starting: "asking", running: "done", stopped: "waiting", failed: "failed" } as const;
const words = { absent: "not made yet", starting: "starting", running: "running", stopped: "stopped", failed: "failed" } as const;

export const StateWord = ({ machine }: { machine: Machine }): VNode => (
  <span class="pill">
    <span class={`dot ${tones[machine.state]}`} aria-hidden="true" /> {words[machine.state]}
  </span>
);

function Meters({ machine: { usage, diskBytes, limits } }: { machine: Machine }): VNode {
  return (
    <div class="meters">
      {usage ? (
        <>
          <Meter name="Memory" value={usage.memoryBytes} most={limits.memoryBytes} text={bytes} />
          <Meter name="CPU" value={usage.cpuPercent} most={limits.cpus * 100} text={(value) => `${Math.round(value)} %`} />
          <Meter name="Processes" value={usage.processes} most={limits.processes} text={number} />
        </>
      ) : null}
      {diskBytes === undefined ? null : <Meter name="Disk" value={diskBytes} most={limits.diskBytes} text={bytes} />}
    </div>
  );
}

function Meter({ name, value, most, text }: { name: string; value: number; most: number; text(value: number): string }): VNode {
  const id = `meter-${name}`;
  return (
    <div class="meter">
      <span id={id}>{name}</span>
      <meter aria-labelledby={id} min={0} max={most} high={most * 0.85} optimum={0} value={Math.min(value, most)} />
      <span class="quiet">
        {text(value)} of {text(most)}
      </span>
    </div>
  );
}

function Power({ machine: { state }, again }: { machine: Machine; again(): void }): VNode {
  const start = async (): Promise<void> => {
    if (await telling(callComputer("computer.start"))) again();
  };
  const restart = async (): Promise<void> => {
    const sure = await confirm({
      title: "Restart the computer?",
      text: "Everything that runs in it ends, terminals too. Files stay.",
      action: "Restart",
      danger: true,
    });
    if (sure && (await telling(callComputer("computer.restart")))) again();
  };
  return (
    <div class="actions">
      {state === "running" || state === "starting" ? (
        <button type="button" onClick={() => void restart()}>
          <Icon name="retry" /> Restart
        </button>
      ) : (
        <button type="button" class="primary" onClick={() => void start()}>
          Start
        </button>
      )}
    </div>
  );
}

function SelfTest(): VNode {
  const [checks, setChecks] = useState<Check[]>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const run = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    await callComputer("computer.test").then(
      ({ checks: found }) => setChecks(found),
      (error: unknown) => setProblem(messageOf(error)),
    );
    setBusy(false);
  };
  return (
    <Card
      id="machine-test"
      title="Self-test"
      about="Writes, reads and edits from both sides, and tries from the inside to reach what must not be reached."
      aside={
        <button type="button" class="small" disabled={busy} onClick={() => void run()}>
          {busy ? "Testing…" : "Test it"}
        </button>
      }
    >
      {problem ? <p class="problem">{problem}</p> : null}
      {checks ? (
        <ul class="lines-list" aria-live="polite">
          {checks.map(({ name, ok, detail }) => (
            <li key={name}>
              <span class={`dot ${ok ? "done" : "failed"}`} aria-hidden="true" />
              <span class="grow">
                <strong>{name}</strong> <span class="quiet">{ok ? "holds" : "fails"}</span>
                <small>{detail}</small>
              </span>
            </li>
          ))}
        </ul>
      ) : null}
    </Card>
  );
}

function Processes(): VNode {
  const { data, problem } = useLoad(() => callComputer("computer.processes"), 4000);
  return (
    <Card id="machine-processes" title="Processes">
      {!data ? (
        <Waiting problem={problem} />
      ) : data.processes.length === 0 ? (
        <p class="quiet">Nothing runs in it now.</p>
      ) : (
        <Table label="Processes" columns={[["Number", "right"], ["Command"], ["CPU", "right"], ["Memory", "right"], ["Since"]]}>
          {data.processes.slice(0, 200).map(processRow)}
        </Table>
      )}
    </Card>
  );
}

const processRow = (one: Answered<"computer.processes">["processes"][number]): VNode => (
  <tr key={one.pid}>
    <td class="to-right">{one.pid}</td>
    <td>
      <code class="command">{one.command.slice(0, 200)}</code>
    </td>
    <td class="to-right">{Math.round(one.cpuPercent)} %</td>
    <td class="to-right">{bytes(one.memoryBytes)}</td>
    <td title={wholeTime(one.startedAt)}>{timeOf(one.startedAt)}</td>
  </tr>
);

const WORD = "reset";

function Reset({ again }: { again(): void }): VNode {
  const [asking, setAsking] = useState(false);
  return (
    <Card
      id="machine-reset"
      title="Make it anew"
      about="Ends everything and empties its disk: programs that were installed, files in its home. What is in /data and /return stays, unless you say otherwise."
    >
      <div class="actions">
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          Reset the computer…
        </button>
      </div>
      {asking ? <ResetDialog done={(made) => (setAsking(false), made && again())} /> : null}
    </Card>
  );
}

function ResetDialog({ done }: { done(made: boolean): void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [everything, setEverything] = useState(false);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const reset = async (): Promise<void> => {
    setBusy(true);
    const made = await telling(callComputer("computer.reset", { body: everything ? { everything } : {} }));
    if (made) toast("The computer was made anew.");
    done(made !== undefined);
  };
  return (
    <dialog ref={dialog} aria-labelledby="reset-title" onCancel={(event) => (event.preventDefault(), done(false))}>
      <form class="dialog" onSubmit={(event) => (event.preventDefault(), typed.trim() === WORD && void reset())}>
        <h2 id="reset-title">Reset the computer?</h2>
        <p>What is lost here can't be brought back.</p>
        <label class="check">
          <input type="checkbox" checked={everything} onChange={(event) => setEverything(event.currentTarget.checked)} />
          Empty /data and /return too
        </label>
        <div class="field">
          <label for="reset-word">
            Type <strong>{WORD}</strong> to confirm
          </label>
          <input
            id="reset-word"
            value={typed}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </div>
        <div class="actions end">
          <button type="button" onClick={() => done(false)}>
            Cancel
          </button>
          <button class="danger solid" disabled={busy || typed.trim() !== WORD}>
            {busy ? "Resetting…" : "Reset"}
          </button>
        </div>
      </form>
    </dialog>
  );
}
