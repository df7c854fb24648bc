// The turns whose doors are open, found by their keys. A key is worth something for its turn, by its own way, and while the turn runs.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { DoorsOrder } from "../run/doors.ts";
import type { Thought } from "./parts.ts";
import { newWatch, type Watch } from "./watch.ts";
import type { ToolDoor } from "./tools.ts";

/** By which way a request came: this machine's loopback, or the proxy of a person's computer. */
export type Way = { reach: "direct" } | { reach: "proxy"; person: string };
export interface OpenTurn {
  order: DoorsOrder;
  watch: Watch;
  /** Aborts when the turn ends. */
  over: AbortSignal;
  /** Requests to a model that are under way. */
  running: number;
  /** Requests to its tools that are under way. */
  calling: number;
  /** What thinking belongs to a call, for wires that do not carry it: by the call's id. */
  thoughts: Map<string, Thought>;
  tools?: Promise<ToolDoor>;
}
interface Entry {
  hash: Buffer;
  turn: OpenTurn;
  end: AbortController;
}
export interface Turns {
  open(order: DoorsOrder): { key: string; turn: OpenTurn; close(): void };
  /** Undefined for a key that is nothing here: made up, of another way or person, of a turn that is over. */
  find(key: string | undefined, way: Way): OpenTurn | undefined;
  close(): void;
}

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();

export function openTurns(limits: () => { now(): number; most: number }): Turns {
  const entries = new Map<string, Entry>();
  return {
    open(order) {
      const key = `sk-steward-${randomBytes(36).toString("base64url")}`;
      const hash = hashOf(key);
      const name = hash.toString("hex");
      const end = new AbortController();
      const turn: OpenTurn = { order, watch: newWatch(limits()), over: end.signal, running: 0, calling: 0, thoughts: new Map() };
      entries.set(name, { hash, turn, end });
      const close = (): void => {
        entries.delete(name);
        end.abort();
        void turn.tools?.then((tools) => tools.close()).catch(() => {});
      };
      return { key, turn, close };
    },
    find(key, way) {
      if (key === undefined || key.length > 200) return undefined;
      const hash = hashOf(key);
      const entry = entries.get(hash.toString("hex"));
      if (entry === undefined || !timingSafeEqual(entry.hash, hash)) return undefined;
      const { order } = entry.turn;
      if (order.reach !== way.reach) return undefined;
      return way.reach === "proxy" && order.principal.person !== way.person ? undefined : entry.turn;
    },
    close() {
      for (const { end } of entries.values()) end.abort();
      entries.clear();
    },
  };
}
