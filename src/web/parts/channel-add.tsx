// Adding a channel: which platform, then its form.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Kind } from "../channels-api.ts";
import { ChannelForm } from "./channel-form.tsx";

export function ChannelAdd({ kinds, taken, close }: { kinds: readonly Kind[]; taken: readonly string[]; close(): void }): VNode {
  const [chosen, choose] = useState("");
  const kind = kinds.find(({ name }) => name === chosen);
  return (
    <div class="channel-add">
      <fieldset>
        <legend>Which platform?</legend>
        <div class="channel-kinds">
          {kinds.map(({ name, title }) => (
            <label key={name}>
              <input type="radio" name="channel-kind" checked={chosen === name} onChange={() => choose(name)} /> {title}
            </label>
          ))}
        </div>
      </fieldset>
      {kind ? (
        <ChannelForm key={kind.name} kind={kind} name={freeName(kind.name, taken)} taken={taken} close={close} />
      ) : (
        <div class="actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      )}
    </div>
  );
}

/** A second account gets a name of its own. */
function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  for (let n = 2; ; n++) if (!taken.includes(`${name}-${n}`)) return `${name}-${n}`;
}
