// What people send that is neither words nor a file, such as a place or a sticker, put into words.
import { oneLine } from "../std/text.ts";

const MOST = 500;

/** "(Location: 52.5, 13.4)". */
export const inWords = (what: string, ...said: (string | number | undefined)[]): string =>
  `(${what}: ${oneLine(said.filter((one) => one !== undefined && one !== "").join(", "), MOST)})`;

export const pollInWords = (question: string, answers: string[]): string => inWords("Poll", question, answers.join(" / "));
