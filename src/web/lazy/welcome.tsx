// Who is not signed in yet: redeeming a claim link, or how to get one. Nothing of the address but the claim code is read.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { hasCode, messageOf, StewardError } from "../../std/error.ts";
import { call } from "../api.ts";
import { codeForm } from "../claim.ts";
import { Mark } from "../parts/icon.tsx";
import { enter, me, shutOut } from "../people.ts";
import { keepProof } from "../proof.ts";
import { go } from "../router.ts";

async function redeem(code: string): Promise<void> {
  const { proof } = await call("claim.redeem", { body: { code } });
  keepProof(proof);
  go("/", { replace: true }); // first: somebody else than before begins with a new page
  await enter();
}

/** The whole link or only its code. */
const codeIn = (text: string): string => (text.includes("#") ? text.slice(text.lastIndexOf("#") + 1) : text).trim();

function problemOf(error: unknown): string {
  if (hasCode(error, "denied") || hasCode(error, "not_found"))
    return "This link has been used or is too old. Make a new one with steward claim.";
  const hint = error instanceof StewardError && error.hint ? ` ${error.hint}` : "";
  return `${messageOf(error)}.${hint}`;
}

export function Welcome({ code }: { code?: string | undefined }): VNode {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(code !== undefined);
  const claim = (given: string): void => {
    setProblem("");
    if (!codeForm.test(given)) return setProblem("That is not a claim code. It looks like a word of letters and digits.");
    setBusy(true);
    redeem(given).catch((error: unknown) => {
      setBusy(false);
      setProblem(problemOf(error));
      void enter().then(() => me.value && go("/", { replace: true }));
    });
  };
  useEffect(() => {
    if (code) claim(code);
  }, []);
  return (
    <main class="welcome" id="main">
      <Mark size={60} />
      <h1>Steward</h1>
      {shutOut.value ? (
        <p role="alert">{shutOut.value}</p>
      ) : busy ? (
        <p role="status">Signing in…</p>
      ) : (
        <>
          <p>
            This browser is not signed in yet, or its stored data was cleared. Steward prints a one-time link when it starts; open that link
            here, or paste it below.
          </p>
          <ul class="ways">
            <li>
              <code>./steward start</code> <span>starts it and prints a link</span>
            </li>
            <li>
              <code>./steward claim</code> <span>prints a new link while it runs</span>
            </li>
          </ul>
          <CodeField claim={claim} />
          <p id="code-problem" class="problem" role="alert">
            {problem}
          </p>
        </>
      )}
    </main>
  );
}

function CodeField({ claim }: { claim(code: string): void }): VNode {
  const [text, setText] = useState("");
  return (
    <form onSubmit={(event) => (event.preventDefault(), claim(codeIn(text)))}>
      <label for="code">Link or code</label>
      <div class="field-row">
        <input
          id="code"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          autofocus
          aria-describedby="code-problem"
        />
        <button class="primary" disabled={!text.trim()}>
          Enter
        </button>
      </div>
    </form>
  );
}
