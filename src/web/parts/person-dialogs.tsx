// The dialogs of the page about people: inviting somebody, and removing one after their name was typed.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callPeople, type Person } from "../people-api.ts";
import { telling } from "../notices.ts";
import { wholeTime } from "../words.ts";
import { CopyButton } from "./code.tsx";
import { Dialog } from "./dialog.tsx";

type GivenRole = "member" | "guest";
export interface Link {
  name: string;
  url: string;
  expiresAt: number;
}

const isHere = (url: string): boolean => ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);

/** Shown once: only its digest is kept. */
export const LinkDialog = ({ link: { name, url, expiresAt }, close }: { link: Link; close(): void }): VNode => (
  <Dialog title={`A link for ${name}`} close={close}>
    <p>
      Send it to {name} and to nobody else: it lets one browser in as them, once, until {wholeTime(expiresAt)}. It is shown only now.
    </p>
    <div class="once">
      <code>{url}</code>
      <CopyButton text={url} what="link" />
    </div>
    {isHere(url) ? (
      <p class="notice">
        <span>
          This link works on this machine only, because Steward listens for this machine only. For others put a proxy with TLS in front and
          name it in <code>server.hosts</code>; in a network that you trust, set <code>server.host</code> to <code>0.0.0.0</code>.
        </span>
      </p>
    ) : null}
    <div class="actions end">
      <button type="button" class="primary" onClick={close}>
        Done
      </button>
    </div>
  </Dialog>
);

export function InviteDialog({ close, invited }: { close(): void; invited(link: Link): void }): VNode {
  const [name, setName] = useState("");
  const [role, setRole] = useState<GivenRole>("member");
  const [hours, setHours] = useState(24);
  const [busy, setBusy] = useState(false);
  const invite = async (): Promise<void> => {
    setBusy(true);
    const made = await telling(callPeople("people.invite", { body: { name: name.trim(), role, hours } }));
    setBusy(false);
    if (made) invited({ name: made.person.name, url: made.url, expiresAt: made.expiresAt });
  };
  return (
    <Dialog title="Invite somebody" close={close}>
      <form onSubmit={(event) => (event.preventDefault(), void invite())}>
        <div class="field">
          <label for="invite-name">Name</label>
          <input
            id="invite-name"
            value={name}
            maxLength={60}
            autofocus
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </div>
        <RoleField role={role} set={setRole} />
        <div class="field">
          <label for="invite-hours">The link works for</label>
          <select id="invite-hours" value={String(hours)} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            <option value="1">1 hour</option>
            <option value="24">1 day</option>
            <option value="72">3 days</option>
            <option value="168">7 days</option>
          </select>
        </div>
        <div class="actions end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button class="primary" disabled={!name.trim() || busy}>
            Make a link
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RoleField({ role, set }: { role: GivenRole; set(role: GivenRole): void }): VNode {
  return (
    <div class="field">
      <label for="invite-role">Role</label>
      <select
        id="invite-role"
        value={role}
        onChange={(event) => set(event.currentTarget.value as GivenRole)}
        aria-describedby="invite-role-note"
      >
        <option value="member">Member</option>
        <option value="guest">Guest</option>
      </select>
      <p id="invite-role-note" class="quiet">
        {role === "member"
          ? "Sessions, memory, files and a computer of their own; no settings."
          : "As a member, but smaller: no lasting answers to questions, small uploads, fewer messages."}
      </p>
    </div>
  );
}

export function RemoveDialog({ person, close, removed }: { person: Person; close(): void; removed(): void }): VNode {
  const [typed, setTyped] = useState("");
  const isSame = typed.trim().toLowerCase() === person.name.trim().toLowerCase();
  const remove = async (): Promise<void> => {
    if (isSame && (await telling(callPeople("people.remove", { id: person.id })))) removed();
  };
  return (
    <Dialog title={`Remove ${person.name}?`} close={close}>
      <form onSubmit={(event) => (event.preventDefault(), void remove())}>
        <p>
          Everything of {person.name} goes: {person.sessions} {person.sessions === 1 ? "session" : "sessions"}, memory, files and the
          computer. This can't be undone. To shut somebody out and keep everything, suspend them.
        </p>
        <div class="field">
          <label for="remove-name">Type “{person.name}” to confirm</label>
          <input id="remove-name" value={typed} autofocus autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
        </div>
        <div class="actions end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button class="danger solid" disabled={!isSame}>
            Remove
          </button>
        </div>
      </form>
    </Dialog>
  );
}
