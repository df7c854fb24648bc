// People, for the owner: who may use this Steward, how each computer is, inviting, suspending, removing.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { bytes } from "../../std/text.ts";
import { confirm, telling, toast } from "../notices.ts";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { StateWord } from "../parts/machine.tsx";
import { InviteDialog, type Link, LinkDialog, RemoveDialog } from "../parts/person-dialogs.tsx";
import { callPeople, type Computers, type Machine, type Person } from "../people-api.ts";
import { isOwner } from "../people.ts";
import { takeStyles } from "../sheet.ts";
import { number, shortDate, wholeTime } from "../words.ts";
import things from "../lazy/things.css";
import styles from "./people.css";

export const title = "People";
export const icon: IconName = "people";

takeStyles(things);
takeStyles(styles);

type Open = { what: "invite" } | { what: "link"; link: Link } | { what: "remove"; person: Person };

export function Page(): VNode {
  return isOwner.value ? (
    <All />
  ) : (
    <div class="cards">
      <p class="quiet">Only the owner sees who is here.</p>
    </div>
  );
}

function All(): VNode {
  const people = useLoad(() => callPeople("people.list"), 5000);
  const computers = useLoad(() => callPeople("computers.list"), 10_000);
  const [open, setOpen] = useState<Open>();
  const again = (): void => (people.again(), computers.again());
  const close = (): void => (setOpen(undefined), again());
  const list = people.data?.people;
  return (
    <div class="cards">
      <Card
        id="people-all"
        title="People"
        about="Each has sessions, memory, files and a computer of their own, which nobody else sees, not even you."
        aside={
          <button type="button" class="primary small" onClick={() => setOpen({ what: "invite" })}>
            Invite somebody
          </button>
        }
      >
        {list ? (
          <ul class="things">
            {list.map((person) => (
              <One key={person.id} person={person} computers={computers.data} open={setOpen} again={again} />
            ))}
          </ul>
        ) : (
          <Waiting problem={people.problem} />
        )}
        {list?.length === 1 ? <p class="quiet">Nobody else is here yet. An invitation is a link that lets one browser in, once.</p> : null}
      </Card>
      <Kind computers={computers.data} problem={computers.problem} />
      {open?.what === "invite" ? <InviteDialog close={close} invited={(link) => (setOpen({ what: "link", link }), again())} /> : null}
      {open?.what === "link" ? <LinkDialog link={open.link} close={close} /> : null}
      {open?.what === "remove" ? <RemoveDialog person={open.person} close={close} removed={close} /> : null}
    </div>
  );
}

interface Shown {
  person: Person;
  computers: Computers | undefined;
  open(what: Open): void;
  again(): void;
}

function One({ person, computers, open, again }: Shown): VNode {
  const { id, name, role, suspended, removing, sessions } = person;
  const machine = computers?.computers.find((one) => one.person === id)?.machine;
  const heading = `person-${id}`;
  return (
    <li class="thing person" aria-labelledby={heading}>
      <div class="thing-head">
        <h3 id={heading}>{name}</h3>
        <span class="pill">{role}</span>
        {removing ? <span class="pill asking">being removed</span> : suspended ? <span class="pill failed">suspended</span> : null}
        {role === "owner" || removing ? null : <Doings person={person} open={open} again={again} />}
      </div>
      <p class="quiet">
        {seenText(person)} · {number(sessions)} {sessions === 1 ? "session" : "sessions"}
        {id === name.toLowerCase() ? "" : ` · ${id}`}
      </p>
      {machine && !removing ? <Computer person={person} machine={machine} again={again} /> : null}
    </li>
  );
}

function seenText({ seenAt, invitedUntil, role }: Person): string {
  if (invitedUntil && !seenAt) return `invited, the link works until ${wholeTime(invitedUntil)}`;
  if (seenAt) return `last seen ${shortDate(seenAt)}`;
  return role === "owner" ? "here now" : "never seen";
}

function Doings({ person, open, again }: Omit<Shown, "computers">): VNode {
  const { id, name, suspended, role } = person;
  const change = async (body: { suspended?: boolean; role?: "member" | "guest" }, said: string): Promise<void> => {
    if (!(await telling(callPeople("people.change", { id, body })))) return;
    toast(said);
    again();
  };
  const suspend = async (): Promise<void> => {
    const text = "They are shut out at once, everywhere, and what runs for them stops. Everything is kept.";
    if (await confirm({ title: `Suspend ${name}?`, text, action: "Suspend", danger: true }))
      await change({ suspended: true }, `${name} is suspended.`);
  };
  const link = async (): Promise<void> => {
    const made = await telling(callPeople("people.link", { id }));
    if (made) open({ what: "link", link: { name, ...made } });
  };
  const isNamed = id === "guest" || id.startsWith("user_");
  return (
    <div class="actions">
      {suspended ? (
        <button type="button" class="small" onClick={() => void change({ suspended: false }, `${name} may come in again.`)}>
          Let {name} in
        </button>
      ) : (
        <>
          {id === "guest" ? null : (
            <button type="button" class="small" onClick={() => void link()} aria-label={`New link for ${name}`}>
              New link
            </button>
          )}
          {isNamed ? null : (
            <button
              type="button"
              class="small"
              aria-label={`Make ${role === "member" ? "guest" : "member"}: ${name}`}
              onClick={() => void change({ role: role === "member" ? "guest" : "member" }, `${name} has another role now.`)}
            >
              Make {role === "member" ? "guest" : "member"}
            </button>
          )}
          <button type="button" class="small" onClick={() => void suspend()} aria-label={`Suspend ${name}`}>
            Suspend
          </button>
        </>
      )}
      <button type="button" class="small danger" onClick={() => open({ what: "remove", person })} aria-label={`Remove ${name}`}>
        Remove
      </button>
    </div>
  );
}

type Action = "restart" | "reset" | "remove";
const labels: Record<Action, string> = { restart: "Restart", reset: "Reset", remove: "Remove computer" };
const asked: Record<Action, { text: string; action: string }> = {
  restart: { text: "All that runs in it ends. Files stay.", action: "Restart" },
  reset: { text: "It is made anew: what was installed and the home folder are lost. /data and /return stay.", action: "Reset" },
  remove: { text: "All its files are lost, also /data and /return. The next use makes a new one.", action: "Remove the computer" },
};

function Computer({ person: { id, name }, machine, again }: { person: Person; machine: Machine; again(): void }): VNode {
  const act = async (action: Action): Promise<void> => {
    const ask = asked[action];
    if (!(await confirm({ title: `${ask.action}: ${name}`, danger: true, ...ask }))) return;
    if (!(await telling(callPeople("computers.act", { id, body: { action } })))) return;
    toast(`Done: the computer of ${name}.`);
    again();
  };
  return (
    <div class="person-computer">
      <StateWord machine={machine} />
      <span class="quiet">{useText(machine)}</span>
      {machine.note ? <span class={machine.state === "failed" ? "problem" : "quiet"}>{machine.note}</span> : null}
      {machine.state === "absent" ? null : (
        <div class="actions">
          {(["restart", "reset", "remove"] as const).map((action) => (
            <button
              key={action}
              type="button"
              class="small"
              onClick={() => void act(action)}
              aria-label={`${labels[action]}: computer of ${name}`}
            >
              {labels[action]}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function useText({ usage, diskBytes, limits }: Machine): string {
  return [
    ...(usage
      ? [
          `memory ${bytes(usage.memoryBytes)} of ${bytes(limits.memoryBytes)}`,
          `CPU ${Math.round(usage.cpuPercent)} %`,
          `${number(usage.processes)} ${usage.processes === 1 ? "process" : "processes"}`,
        ]
      : []),
    ...(diskBytes === undefined ? [] : [`disk ${bytes(diskBytes)} of ${bytes(limits.diskBytes)}`]),
  ].join(" · ");
}

function Kind({ computers, problem }: { computers: Computers | undefined; problem: string }): VNode {
  return (
    <Card id="people-computers" title="Their computers">
      {computers === undefined ? (
        <Waiting problem={problem} />
      ) : computers.problem ? (
        <p class="problem">There are none on this machine: {computers.problem}</p>
      ) : (
        <p class="about">{computers.why}</p>
      )}
    </Card>
  );
}
