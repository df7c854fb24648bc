// Tells a turn on a screen as it happens: text line by line, tools in one line, notices, plans, and how it ended.
import type { LiveEvent } from "../core/events.ts";
import type { Item } from "../core/types.ts";
import { bytes, clip, oneLine } from "../std/text.ts";
import { renderer, unrendered } from "./markdown.ts";
import { bold, dim, green, red, yellow } from "./output.ts";
import type { Screen } from "./screen.ts";
import { callText, endText } from "./tool-line.ts";
import type { Ended } from "./turn.ts";

export interface Teller {
  piece(item: string, text: string, at: number): void;
  /** Output of a running tool. */
  output(text: string): void;
  started(item: Item): void;
  item(item: Item): void;
  waiting(live: LiveEvent & { type: "turn.waiting" }): void;
  ended(ended: Ended): void;
}

const THINKING = "… thinking";

export function openTeller(screen: Screen): Teller {
  const text = growingText(screen);
  const work = { call: "" };
  return {
    piece(item, piece, at) {
      screen.state("");
      text.piece(item, piece, at);
    },
    output: (piece) => {
      const last = piece.trimEnd().split("\n").at(-1)!;
      if (work.call && last) screen.state(dim(`… ${work.call}  ${oneLine(last, 60)}`));
    },
    started(item) {
      if (item.kind !== "tool") return;
      work.call = callText(item.call);
      screen.state(dim(`… ${work.call}`));
    },
    item(item) {
      if (item.kind === "step") return;
      if (item.kind === "text") text.whole(item.id, item.text);
      else for (const line of linesOf(item)) screen.note(line);
      screen.state(item.kind === "text" ? "" : dim(THINKING));
    },
    waiting({ on, until, text: why }) {
      const when = until ? ` until ${new Date(until).toLocaleTimeString()}` : "";
      if (on === "model") screen.state(dim(why ? `… ${why}` : THINKING));
      if (on === "retry" && screen.live) screen.state(yellow(`… waiting${when}${why ? `: ${oneLine(why, 100)}` : ""}`));
      else if (on === "retry") screen.note(yellow(`waiting${when}${why ? `: ${why}` : ""}`));
    },
    ended({ stop, error }) {
      text.end();
      screen.state("");
      if (stop === "cancelled") screen.note(dim("Stopped."));
      if (stop === "length") screen.note(yellow("The answer was cut off: the model reached its longest answer."));
      if (stop === "refusal") screen.note(yellow("The model declined to answer."));
      if (stop === "limit" && !error)
        screen.note(yellow("Stopped at the limit of rounds for one request. Say “go on” to let it continue."));
      if (error) screen.note(red(`${error.message}${error.hint ? `\n${error.hint}` : ""}`));
    },
  };
}

function linesOf(item: Item): string[] {
  if (item.kind === "tool") return [endText(item)];
  if (item.kind === "notice") return [(item.level === "error" ? red : item.level === "warning" ? yellow : dim)(item.text)];
  if (item.kind === "plan")
    return item.entries.map(({ text, state }) =>
      state === "done" ? `${green("☑")} ${dim(text)}` : state === "active" ? `${yellow("▸")} ${bold(text)}` : `☐ ${text}`,
    );
  if (item.kind === "file") return [`${dim("file")} ${item.file.name} ${dim(`(${bytes(item.file.size)}, id ${item.file.id})`)}`];
  return [];
}

/** Whole lines are printed once; the last, unfinished one is shown growing. What a new attempt says differently is told anew. */
function growingText(screen: Screen) {
  const fresh = (): ReturnType<typeof renderer> => (screen.styles ? renderer() : unrendered());
  const now = { item: "", text: "", printed: 0, render: fresh() };
  const begin = (item: string): void => {
    end();
    Object.assign(now, { item, text: "", printed: 0, render: fresh() });
  };
  const advance = (last: boolean): void => {
    const stop = last ? now.text.length : now.text.lastIndexOf("\n") + 1;
    const lines = now.text.slice(now.printed, stop).replace(/\n$/, "");
    if (stop > now.printed) {
      screen.grow("");
      for (const line of lines.split("\n")) screen.print(now.render.line(line), now.render.inCode());
    }
    now.printed = stop;
    if (screen.live) screen.grow(last ? "" : now.render.peek(clip(now.text.slice(stop), 4000)));
  };
  const end = (): void => {
    if (now.text.length > now.printed) advance(true);
    now.item = "";
  };
  return {
    end,
    piece(item: string, piece: string, at: number) {
      if (!screen.live) return;
      if (now.item !== item) {
        if (at > 0) return; // its beginning was missed: the whole comes
        begin(item);
      }
      if (at < now.printed) {
        screen.grow("");
        screen.note(dim("(the model began again)"));
        Object.assign(now, { printed: 0, text: "", render: fresh() });
      }
      now.text = now.text.slice(0, at) + piece;
      advance(false);
    },
    whole(item: string, text: string) {
      if (now.item !== item || !text.startsWith(now.text.slice(0, now.printed))) begin(item);
      now.text = text;
      advance(true);
      now.item = "";
    },
  };
}
