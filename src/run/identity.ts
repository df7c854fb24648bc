// What Steward goes by and people or the agent itself may change: identity files, skills, some settings. Here is what the rest needs of it; how it is kept is src/skills.
import type { Computer } from "../core/computer.ts";
import type { Change, Principal, ToolCall } from "../core/types.ts";
import type { Scope } from "./approval.ts";

export const IDENTITY = ["SOUL.md", "USER.md", "MEMORY.md", "HEARTBEAT.md", "TOOLS.md"] as const;
export type IdentityName = (typeof IDENTITY)[number];
export type OwnChange = Extract<Change, { type: "own" }>;

/** A wish of the agent: `new` takes the place of `old`, or of the whole; without it the whole goes. */
export interface Proposal {
  /** "SOUL.md", "skills/NAME/FILE", or a key of the configuration. */
  target: string;
  new?: string;
  old?: string;
}
/** A call as the gate sees it. */
export interface Wish {
  scope: Scope;
  tool: string;
  call: ToolCall;
  input: Record<string, unknown>;
  computer: Computer;
  /** Changes something, or leaves the machine. */
  acts: boolean;
}

/** What a call needs a person for before it may run. */
export interface Need {
  scope: string;
  prompt: string;
  /** The widest answer that counts: this once, for this task, or lasting. */
  lasts: "once" | "task" | "scope";
  /** Which of the call's paths it is about, where there are two. */
  field?: string;
  /** What the person sees, where that says more than the call itself. */
  shows?: string;
}

export interface Own {
  /** Folder of the skills that come with Steward, "" when there is none. */
  bundled: string;
  /** Sections of the instructions, each with its name; none is empty. Changes hold from the next turn on. */
  sections(who: Principal): Promise<{ name: string; text: string }[]>;
  /** The text of an identity file that holds. */
  holds(who: Principal, name: IdentityName): Promise<string>;
  /** Runs a command of an agent. What changes meanwhile in places that Steward goes by holds only when the person says so. */
  during<T>(who: Principal, computer: Computer, work: () => Promise<T>): Promise<T>;
  /** What this call needs a person for, with what is to be shown. Throws denied and invalid. */
  needs(wish: Wish): Promise<Need[]>;
  /** Makes what was proposed hold at once. Throws conflict when it is no longer what was granted. */
  change(scope: Scope, call: ToolCall, how: { proposal: Proposal; granted: string[] }): Promise<{ target: string; undo: string }>;
  /** Text of a skill that is on, or of one of its files; its other files then lie in the person's computer. Throws not_found, with those that fit. */
  skill(who: Principal, name: string, file?: string): Promise<unknown>;
  /** The way back of a change. */
  restore(who: Principal, change: OwnChange): Promise<void>;
  /** Once all computers have ended: what commands did last is looked at. */
  close(): Promise<void>;
}

/** The same computer for programs that nobody sees at work: all that runs in it counts as a command of an agent. */
export const watched = (own: Own, who: Principal, computer: Computer): Computer => ({
  ...computer,
  exec: (command, options) => own.during(who, computer, () => computer.exec(command, options)),
});

/** For tests and parts that need none. */
export const noOwn: Own = {
  bundled: "",
  sections: async () => [],
  holds: async () => "",
  during: (_who, _computer, work) => work(),
  needs: async () => [],
  change: () => Promise.reject(new Error("nothing can be changed here")),
  skill: () => Promise.reject(new Error("there are no skills here")),
  restore: () => Promise.reject(new Error("nothing can be changed here")),
  close: async () => {},
};
