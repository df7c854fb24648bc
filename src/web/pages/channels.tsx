// Channels: for the owner the chat apps, how each is, adding one, who is let in; for everybody their messages that did not arrive. Cards and forms are parts.
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { type Channel, callChannels } from "../channels-api.ts";
import { spoken } from "../notices.ts";
import { ChannelAdd } from "../parts/channel-add.tsx";
import { Asking, PairedPeople } from "../parts/channel-people.tsx";
import { ChannelRow } from "../parts/channel-row.tsx";
import { stateOf } from "../parts/channel-words.tsx";
import type { IconName } from "../parts/icon.tsx";
import { Letters } from "../parts/letters.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { callPeople } from "../people-api.ts";
import { isOwner } from "../people.ts";
import { takeStyles } from "../sheet.ts";
import things from "../lazy/things.css";
import styles from "./channels.css";

export const title = "Channels";
export const icon: IconName = "link";

takeStyles(things);
takeStyles(styles);

const BUSY_MS = 3000;
const CALM_MS = 15_000;
/** After something has changed, more is likely to. */
const STIRRED_MS = 120_000;

export function Page(): VNode {
  return <div class="cards">{isOwner.value ? <All /> : <Mine />}</div>;
}

function Mine(): VNode {
  const { data, problem, again } = useLoad(() => callChannels("letters.list"), CALM_MS);
  return <Letters list={data?.letters} problem={problem} again={again} />;
}

/** Asked again often while something is on its way, now and then else, and never while nobody looks. */
function useAgain(again: () => void, mark: string, busy: boolean): void {
  const seen = useRef({ mark: "", at: 0 });
  if (mark !== seen.current.mark) seen.current = { mark, at: seen.current.mark === "" ? 0 : Date.now() };
  const often = busy || Date.now() - seen.current.at < STIRRED_MS;
  useEffect(() => {
    const look = (): void => void (document.hidden || again());
    const timer = setInterval(look, often ? BUSY_MS : CALM_MS);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [often]);
}

const onItsWay = ({ state, waiting }: Channel): boolean =>
  state === "opening" || state === "waiting" || state === "doubtful" || (waiting > 0 && state !== "off");

function All(): VNode {
  const channels = useLoad(() => callChannels("channels.list"));
  const pairings = useLoad(() => callChannels("pairings.list"));
  const letters = useLoad(() => callChannels("letters.list"));
  const people = useLoad(() => callPeople("people.list"));
  const again = (): void => (channels.again(), pairings.again(), letters.again());
  const kinds = channels.data?.kinds ?? [];
  // One that was never opened does not know how its platform is called.
  const list = channels.data?.channels.map((one) => ({ ...one, title: kinds.find(({ name }) => name === one.kind)?.title ?? one.title }));
  const { pending = [], paired = [] } = pairings.data ?? {};
  const mark =
    list && pairings.data && letters.data
      ? JSON.stringify([list.map(({ name, state, waiting }) => [name, state, waiting]), pending, paired, letters.data.letters.length])
      : "";
  useAgain(again, mark, pending.length > 0 || (list ?? []).some(onItsWay));
  useEffect(people.again, [paired.length]);
  const asking = pending.map(({ name, from }) => name || from).join(" and ");
  useEffect(() => {
    if (asking !== "") spoken.value = `${asking} ${pending.length === 1 ? "asks" : "ask"} to be let in.`;
  }, [asking]);
  const persons = (people.data?.people ?? []).filter(({ suspended, removing }) => !suspended && !removing);
  const shown = { channels: list ?? [], people: persons, again };
  return (
    <>
      {pending.length > 0 ? <Asking pending={pending} {...shown} /> : null}
      <Connected list={list} kinds={kinds} problem={channels.problem} paired={paired} again={again} />
      {pairings.data && list && (list.length > 0 || paired.length > 0) ? <PairedPeople paired={paired} {...shown} /> : null}
      <Letters list={letters.data?.letters} problem={letters.problem} again={again} />
    </>
  );
}

interface ConnectedProps {
  list: readonly Channel[] | undefined;
  kinds: Parameters<typeof ChannelAdd>[0]["kinds"];
  problem: string;
  paired: Parameters<typeof PairedPeople>[0]["paired"];
  again(): void;
}

function Connected({ list, kinds, problem, paired, again }: ConnectedProps): VNode {
  const [adding, setAdding] = useState(false);
  const close = (): void => {
    setAdding(false);
    document.getElementById("channel-add")?.focus();
    again();
  };
  return (
    <Card
      id="channels-all"
      title="Channels"
      about="Chat apps in which Steward is reached. Each is kept connected by itself; when one does not work for ten minutes, you are told elsewhere."
      aside={
        !list ? null : (
          <button
            type="button"
            id="channel-add"
            class={adding ? "small" : "primary small"}
            aria-expanded={adding}
            onClick={() => setAdding(!adding)}
          >
            Add a channel
          </button>
        )
      }
    >
      {adding && list ? <ChannelAdd kinds={kinds} taken={list.map(({ name }) => name)} close={close} /> : null}
      {list === undefined ? (
        <Waiting problem={problem} />
      ) : list.length === 0 ? (
        adding ? null : (
          <p class="quiet">
            There are none yet. “Add a channel” leads through what has to be done at {titles(kinds)}, tries each token there, and connects.
            Nothing of Steward has to be public for it.
          </p>
        )
      ) : (
        <>
          <p class="quiet" role="status">
            {summary(list)}
          </p>
          <ul class="things">
            {list.map((one) => (
              <ChannelRow
                key={one.name}
                channel={one}
                kind={kinds.find(({ name }) => name === one.kind)}
                paired={paired.filter(({ channel }) => channel === one.name)}
                again={again}
              />
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

const titles = (kinds: ConnectedProps["kinds"]): string =>
  new Intl.ListFormat("en", { type: "disjunction" }).format(kinds.map(({ title: one }) => one)) || "a platform";

/** For the ear too, when it changes. */
function summary(list: readonly Channel[]): string {
  const on = list.filter(({ state }) => state !== "off");
  const good = on.filter((one) => stateOf(one).tone === "good").length;
  if (on.length === 0) return list.length === 1 ? "It is off." : "All are off.";
  if (good === on.length) return good === 1 ? "It works." : "All work.";
  return on.length === 1 ? "It does not work now." : `${good} of ${on.length} work.`;
}
