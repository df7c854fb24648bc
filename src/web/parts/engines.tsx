// The engines and their programs: whether each is there, brought from npm when the owner says so, taken away again.
import type { VNode } from "preact";
import { callEngines, type Engine, type Program } from "../engines-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { isOwner } from "../people.ts";
import { Chain } from "./chain.tsx";
import { Card, useLoad, Waiting } from "./load.tsx";

const EVERY_MS = 2000;

export function EnginesCard(): VNode {
  const loaded = useLoad(() => callEngines("engines.list"), EVERY_MS);
  const engines = loaded.data?.engines;
  return (
    <Card
      id="engines"
      title="Engines"
      about="Steward's own loop needs nothing. The others are programs from npm, which run in the computer of whoever uses them. Say /engine in a conversation to switch."
    >
      {engines ? (
        <ul class="lines-list" aria-label="Engines">
          {engines.map((engine) => (
            <One key={engine.name} engine={engine} again={loaded.again} />
          ))}
        </ul>
      ) : (
        <Waiting problem={loaded.problem} />
      )}
      {isOwner.value ? <Chain /> : null}
    </Card>
  );
}

function One({ engine, again }: { engine: Engine; again(): void }): VNode {
  const { name, chosen, programs, problem } = engine;
  return (
    <li>
      <span class="grow">
        <b>{name}</b> {chosen ? <span class="pill">answers by default</span> : null}
        {programs.length === 0 ? <small>{problem ?? "part of Steward"}</small> : null}
        {programs.map((program) => (
          <small key={program.name} aria-live="polite">
            {stateOf(program)}
          </small>
        ))}
      </span>
      {isOwner.value ? programs.map((program) => <Doing key={program.name} program={program} again={again} />) : null}
    </li>
  );
}

function stateOf({ about, licence, version, state, bringing, hint, path, wanted, outdated }: Program): string {
  if (bringing?.state === "running") return bringing.line;
  if (bringing?.state === "failed") return `${bringing.line}${bringing.hint ? ` ${bringing.hint}` : ""}`;
  if (state === "missing") return `${about}, ${licence}: not there yet`;
  const found = state === "path" ? `found at ${path ?? "the path"}` : "brought by Steward";
  return `${about}, ${version ?? "some version"}, ${found}${outdated ? `; ${hint ?? `${wanted} is needed`}` : ""}`;
}

function Doing({ program, again }: { program: Program; again(): void }): VNode | null {
  const { name, about, licence, wanted, state, bringing, outdated } = program;
  const bring = async (): Promise<void> => {
    const text = `${about}: ${program.package} ${wanted} from npm. Its licence is ${licence}. It may need up to 1 GB of room while it comes.`;
    if (!(await confirm({ title: `Bring ${name}?`, text, action: "Bring" }))) return;
    await telling(callEngines("engines.install", { id: name }));
    again();
  };
  const cancel = async (): Promise<void> => {
    if (await telling(callEngines("engines.cancel", { id: name }))) again();
  };
  const remove = async (): Promise<void> => {
    if (!(await confirm({ title: `Remove ${name}?`, text: "What it kept of its sessions stays.", action: "Remove", danger: true }))) return;
    if (await telling(callEngines("engines.remove", { id: name }))) toast(`${name} is taken away.`);
    again();
  };
  if (bringing?.state === "running")
    return (
      <button type="button" class="small" aria-label={`Give up bringing ${name}`} onClick={() => void cancel()}>
        Cancel
      </button>
    );
  return (
    <>
      {state !== "brought" || outdated ? (
        <button type="button" class="small" aria-label={`Bring ${name}`} onClick={() => void bring()}>
          Bring
        </button>
      ) : null}
      {state === "brought" ? (
        <button type="button" class="small" aria-label={`Remove ${name}`} onClick={() => void remove()}>
          Remove
        </button>
      ) : null}
    </>
  );
}
