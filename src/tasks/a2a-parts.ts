// What the files of A2A's door share: what was asked, for whom it is answered, and texts in the protocol's form.
import type * as A2A from "@a2a-js/sdk";
import type * as Errors from "@a2a-js/sdk/errors";
import type { Stored } from "../core/events.ts";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";

/** What was asked: where it stands in which log. */
export interface Asked {
  id: string;
  context: string;
  /** Steward's task, one for each context. */
  task: string;
  session: string;
  /** Number of the message in the log. */
  seq: number;
  at: number;
  /** Its caller took it back: what is answered is for nobody. */
  cancelled?: true;
}
export type Sdk = typeof A2A & typeof Errors;
export interface Serving {
  steward: Steward;
  /** With the rights of a token's person, but with nobody there: contained. */
  who: Principal;
  sdk: Sdk;
  /** Ends when the caller goes. */
  signal: AbortSignal;
}
/** As the model sees who asks. */
export const CALLER = "a2a";
/** The turns of this part of a log that the session's own person began: what is said there is not for the caller. */
export const privateTurns = (log: Stored[]): Set<string> =>
  new Set(log.flatMap(({ event }) => (event.type === "turn.started" && event.rights === undefined ? [event.turn] : [])));
/** How far back the log is read for what a caller may see. */
export const LOOK_BACK = 1000;
/** Numbers of the first words in the log of a task: Steward's own, then what was asked. */
export const BRIEF = 3;
/** Of what was asked; no context and no message has ~ in its id. */
export const askedId = (context: string, message: string): string => `${context}~${message}`;
export const textPart = (text: string): A2A.Part => ({
  content: { $case: "text", value: text },
  metadata: undefined,
  filename: "",
  mediaType: "text/plain",
});
export const artifact = (id: string, text: string): A2A.Artifact => ({
  ...{ artifactId: id, name: "", description: "", parts: [textPart(text)], metadata: undefined, extensions: [] },
});
