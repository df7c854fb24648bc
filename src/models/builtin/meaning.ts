// What a request can mean, and what is known when it is read. Types only.

export interface Result {
  success: boolean;
  output: unknown;
  error: string | null;
}
export interface Call {
  tool: string;
  input: Record<string, unknown>;
  /** How its result is told when that differs from the tool's usual way, such as "disk" or "count". */
  view?: string;
  /** What follows from the result; undefined: the result is told as usual. */
  then?(result: Result): Meaning | undefined;
}
export type Meaning =
  | { calls: Call[] }
  /** `unclear`: nothing was understood, so nothing after it is done either. */
  | { say: string; unclear?: true }
  /** A word is missing. `verbatim`: whatever comes next is the answer; else only what is not a request of its own. */
  | { ask: string; then(answer: string): Meaning | undefined; verbatim?: true };

/** One part of a message: quoted texts stand in it as tokens. */
export interface Request {
  /** Without polite openings. */
  text: string;
  /** `text` without polite endings and closing punctuation. */
  plain: string;
  /** Tokens back to the words inside the quotes. */
  value(text: string): string;
  /** Tokens back to the words with their quotes, as they were typed. */
  typed(text: string): string;
}
/** What earlier parts handled last, and where and when the person is. */
export interface Known {
  file?: string;
  folder?: string;
  now: number;
  zone: string;
}
export type Rule = (request: Request, known: Known) => Meaning | undefined;

export const one = (tool: string, input: Record<string, unknown>, view?: string): Meaning => ({
  calls: [{ tool, input, ...(view ? { view } : {}) }],
});
