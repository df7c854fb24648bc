// The chain of failover: who answers when the chosen one can't, in its order. Owner's; each change is kept at once.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { call } from "../api.ts";
import { telling } from "../notices.ts";
import { offered } from "../people.ts";
import { useLoad, useTurns, Waiting } from "./load.tsx";

/** Made of what the chain says when it is sent. */
type Change = (now: readonly string[]) => string[];

export function Chain(): VNode {
  const loaded = useLoad(() => call("config.get"));
  const [name, setName] = useState("");
  const chain = loaded.data?.config.failover.chain;
  const inTurn = useTurns();
  const keep = (change: Change): Promise<boolean> =>
    inTurn(async () => {
      const now = await telling(call("config.get"));
      const value = now && change(now.config.failover.chain);
      const done = value && (await telling(call("config.change", { body: { key: "failover.chain", value } })));
      if (done) loaded.again();
      return done !== undefined;
    });
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    const one = name.trim();
    if (one !== "" && (await keep((now) => [...now.filter((other) => other !== one), one]))) setName("");
  };
  if (!chain) return <Waiting problem={loaded.problem} />;
  return (
    <section aria-labelledby="chain-title">
      <h3 id="chain-title">When the chosen one can’t answer</h3>
      <p class="quiet">
        {chain.length === 0
          ? "Nobody stands in. A limit, an outage or a refused key then ends the turn."
          : "These are asked, one after the other. Pins hold for them too."}
      </p>
      <ol class="lines-list" aria-label="Who stands in">
        {chain.map((one, at) => (
          <Link key={one} one={one} first={at === 0} keep={(change) => void keep(change)} />
        ))}
      </ol>
      <form class="actions" onSubmit={(event) => void add(event)}>
        <input
          aria-label="Who else answers"
          list="chain-models"
          placeholder="ollama/qwen2.5 or claude:anthropic/…"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <datalist id="chain-models">
          {offered.value.map((model) => (
            <option key={model} value={model} />
          ))}
        </datalist>
        <button type="submit" class="small" disabled={name.trim() === ""}>
          Add
        </button>
      </form>
    </section>
  );
}

function Link({ one, first, keep }: { one: string; first: boolean; keep(change: Change): void }): VNode {
  return (
    <li>
      <span class="grow">{one}</span>
      <button type="button" class="small" aria-label={`Earlier: ${one}`} disabled={first} onClick={() => keep((now) => earlier(now, one))}>
        Earlier
      </button>
      <button type="button" class="small" aria-label={`Remove ${one}`} onClick={() => keep((now) => now.filter((other) => other !== one))}>
        Remove
      </button>
    </li>
  );
}

function earlier(chain: readonly string[], one: string): string[] {
  const at = chain.indexOf(one);
  return at < 1 ? [...chain] : chain.toSpliced(at, 1).toSpliced(at - 1, 0, one);
}
