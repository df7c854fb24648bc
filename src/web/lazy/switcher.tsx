// Who shall answer: for whom, which engine, which model, and what nothing overrides. Chosen here, it holds from the next turn on.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { failureOf } from "../../std/error.ts";
import { ask } from "../api.ts";
import { choosing, refreshChoice, whyWords, type Choosing } from "../choice.ts";
import { spoken } from "../notices.ts";
import { isOwner, models, offered, probeModels, probing } from "../people.ts";
import { Icon } from "../parts/icon.tsx";
import { takeStyles } from "../sheet.ts";
import styles from "./switcher.css";

type Scope = Choosing["scopes"][number];
type Pin = "local" | "engine";
interface Wish {
  engine?: string;
  model?: string;
  pin?: Pin | "";
}
interface Changes {
  engine?: string | null;
  model?: string | null;
  pin?: Pin | null;
}
const SCOPES: Record<Scope, string> = { session: "This session", person: "You", install: "Everybody" };
const MOST = 60;

interface Given {
  session: string | undefined;
  close(): void;
}

/** It opens and closes whether or not it is known who answers. */
export function SwitcherPanel({ session, close }: Given): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [asking, setAsking] = useState(true);
  const look = async (): Promise<void> => {
    setAsking(true);
    await refreshChoice(session, { look: "1" });
    setAsking(false);
  };
  useEffect(() => {
    takeStyles(styles);
    const before = document.activeElement;
    dialog.current?.showModal();
    void look();
    void probeModels();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const now = choosing.value;
  return (
    <dialog
      ref={dialog}
      class="switcher"
      aria-label="Who answers"
      onCancel={(event) => (event.preventDefault(), close())}
      onClick={(event) => event.target === dialog.current && close()}
    >
      {now ? (
        <Form now={now} session={session} close={close} />
      ) : (
        <div class="dialog">
          <Head close={close} />
          <p class={asking ? "quiet" : "problem"} role="status">
            {asking ? "Asking who answers…" : "Steward did not say who answers. Is it running?"}
          </p>
          {asking ? null : (
            <div class="actions end">
              <button type="button" onClick={() => void look()}>
                Ask again
              </button>
            </div>
          )}
        </div>
      )}
    </dialog>
  );
}

const Head = ({ close }: { close(): void }): VNode => (
  <header>
    <h2>Who answers</h2>
    <button type="button" class="ghost round" aria-label="Close" onClick={close}>
      <Icon name="close" />
    </button>
  </header>
);

function Form({ now, session, close }: Given & { now: Choosing }): VNode {
  const [scope, setScope] = useState<Scope>(session === undefined ? "person" : "session");
  const [wish, setWish] = useState<Wish>({});
  const [problem, setProblem] = useState("");
  const put = (body: Changes): Promise<void> =>
    change({ scope, ...(session === undefined ? {} : { session }), ...body }).then(
      () => (setProblem(""), setWish({})),
      (error: unknown) => setProblem(wordsOf(error)),
    );
  const { choice } = now;
  const changed = changes(now, wish);
  return (
    <form class="dialog" onSubmit={(event) => (event.preventDefault(), void put(changed))}>
      <Head close={close} />
      <Now now={now} />
      <Engines now={now} chosen={wish.engine ?? choice.engine} choose={(engine) => setWish({ ...wish, engine })} />
      <Models chosen={wish.model ?? choice.model} choose={(model) => setWish({ ...wish, model })} />
      <Pins now={now} chosen={wish.pin} choose={(pin) => setWish({ ...wish, pin })} />
      <Scopes now={now} session={session} chosen={scope} choose={setScope} />
      <p class="problem" role="alert" hidden={problem === ""}>
        {problem}
      </p>
      <div class="actions end">
        {(["engine", "model"] as const).some((one) => choice.from[one] === scope) && scope !== "install" ? (
          <button type="button" class="ghost" onClick={() => void put({ engine: null, model: null })}>
            Back to the default
          </button>
        ) : null}
        <button class="primary" disabled={Object.keys(changed).length === 0}>
          Switch
        </button>
      </div>
    </form>
  );
}

async function change(body: Changes & { scope: Scope; session?: string }): Promise<void> {
  const { choice } = await ask<"choice.put">("PUT /api/choice", { body });
  spoken.value = `From the next turn on ${choice.model} answers`;
  await refreshChoice(body.session, { look: "1" });
}

function wordsOf(error: unknown): string {
  const { message, hint = "" } = failureOf(error);
  return `${message}. ${hint}`;
}

interface Chosen {
  now: Choosing;
  session: string | undefined;
  chosen: Scope;
  choose(scope: Scope): void;
}

function Scopes({ now, session, chosen, choose }: Chosen): VNode {
  const shown = now.scopes.filter((one) => one !== "session" || session !== undefined);
  return (
    <fieldset class="line">
      <legend>For</legend>
      {shown.map((one) => (
        <label key={one}>
          <input type="radio" name="scope" checked={chosen === one} onChange={() => choose(one)} /> {SCOPES[one]}
        </label>
      ))}
    </fieldset>
  );
}

/** Only what is another than now. */
function changes({ choice }: Choosing, { engine, model, pin }: Wish): Changes {
  return {
    ...(engine === undefined || engine === choice.engine ? {} : { engine }),
    ...(model === undefined || model === choice.model ? {} : { model }),
    ...(pin === undefined || pin === pinOf(choice) ? {} : { pin: pin || null }),
  };
}

const pinOf = ({ pins }: Choosing["choice"]): Pin | "" => (pins.local ? "local" : pins.engine ? "engine" : "");

function Now({ now: { choice } }: { now: Choosing }): VNode {
  const { engine, model, from } = choice;
  const why =
    from.engine === from.model || from.engine === "found"
      ? whyWords(from.model)
      : `engine ${whyWords(from.engine)}, model ${whyWords(from.model)}`;
  return (
    <p class="now">
      Now: <strong>{model}</strong> by the engine <strong>{engine}</strong> <span class="quiet">({why})</span>
    </p>
  );
}

function Engines({ now, chosen, choose }: { now: Choosing; chosen: string; choose(engine: string): void }): VNode {
  return (
    <fieldset>
      <legend>Engine</legend>
      <div class="engines">
        {now.engines.map(({ name, missing }) => (
          <label key={name} class={name === chosen ? "chosen" : ""}>
            <input type="radio" name="engine" checked={name === chosen} onChange={() => choose(name)} />
            <span>
              {name}
              {missing ? <small>{missing}</small> : null}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** The owner sees what the providers offer; others what the commands may name. */
function useOffers(): { names: readonly string[]; silent: readonly string[] } {
  const [named, setNamed] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!isOwner.value)
      void ask<"commands.list">("GET /api/commands", {}).then(
        ({ commands }) => setNamed(commands.find(({ name }) => name === "model")?.values ?? []),
        () => {},
      );
  }, []);
  const providers = models.value?.providers ?? [];
  const silent = providers.flatMap(({ name, ready, problem }) => (ready ? [] : [`${name}${problem ? `: ${problem}` : ""}`]));
  return { names: isOwner.value ? offered.value : named, silent };
}

function Models({ chosen, choose }: { chosen: string; choose(model: string): void }): VNode {
  const [words, setWords] = useState("");
  const { names, silent } = useOffers();
  const all = useMemo(() => [...new Set([chosen, ...names])].sort(), [chosen, names.join()]);
  const found = all.filter((name) => name.toLowerCase().includes(words.trim().toLowerCase()));
  return (
    <fieldset>
      <legend>Model</legend>
      {all.length > 7 ? (
        <input
          type="search"
          placeholder="Find a model"
          aria-label="Find a model"
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
        />
      ) : null}
      <div class="offers">
        {found.slice(0, MOST).map((name) => (
          <label key={name} class={name === chosen ? "chosen" : ""}>
            <input type="radio" name="model" checked={name === chosen} onChange={() => choose(name)} />
            <span>
              <span class="quiet">{name.slice(0, name.indexOf("/") + 1)}</span>
              {name.slice(name.indexOf("/") + 1)}
            </span>
          </label>
        ))}
        {found.length === 0 ? <p class="quiet">None is called so.</p> : null}
        {found.length > MOST ? <p class="quiet">And {found.length - MOST} more: write a part of the name.</p> : null}
      </div>
      {probing.value ? (
        <p class="quiet" role="status">
          Looking for models…
        </p>
      ) : silent.length > 0 ? (
        <details>
          <summary>
            {silent.length} {silent.length === 1 ? "provider does" : "providers do"} not answer
          </summary>
          <ul class="quiet">
            {silent.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
          <a href="/settings">Keys and providers</a>
        </details>
      ) : null}
    </fieldset>
  );
}

const PINS: { name: Pin | ""; label: string }[] = [
  { name: "", label: "None" },
  { name: "local", label: "Local models only" },
  { name: "engine", label: "This engine only" },
];

function Pins({ now, chosen, choose }: { now: Choosing; chosen: Pin | "" | undefined; choose(pin: Pin | ""): void }): VNode {
  const held = pinOf(now.choice);
  return (
    <fieldset class="line">
      <legend>Pinned, so that nothing overrides it</legend>
      {PINS.map(({ name, label }) => (
        <label key={name}>
          <input type="radio" name="pin" checked={(chosen ?? held) === name} onChange={() => choose(name)} /> {label}
        </label>
      ))}
    </fieldset>
  );
}
