// A line of shell read into its simple commands and their words. What a command is allowed to do is judged elsewhere.

export interface SimpleCommand {
  words: string[];
  /** What is known to arrive on its standard input: a here-string, or the words of an echo before the pipe. */
  input: string;
}

interface Reading {
  commands: SimpleCommand[];
  /** Commands in $(…) and `…` of a quoted word. */
  inner: SimpleCommand[];
  word: string | undefined;
  hereString: boolean;
}

/** Also those inside $(…), `…`, ( … ) and { … }. Tolerant: never throws; linear in the line. */
export function simpleCommands(line: string): SimpleCommand[] {
  const state: Reading = { commands: [{ words: [], input: "" }], inner: [], word: undefined, hereString: false };
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    const next = line[at + 1];
    if (char === "\\") add(state, line[++at] ?? "");
    else if (char === "'") {
      const end = closing(line, at + 1, "'");
      add(state, line.slice(at + 1, end));
      at = end;
    } else if (char === '"') at = addQuoted(state, line, at + 1);
    else if (char === "$" && (next === "'" || next === '"')) continue;
    else if (char === "#" && state.word === undefined) at = closing(line, at, "\n") - 1;
    else if (line.startsWith("<<<", at)) {
      endWord(state);
      state.hereString = true;
      at += 2;
    } else if (char === "|" && next !== "|") pipe(state);
    else if (";&|\n()`".includes(char) || (char === "$" && next === "(") || isBrace(line, at, state.word)) endCommand(state);
    else if (/[\s<>]/.test(char)) endWord(state);
    else add(state, char);
  }
  endWord(state);
  return [...state.inner, ...state.commands].filter(({ words }) => words.length > 0);
}

/** A brace is a word of its own or it is text, as in `{}` and `${HOME}`. */
const isBrace = (line: string, at: number, word: string | undefined): boolean =>
  word === undefined && (line[at] === "{" || line[at] === "}") && /[\s;&|()]/.test(line[at + 1] ?? " ");

function add(state: Reading, text: string): void {
  state.word = (state.word ?? "") + text;
}

/** Returns where the closing quote is. */
function addQuoted(state: Reading, line: string, from: number): number {
  const end = closingDouble(line, from);
  const text = line.slice(from, end);
  add(state, text.replace(/\\(["\\$`])/g, "$1"));
  const program = text.search(/\$\(|`/);
  if (program >= 0) for (const command of simpleCommands(text.slice(program))) state.inner.push(command);
  return end;
}

function endWord(state: Reading): void {
  const { word, hereString } = state;
  if (word === undefined) return;
  const current = state.commands.at(-1)!;
  if (hereString) current.input += `\n${word}`;
  else current.words.push(word);
  state.word = undefined;
  state.hereString = false;
}

function endCommand(state: Reading, input = ""): void {
  endWord(state);
  if (state.commands.at(-1)!.words.length > 0) state.commands.push({ words: [], input });
}

function pipe(state: Reading): void {
  endWord(state);
  endCommand(state, printed(state.commands.at(-1)!.words));
}

/** The words of echo and printf as lines that a shell would read: together, without the first, and each by itself. */
function printed([name, ...words]: string[]): string {
  if (name !== "echo" && name !== "printf") return "";
  return [...new Set([words.join(" "), words.slice(1).join(" "), ...words])].join("\n").replaceAll("\\n", "\n");
}

function closing(line: string, from: number, mark: string): number {
  const end = line.indexOf(mark, from);
  return end < 0 ? line.length : end;
}

function closingDouble(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (line[at] === '"') return at;
  }
  return line.length;
}
