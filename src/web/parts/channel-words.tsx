// How a channel is and what it is called, in words that several parts of the page use.
import type { VNode } from "preact";
import type { Channel } from "../channels-api.ts";
import { shortDate, timeOf, wholeTime } from "../words.ts";
import type { IconName } from "./icon.tsx";

type Tone = "good" | "warn" | "bad" | "calm";

/** The same words for whoever sees and whoever hears. */
export function stateOf({ state, retryAt, missing }: Pick<Channel, "state" | "retryAt" | "missing">): {
  words: string;
  tone: Tone;
  icon: IconName;
} {
  switch (state) {
    case "healthy":
      return { words: "works", tone: "good", icon: "check" };
    case "opening":
      return { words: "connecting", tone: "calm", icon: "pulse" };
    case "waiting":
      return { words: retryAt === undefined ? "tries again" : `tries again at ${timeOf(retryAt)}`, tone: "warn", icon: "retry" };
    case "doubtful":
      return { words: "in doubt", tone: "warn", icon: "ask" };
    case "refused":
      return { words: "refused", tone: "bad", icon: "warning" };
    case "missing":
      return { words: missing.length === 1 ? "a setting is missing" : "settings are missing", tone: "bad", icon: "key" };
    case "elsewhere":
      return { words: "another process has it", tone: "calm", icon: "half" };
    case "off":
      return { words: "off", tone: "calm", icon: "stop" };
  }
}

export const When = ({ at }: { at: number }): VNode => (
  <time dateTime={new Date(at).toISOString()} title={wholeTime(at)}>
    {shortDate(at)}
  </time>
);

export const titleOf = ({ name, kind, title }: Pick<Channel, "name" | "kind" | "title">): string =>
  name === kind ? title : `${title} (${name})`;

/** Programs call it, each with its signature: there is nobody to let in. */
export const isHook = ({ kind }: Pick<Channel, "kind">): boolean => kind === "webhook";
