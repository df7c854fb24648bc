// Settings: the model and its keys, what Steward may do, who may enter, what this is.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Answered } from "../../core/api.ts";
import { call } from "../api.ts";
import { EnginesCard } from "../parts/engines.tsx";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { ModeCard } from "../parts/mode.tsx";
import { GrantsCard, PermissionsCard } from "../parts/permissions.tsx";
import { Facts } from "../parts/table.tsx";
import { LinkCard, TokensCard } from "../parts/tokens.tsx";
import { confirm, telling, toast } from "../notices.ts";
import { health, isOwner, me, models, offered, probeModels, probing, refreshModels } from "../people.ts";
import { keepProof } from "../proof.ts";
import { go } from "../router.ts";
import { since } from "../words.ts";

export const title = "Settings";
export const icon: IconName = "sliders";

export function Page(): VNode {
  return (
    <div class="cards">
      <ModelCard />
      <EnginesCard />
      {isOwner.value ? (
        <>
          <PermissionsCard />
          <ModeCard />
          <GrantsCard />
          <LinkCard />
          <TokensCard />
        </>
      ) : (
        <>
          <GrantsCard />
          {me.value?.role === "member" ? <TokensCard /> : null}
        </>
      )}
      <About />
    </div>
  );
}

type Provider = Answered<"models.list">["providers"][number];

const named: Record<string, { label: string; about: string; keyless?: boolean }> = {
  builtin: { label: "Builtin", about: "Plain requests, read by rules. Needs no network and no key.", keyless: true },
  ollama: { label: "Ollama", about: "Models on this machine or in your network.", keyless: true },
  "kimi-code": { label: "Kimi Code", about: "Moonshot AI's coding models." },
  moonshot: { label: "Moonshot", about: "Moonshot AI's platform." },
  anthropic: { label: "Anthropic", about: "Claude models." },
  compatible: {
    label: "OpenAI-compatible",
    about: "Any endpoint that speaks the OpenAI format. Its address is set with steward config set providers.compatible.baseUrl.",
  },
};

function ModelCard(): VNode {
  const known = models.value;
  return (
    <Card
      id="set-model"
      title="Model"
      about="Who reads what you write and decides what to do."
      aside={
        <button type="button" class="small" disabled={probing.value} onClick={() => void probeModels({ again: true })}>
          {probing.value ? "Testing…" : "Test all"}
        </button>
      }
    >
      {known ? (
        <>
          <Default known={known} />
          <ul class="providers">
            {known.providers.map((provider) => (
              <ProviderRow key={provider.name} provider={provider} />
            ))}
          </ul>
        </>
      ) : (
        <Waiting problem="" />
      )}
    </Card>
  );
}

function Default({ known }: { known: Answered<"models.list"> }): VNode {
  const [text, setText] = useState(known.current);
  const save = async (): Promise<void> => {
    if (!(await telling(call("config.change", { body: { key: "model", value: text.trim() } })))) return;
    toast(`New sessions use ${text.trim()}.`);
    await refreshModels();
  };
  return (
    <form class="field" onSubmit={(event) => (event.preventDefault(), void save())}>
      <label for="default-model">Default model</label>
      <div class="field-row">
        <input
          id="default-model"
          list="all-models"
          value={text}
          disabled={!isOwner.value}
          onInput={(event) => setText(event.currentTarget.value)}
          spellcheck={false}
          autocomplete="off"
        />
        <datalist id="all-models">
          {offered.value.map((model) => (
            <option key={model} value={model} />
          ))}
        </datalist>
        <button class="primary" disabled={!isOwner.value || !text.trim() || text.trim() === known.current}>
          Save
        </button>
      </div>
    </form>
  );
}

function ProviderRow({ provider }: { provider: Provider }): VNode {
  const { name, ready, keySet, problem, models: list } = provider;
  const about = named[name];
  return (
    <li class="provider">
      <div class="provider-head">
        <span class={`dot ${ready ? "done" : problem ? "failed" : "waiting"}`} aria-hidden="true" />
        <strong>{about?.label ?? name}</strong>
        <span class="quiet">{ready ? "Ready" : keySet || about?.keyless ? "Not ready" : "Needs a key"}</span>
        {keySet ? <span class="chip">key stored</span> : null}
        {models.value?.current.startsWith(`${name}/`) ? <span class="chip">in use</span> : null}
      </div>
      <p class="about">{about?.about ?? ""}</p>
      {problem ? <p class="problem">{problem}</p> : null}
      {list.length > 0 ? (
        <p class="quiet models">
          {list.slice(0, 12).join(", ")}
          {list.length > 12 ? ` and ${list.length - 12} more` : ""}
        </p>
      ) : null}
      {isOwner.value && (!about?.keyless || keySet) ? <KeyField name={name} keySet={keySet} label={about?.label ?? name} /> : null}
    </li>
  );
}

/** Write-only: what is stored never comes back to a page. */
function KeyField({ name, keySet, label }: { name: string; keySet: boolean; label: string }): VNode {
  const [value, setValue] = useState("");
  const save = async (): Promise<void> => {
    const kept = await telling(call("secrets.set", { params: { id: name }, body: { value: value.trim() } }));
    if (!kept) return;
    setValue("");
    toast(`The key is kept in the ${kept.where}.${kept.note ? ` ${kept.note}` : ""}`);
    await refreshModels();
  };
  const forget = async (): Promise<void> => {
    if (
      !(await confirm({
        title: `Forget the ${label} key?`,
        text: "Steward can't use this provider until you give it a key again.",
        action: "Forget",
        danger: true,
      }))
    )
      return;
    if (await telling(call("secrets.remove", { params: { id: name } }))) await refreshModels();
  };
  return (
    <form class="field-row key" onSubmit={(event) => (event.preventDefault(), void save())}>
      <label class="hidden" for={`key-${name}`}>
        Key for {label}
      </label>
      <input
        id={`key-${name}`}
        type="password"
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        placeholder={keySet ? "Replace the stored key" : "Paste a key"}
        autocomplete="off"
        spellcheck={false}
      />
      <button disabled={!value.trim()} aria-label={`Save the key for ${label}`}>
        Save
      </button>
      {keySet ? (
        <button type="button" class="ghost" onClick={() => void forget()} aria-label={`Forget the key for ${label}`}>
          Forget
        </button>
      ) : null}
    </form>
  );
}

function About(): VNode {
  const who = me.value;
  const { data } = useLoad(() => call("health.get"));
  const leave = async (): Promise<void> => {
    if (!(await telling(call("me.leave")))) return;
    keepProof(undefined);
    me.value = null;
    go("/");
  };
  if (!who) return <></>;
  const up = (data ?? health.value)?.uptimeSeconds;
  const facts: [string, string][] = [
    ["Version", who.version],
    ["Model", models.value?.current ?? "…"],
    ["Mode", who.mode],
    ["Sandbox", who.sandbox],
    ...(who.computer ? ([["Computers", who.computer.why]] satisfies [string, string][]) : []),
    ["Home", who.home],
    ["Workspace", who.workspace],
    ["You", `${who.person} (${who.role})`],
    ["Zone", who.zone],
    ["Running for", up === undefined ? "…" : since(up)],
  ];
  return (
    <Card
      id="set-about"
      title="About"
      aside={
        <button type="button" class="small" onClick={() => void leave()}>
          Sign out
        </button>
      }
    >
      <Facts list={facts} />
    </Card>
  );
}
