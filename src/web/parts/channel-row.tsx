// One channel: how it is in words, colour and picture, and what can be done with it. Its form and its rooms are parts of their own.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { type Channel, callChannels, type Kind, type Paired } from "../channels-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { count } from "../words.ts";
import { ChannelForm } from "./channel-form.tsx";
import { ChannelRooms } from "./channel-rooms.tsx";
import { isHook, stateOf, titleOf, When } from "./channel-words.tsx";
import { Icon } from "./icon.tsx";

export interface RowProps {
  channel: Channel;
  kind: Kind | undefined;
  paired: readonly Paired[];
  again(): void;
}
export function ChannelRow({ channel, kind, paired, again }: RowProps): VNode {
  const [open, setOpen] = useState<"" | "change" | "rooms">("");
  const { name, problem, hint, found, state } = channel;
  const heading = `channel-${name}`;
  const { words, tone, icon } = stateOf(channel);
  const close = (): void => {
    setOpen("");
    document.getElementById(`change-${name}`)?.focus();
    again();
  };
  const alone =
    !isHook(channel) &&
    state === "healthy" &&
    paired.length === 0 &&
    Object.keys(channel.allow).length === 0 &&
    channel.strangers === "pair";
  return (
    <li class="thing channel" aria-labelledby={heading}>
      <div class="thing-head">
        <h3 id={heading}>{titleOf(channel)}</h3>
        <span class={`channel-state ${tone}`}>
          <Icon name={icon} /> {words}
        </span>
        <Doings channel={channel} kind={kind} open={open} setOpen={setOpen} again={again} />
      </div>
      <Facts channel={channel} />
      {problem ? (
        <p class="problem">
          {problem}
          {state === "missing" && kind ? (
            <span class="channel-hint"> “Change” leads through what has to be filled in.</span>
          ) : hint ? (
            <span class="channel-hint"> {hint}</span>
          ) : null}
        </p>
      ) : null}
      {found ? <p class="quiet">It is on because a secret of it was found among the kept ones or in the environment.</p> : null}
      {alone ? (
        <p class="notice">
          <span>
            Nobody is let in here yet. Write to {channel.account ? <b>{channel.account}</b> : "it"} in {channel.title}: it answers with a
            code, and your name appears on this page to be approved.
          </span>
        </p>
      ) : null}
      {open === "change" && kind ? <ChannelForm kind={kind} name={name} channel={channel} close={close} /> : null}
      {open === "rooms" ? <ChannelRooms channel={channel} paired={paired} again={again} /> : null}
    </li>
  );
}

function Facts({ channel: { account, messageAt, heardAt, waiting, state } }: { channel: Channel }): VNode | null {
  const parts: VNode[] = [];
  if (account) parts.push(<span>account {account}</span>);
  if (messageAt)
    parts.push(
      <span>
        last message <When at={messageAt} />
      </span>,
    );
  else if (state === "healthy") parts.push(<span>no message yet</span>);
  if (heardAt && state !== "off")
    parts.push(
      <span>
        heard <When at={heardAt} />
      </span>,
    );
  if (waiting > 0) parts.push(<b>{waiting === 1 ? "1 message waits" : `${count(waiting, "message")} wait`} to go out</b>);
  return parts.length === 0 ? null : <p class="quiet channel-facts">{parts}</p>;
}

interface DoingsProps {
  channel: Channel;
  kind: Kind | undefined;
  open: "" | "change" | "rooms";
  setOpen(open: "" | "change" | "rooms"): void;
  again(): void;
}

function Doings({ channel: { name, state, found, ...more }, kind, open, setOpen, again }: DoingsProps): VNode {
  const [busy, setBusy] = useState(false);
  const title = titleOf({ name, ...more });
  const doing = async (work: () => Promise<unknown>, said: string): Promise<void> => {
    setBusy(true);
    const done = await telling(work());
    setBusy(false);
    if (done !== undefined) toast(said);
    again();
  };
  const turn = (enabled: boolean): Promise<void> =>
    doing(() => callChannels("channels.set", { id: name, body: { enabled } }), `${title} is ${enabled ? "on" : "off"}.`);
  const remove = async (): Promise<void> => {
    const text = "Its settings and secrets are forgotten, and it hears nothing any more. Who is paired there stays so.";
    if (!(await confirm({ title: `Remove ${title}?`, text, action: "Remove", danger: true }))) return;
    await doing(() => callChannels("channels.remove", { id: name }), `${title} is removed.`);
    const left = found && (await callChannels("channels.list").catch(() => undefined))?.channels.some((one) => one.name === name);
    if (left) toast(`${title} is still found by an environment variable. Turn it off, or take the variable away.`, { tone: "bad" });
  };
  return (
    <div class="actions">
      {state === "off" ? null : (
        <button
          type="button"
          class="small"
          disabled={busy}
          aria-label={`Connect anew: ${title}`}
          onClick={() => void doing(() => callChannels("channels.connect", { id: name }), `${title} is being connected anew.`)}
        >
          Connect anew
        </button>
      )}
      <button
        type="button"
        class="small"
        disabled={busy}
        aria-label={`Turn ${state === "off" ? "on" : "off"} ${title}`}
        onClick={() => void turn(state === "off")}
      >
        {state === "off" ? "Turn on" : "Turn off"}
      </button>
      <Folds name={name} title={title} rooms={!isHook(more)} change={kind !== undefined} open={open} setOpen={setOpen} />
      <button type="button" class="small danger" disabled={busy} aria-label={`Remove ${title}`} onClick={() => void remove()}>
        Remove
      </button>
    </div>
  );
}

type FoldsProps = Pick<DoingsProps, "open" | "setOpen"> & { name: string; title: string; rooms: boolean; change: boolean };

function Folds({ name, title, rooms, change, open, setOpen }: FoldsProps): VNode {
  const fold = (what: "change" | "rooms"): void => setOpen(open === what ? "" : what);
  return (
    <>
      {rooms ? (
        <button
          type="button"
          class="small"
          aria-expanded={open === "rooms"}
          aria-label={`Who is answered at ${title}`}
          onClick={() => fold("rooms")}
        >
          Who is answered
        </button>
      ) : null}
      {change ? (
        <button
          id={`change-${name}`}
          type="button"
          class="small"
          aria-expanded={open === "change"}
          aria-label={`Change ${title}`}
          onClick={() => fold("change")}
        >
          Change
        </button>
      ) : null}
    </>
  );
}
