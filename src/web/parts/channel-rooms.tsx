// Who is answered at one channel: strangers, the rooms that are listed with the people of each, and ids that are let in without a code.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { type Channel, callChannels, type Paired } from "../channels-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { Icon } from "./icon.tsx";
import { titleOf } from "./channel-words.tsx";
import { useTurns } from "./load.tsx";

type Groups = Channel["groups"];
type Change = { strangers?: Channel["strangers"]; groups?: Groups; allow?: Channel["allow"] };

export function ChannelRooms({ channel, paired, again }: { channel: Channel; paired: readonly Paired[]; again(): void }): VNode {
  const { name, strangers, groups } = channel;
  const change = useChange(name, again);
  const id = `channel-${name}-ids`;
  return (
    <div class="channel-rooms" role="group" aria-label={`Who is answered at ${titleOf(channel)}`}>
      <div class="field">
        <label for={`channel-${name}-strangers`}>Somebody unknown who writes to it alone</label>
        <select
          id={`channel-${name}-strangers`}
          value={strangers}
          onChange={({ currentTarget: { value } }) =>
            change(() => ({ strangers: value === "ignore" ? "ignore" : "pair" }), "It holds at once.")
          }
        >
          <option value="pair">gets a code, and waits here to be approved</option>
          <option value="ignore">gets no answer at all</option>
        </select>
      </div>
      <Allowed channel={channel} out={(gone) => change((now) => ({ allow: without(now.allow, gone) }), "Taken out; it holds at once.")} />
      <h4>Rooms</h4>
      <p class="about">
        In a room Steward answers only where the room is listed here, only the people who are listed for it, and only when it is mentioned
        or in a thread that it began. A room without people is answered to nobody. Everybody who is in the room can read what is said there,
        so a room has a memory and a computer of its own, and the rights of a guest.
      </p>
      <datalist id={id}>
        {paired.map(({ from, name: called }) => (
          <option key={from} value={from}>
            {called}
          </option>
        ))}
      </datalist>
      {Object.entries(groups).map(([room, { people }]) => (
        <Room
          key={room}
          room={room}
          people={people}
          names={paired}
          list={id}
          set={(make, said) => change((now) => withRoom(now.groups, room, make), said)}
          remove={() => change((now) => ({ groups: omit(now.groups, room) }), "The room is not answered any more.")}
        />
      ))}
      <Adding
        id={`channel-${name}-room`}
        label={Object.keys(groups).length === 0 ? "No room is listed. Id of one" : "Id of another room"}
        action="Add the room"
        add={(room) =>
          change(
            ({ groups: now }) => ({ groups: { ...now, [room]: now[room] ?? { people: [] } } }),
            "The room is listed. Now add who is answered there.",
          )
        }
      />
    </div>
  );
}

/** Each change is made of what the channel says then: who was taken out elsewhere meanwhile stays out. */
function useChange(name: string, again: () => void): (make: (now: Channel) => Change | undefined, said: string) => void {
  const inTurn = useTurns();
  const work = async (make: (now: Channel) => Change | undefined, said: string): Promise<void> => {
    const list = await telling(callChannels("channels.list"));
    const now = list?.channels.find((one) => one.name === name);
    const body = now && make(now);
    if (body && (await telling(callChannels("channels.set", { id: name, body })))) toast(said);
    else if (list && !body) toast("That was taken out meanwhile.", { tone: "bad" });
    again();
  };
  return (make, said) => void inTurn(() => work(make, said));
}

/** Nothing when the room is not listed any more. */
const withRoom = (groups: Groups, room: string, make: (people: string[]) => string[]): Change | undefined =>
  groups[room] && { groups: { ...groups, [room]: { people: make(groups[room].people) } } };

const omit = <T,>(all: Record<string, T>, gone: string): Record<string, T> =>
  Object.fromEntries(Object.entries(all).filter(([key]) => key !== gone));

const without = (allow: Channel["allow"], gone: string): Channel["allow"] =>
  Array.isArray(allow) ? allow.filter((id) => id !== gone) : omit(allow, gone);

interface RoomProps {
  room: string;
  people: readonly string[];
  names: readonly Paired[];
  list: string;
  set(make: (people: string[]) => string[], said: string): void;
  remove(): void;
}

function Room({ room, people, names, list, set, remove }: RoomProps): VNode {
  const heading = `${list}-${room}`;
  const nameOf = (id: string): string => names.find(({ from }) => from === id)?.name ?? "";
  const gone = async (): Promise<void> => {
    const text = "Nobody is answered there any more.";
    if (people.length === 0 || (await confirm({ title: `Take out room ${room}?`, text, action: "Take out", danger: true }))) remove();
  };
  return (
    <div class="channel-room" role="group" aria-labelledby={heading}>
      <div class="thing-head">
        <h5 id={heading}>
          Room <code>{room}</code>
        </h5>
        <div class="actions">
          <button type="button" class="small danger" aria-label={`Take out room ${room}`} onClick={() => void gone()}>
            Take out
          </button>
        </div>
      </div>
      <ul class="tags" aria-label={`Who is answered in room ${room}`}>
        {people.map((one) => (
          <li key={one}>
            <code>{one}</code>
            {nameOf(one) ? <span class="quiet"> {nameOf(one)} </span> : null}
            <button
              type="button"
              class="ghost tiny"
              aria-label={`Take ${one} out of room ${room}`}
              onClick={() => set((now) => now.filter((other) => other !== one), `${one} is not answered there any more.`)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
        {people.length === 0 ? <li class="none channel-nobody">nobody is answered here</li> : null}
      </ul>
      <Adding
        id={`${heading}-person`}
        label={`Platform's id of somebody in room ${room}`}
        action="Add"
        says={`Add to room ${room}`}
        list={list}
        add={(id) => set((now) => [...now.filter((one) => one !== id), id], `${id} is answered there from now on.`)}
      />
    </div>
  );
}

interface AddingProps {
  id: string;
  label: string;
  action: string;
  /** The action, for the ear, when the word alone does not say where. */
  says?: string;
  /** Of ids that are known. */
  list?: string;
  add(value: string): void;
}

function Adding({ id, label, action, says, list, add }: AddingProps): VNode {
  const [text, setText] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text.trim() === "") return;
    add(text.trim());
    setText("");
  };
  return (
    <form class="field" onSubmit={submit}>
      <label for={id}>{label}</label>
      <div class="field-row">
        <input
          id={id}
          value={text}
          list={list}
          maxLength={300}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button disabled={text.trim() === ""} aria-label={says}>
          {action}
        </button>
      </div>
    </form>
  );
}

/** Those of the configuration; people are let in by their codes otherwise. */
function Allowed({ channel: { allow, title }, out }: { channel: Channel; out(gone: string): void }): VNode | null {
  const list = Array.isArray(allow) ? allow.map((id): [string, string] => [id, ""]) : Object.entries(allow);
  if (list.length === 0) return null;
  return (
    <div class="field">
      <h4>Let in by the configuration, without a code</h4>
      <ul class="tags">
        {list.map(([id, person]) => (
          <li key={id}>
            <code>{id}</code>
            <span class="quiet"> {person ? `as ${person}` : "as a guest of their own"} </span>
            <button type="button" class="ghost tiny" aria-label={`Take ${id} out at ${title}`} onClick={() => out(id)}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
