// What a model streams, as blocks one after the other: pieces that come interleaved wait until those before them are whole.
import type { LanguageModelV4StreamPart, SharedV4ProviderOptions } from "@ai-sdk/provider";
import { newId } from "../std/id.ts";
import type { Thought } from "./parts.ts";

export interface Block {
  kind: "text" | "thinking" | "call";
  /** The call's. */
  id: string;
  name: string;
  /** What was said; of a call the JSON of its arguments. */
  text: string;
  /** Its end, that was not told yet: cutting it out of a growing text would copy all of it each time. */
  fresh: string;
  meta?: SharedV4ProviderOptions;
  done: boolean;
}
export type Step =
  | { type: "open"; block: Block; index: number }
  | { type: "more"; block: Block; index: number; text: string }
  | { type: "close"; block: Block; index: number };
export interface Blocks {
  /** What can be told now. */
  take(part: LanguageModelV4StreamPart): Step[];
  /** Closes what is open. */
  end(): Step[];
  all(): Block[];
}

/** Calls get ids of Steward's own: some providers begin to count anew with each answer. */
export function openBlocks(prefix: "toolu" | "call"): Blocks {
  const order: Block[] = [];
  const known = new Map<string, Block>();
  const state = { at: 0, index: 0, opened: false };
  const begin: Begin = (key, block) => {
    const id = block.kind === "call" ? newId(prefix) : block.id;
    const made: Block = { ...block, id, text: "", fresh: "", done: false };
    order.push(made);
    known.set(key, made);
    return made;
  };
  const flush = (): Step[] => {
    const steps: Step[] = [];
    for (let block = order[state.at]; block; block = order[state.at]) {
      const { index } = state;
      if (!state.opened && (block.text !== "" || (block.kind === "call" && block.done))) {
        state.opened = true;
        steps.push({ type: "open", block, index });
      }
      if (block.fresh !== "") steps.push({ type: "more", block, index, text: block.fresh });
      block.fresh = "";
      if (!block.done) return steps;
      if (state.opened) {
        steps.push({ type: "close", block, index });
        state.index++;
      }
      Object.assign(state, { at: state.at + 1, opened: false });
    }
    return steps;
  };
  return {
    take(part) {
      put(part, known, begin);
      return flush();
    },
    end() {
      for (const block of order) block.done = true;
      return flush();
    },
    all: () => order.filter(({ kind, text, meta }) => kind === "call" || text !== "" || (kind === "thinking" && meta !== undefined)),
  };
}

type Begin = (key: string, block: Pick<Block, "kind" | "id" | "name">) => Block;

function put(part: LanguageModelV4StreamPart, known: Map<string, Block>, begin: Begin): void {
  switch (part.type) {
    case "text-start":
      return void begin(`text ${part.id}`, { kind: "text", id: part.id, name: "" });
    case "text-delta":
      return more(known.get(`text ${part.id}`) ?? begin(`text ${part.id}`, { kind: "text", id: part.id, name: "" }), part.delta);
    case "text-end":
      return close(known.get(`text ${part.id}`), undefined);
    case "reasoning-start":
      return learn(begin(`think ${part.id}`, { kind: "thinking", id: part.id, name: "" }), part.providerMetadata);
    case "reasoning-delta": {
      const block = known.get(`think ${part.id}`) ?? begin(`think ${part.id}`, { kind: "thinking", id: part.id, name: "" });
      learn(block, part.providerMetadata);
      return more(block, part.delta);
    }
    case "reasoning-end":
      return close(known.get(`think ${part.id}`), part.providerMetadata);
    case "tool-input-start":
      return void begin(`call ${part.id}`, { kind: "call", id: part.id, name: part.toolName });
    case "tool-input-delta":
      return more(known.get(`call ${part.id}`), part.delta);
    case "tool-call": {
      const block =
        known.get(`call ${part.toolCallId}`) ??
        begin(`call ${part.toolCallId}`, { kind: "call", id: part.toolCallId, name: part.toolName });
      if (part.input.startsWith(block.text)) more(block, part.input.slice(block.text.length));
      return close(block, part.providerMetadata);
    }
    default:
  }
}

function more(block: Block | undefined, text: string): void {
  if (!block || block.done) return;
  block.text += text;
  block.fresh += text;
}
function close(block: Block | undefined, meta: SharedV4ProviderOptions | undefined): void {
  if (!block) return;
  learn(block, meta);
  block.done = true;
}
function learn(block: Block, meta: SharedV4ProviderOptions | undefined): void {
  if (meta) block.meta = { ...block.meta, ...meta };
}

/** What has to come back with these calls; undefined where there is nothing. */
export function thoughtOf(blocks: Block[]): Thought | undefined {
  const thinking = blocks.filter(({ kind }) => kind === "thinking").map(({ text, meta }) => ({ text, ...(meta ? { meta } : {}) }));
  const calls = Object.fromEntries(blocks.flatMap(({ kind, id, meta }) => (kind === "call" && meta ? [[id, meta]] : [])));
  return thinking.length > 0 || Object.keys(calls).length > 0 ? { thinking, calls } : undefined;
}
