// Your messages to chats that were not delivered, or of which nobody knows: sent again or forgotten, each by a button.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callChannels, type Letter } from "../channels-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { When } from "./channel-words.tsx";
import { Icon } from "./icon.tsx";
import { Card, Waiting } from "./load.tsx";

export function Letters({ list, problem, again }: { list: readonly Letter[] | undefined; problem: string; again(): void }): VNode {
  return (
    <Card
      id="channels-letters"
      title="Undelivered"
      about="Your messages to chat apps that did not arrive, or of which nobody can know. Nothing is sent twice by itself."
    >
      {list === undefined ? (
        <Waiting problem={problem} />
      ) : list.length === 0 ? (
        <p class="quiet">Everything that was to be sent to you has arrived.</p>
      ) : (
        <ul class="things">
          {list.map((letter) => (
            <One key={letter.id} letter={letter} again={again} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function One({ letter: { id, channel, chat, at, text, error, unknown }, again }: { letter: Letter; again(): void }): VNode {
  const [busy, setBusy] = useState(false);
  const short = text.trim().replace(/\s+/g, " ").slice(0, 60) || "a message";
  const doing = async (work: Promise<unknown>, said: string): Promise<void> => {
    setBusy(true);
    if ((await telling(work)) !== undefined) toast(said);
    setBusy(false);
    again();
  };
  const forget = async (): Promise<void> => {
    const about = "It is not sent any more. Where it is part of a conversation, it stays there.";
    if (await confirm({ title: "Forget this message?", text: about, action: "Forget", danger: true }))
      await doing(callChannels("letters.remove", { id }), "Forgotten.");
  };
  return (
    <li class="thing channel" aria-label={`To ${channel}: ${short}`}>
      <div class="thing-head">
        <h3>
          To {channel} <span class="quiet">{chat}</span>
        </h3>
        <span class={`channel-state ${unknown ? "warn" : "bad"}`}>
          <Icon name={unknown ? "ask" : "warning"} /> {unknown ? "may have arrived" : "not delivered"}
        </span>
        <div class="actions">
          <button
            type="button"
            class="small"
            disabled={busy}
            aria-label={`Send again: ${short}`}
            onClick={() => void doing(callChannels("letters.resend", { id }), "It is sent again.")}
          >
            Send again
          </button>
          <button type="button" class="small danger" disabled={busy} aria-label={`Forget: ${short}`} onClick={() => void forget()}>
            Forget
          </button>
        </div>
      </div>
      <p class="channel-letter">{text}</p>
      <p class="quiet">
        <When at={at} /> · {error}
      </p>
    </li>
  );
}
