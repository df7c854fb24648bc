// People at channels, for the owner: who asks to be let in, letting in by a code, who is in, and taking them out.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { type Channel, callChannels, type Paired, type Pending } from "../channels-api.ts";
import { useNow } from "../clock.ts";
import { confirm, telling, toast } from "../notices.ts";
import type { Person } from "../people-api.ts";
import { isHook, titleOf, When } from "./channel-words.tsx";
import { Card } from "./load.tsx";

type Role = Person["role"];
interface As {
  /** Empty: a guest of their own. */
  person: string;
  /** Empty: as much as the person may. */
  role: Role | "";
}
const NOBODY: As = { person: "", role: "" };
const bodyOf = ({ person, role }: As): { person?: string; role?: Role } => ({
  ...(person === "" ? {} : { person }),
  ...(person === "" || role === "" ? {} : { role }),
});

interface Shown {
  channels: readonly Channel[];
  people: readonly Person[];
  again(): void;
}
const nameOf = (channels: readonly Channel[], name: string): string => {
  const found = channels.find((one) => one.name === name);
  return found ? titleOf(found) : name;
};

export function Asking({ pending, ...shown }: Shown & { pending: readonly Pending[] }): VNode {
  return (
    <Card
      id="channels-asking"
      title="Asks to be let in"
      about="Anybody can call themselves anything at a platform. When in doubt, ask them for the code that Steward told them, and enter it below."
    >
      <ul class="things">
        {pending.map((one) => (
          <OneAsking key={one.id} pending={one} {...shown} />
        ))}
      </ul>
    </Card>
  );
}

function OneAsking({ pending: { id, channel, from, name, expiresAt }, channels, people, again }: Shown & { pending: Pending }): VNode {
  const [as, setAs] = useState(NOBODY);
  const [busy, setBusy] = useState(false);
  const left = Math.max(0, Math.ceil((expiresAt - useNow()) / 60_000));
  const heading = `asking-${id}`;
  const called = name || from;
  const doing = async (work: Promise<unknown>, said: string): Promise<void> => {
    setBusy(true);
    if ((await telling(work)) !== undefined) toast(said);
    setBusy(false);
    again();
  };
  const approve = (): Promise<void> => doing(callChannels("pairings.accept", { id, body: bodyOf(as) }), `${called} is in.`);
  return (
    <li class="thing channel" aria-labelledby={heading}>
      <div class="thing-head">
        <h3 id={heading}>{called}</h3>
        <span class="quiet">
          at {nameOf(channels, channel)} · id <code>{from}</code> · {left === 1 ? "1 minute" : `${left} minutes`} left
        </span>
      </div>
      <form class="channel-approve" onSubmit={(event) => (event.preventDefault(), void approve())}>
        <ApproveAs id={id} who={called} people={people} as={as} set={setAs} />
        <div class="actions">
          <button class="primary small" disabled={busy} aria-label={`Approve ${called}`}>
            Approve
          </button>
          <button
            type="button"
            class="small"
            disabled={busy}
            aria-label={`Refuse ${called}`}
            onClick={() => void doing(callChannels("pairings.refuse", { id }), `${called} is refused.`)}
          >
            Refuse
          </button>
        </div>
      </form>
    </li>
  );
}

const ranks: Role[] = ["owner", "member", "guest"];

function ApproveAs({ id, who, people, as, set }: { id: string; who: string; people: readonly Person[]; as: As; set(as: As): void }): VNode {
  const role = people.find((one) => one.id === as.person)?.role;
  const lower = role === undefined ? [] : ranks.slice(ranks.indexOf(role) + 1);
  return (
    <>
      <label for={`${id}-as`}>
        <span>
          Approve<span class="hidden"> {who}</span> as
        </span>
        <select id={`${id}-as`} value={as.person} onChange={(event) => set({ person: event.currentTarget.value, role: "" })}>
          <option value="">a guest of their own</option>
          {people.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name} ({one.role})
            </option>
          ))}
        </select>
      </label>
      {lower.length > 0 ? (
        <label for={`${id}-role`}>
          <span>with the rights of</span>
          <select id={`${id}-role`} value={as.role} onChange={(event) => set({ ...as, role: event.currentTarget.value as As["role"] })}>
            <option value="">{role === "owner" ? "the owner" : `a ${role}`}</option>
            {lower.map((one) => (
              <option key={one} value={one}>
                a {one}
              </option>
            ))}
          </select>
        </label>
      ) : null}
    </>
  );
}

export function PairedPeople({ paired, ...shown }: Shown & { paired: readonly Paired[] }): VNode {
  return (
    <Card
      id="channels-people"
      title="People at channels"
      about="Who writes to Steward alone for the first time is told a code, which works once, for ten minutes. Whoever is let in is known by the platform's id, never by a name."
    >
      {paired.length === 0 ? (
        <p class="quiet">Nobody is let in yet. Write to Steward in one of the chat apps above, and approve yourself here.</p>
      ) : (
        <ul class="lines-list">
          {paired.map((one) => (
            <OnePaired key={`${one.channel}/${one.from}`} one={one} {...shown} />
          ))}
        </ul>
      )}
      <ByCode {...shown} />
    </Card>
  );
}

function OnePaired({ one: { channel, from, name, person, role, at }, channels, people, again }: Shown & { one: Paired }): VNode {
  const called = name || from;
  const where = nameOf(channels, channel);
  const out = async (): Promise<void> => {
    const text = "What comes from there is a stranger's again. The person, their sessions and files stay.";
    if (!(await confirm({ title: `Take ${called} out at ${where}?`, text, action: "Take out", danger: true }))) return;
    if (await telling(callChannels("pairings.remove", { body: { channel, from } }))) toast(`${called} is out at ${where}.`);
    again();
  };
  return (
    <li>
      <span>
        <strong>{called}</strong> <span class="quiet">at {where}</span>
        <small>
          as {people.find(({ id }) => id === person)?.name ?? person} ({role}) · id <code>{from}</code> · since <When at={at} />
        </small>
      </span>
      <button type="button" class="small danger" aria-label={`Take out ${called} at ${where}`} onClick={() => void out()}>
        Take out
      </button>
    </li>
  );
}

function ByCode({ channels: all, people, again }: Shown): VNode | null {
  const channels = all.filter((one) => !isHook(one));
  const [channel, setChannel] = useState("");
  const [code, setCode] = useState("");
  const [as, setAs] = useState(NOBODY);
  const where = channel || (channels[0]?.name ?? "");
  const approve = async (): Promise<void> => {
    const paired = await telling(callChannels("pairings.approve", { body: { channel: where, code: code.trim(), ...bodyOf(as) } }));
    if (!paired) return;
    setCode("");
    toast(`${paired.name || paired.from} is in.`);
    again();
  };
  if (channels.length === 0) return null;
  return (
    <form class="channel-approve" onSubmit={(event) => (event.preventDefault(), void approve())}>
      <h3>Let in by a code</h3>
      <label for="channels-code-where">
        <span>Channel</span>
        <select id="channels-code-where" value={where} onChange={(event) => setChannel(event.currentTarget.value)}>
          {channels.map((one) => (
            <option key={one.name} value={one.name}>
              {titleOf(one)}
            </option>
          ))}
        </select>
      </label>
      <label for="channels-code">
        <span>Code</span>
        <input
          id="channels-code"
          value={code}
          placeholder="ABCD-EFGH-JKLM"
          maxLength={40}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          onInput={(event) => setCode(event.currentTarget.value)}
        />
      </label>
      <ApproveAs id="channels-code" who="who has this code" people={people} as={as} set={setAs} />
      <div class="actions">
        <button class="small" disabled={code.trim() === ""} aria-label="Approve by code">
          Approve
        </button>
      </div>
    </form>
  );
}
