// Small pure text tools: clipping, invisible characters, sizes and times in words.

/** Terminal sequences, control, bidi and other invisible characters. A joiner or an emoji style that is part of an emoji is none. */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex, no-misleading-character-class
  /\u001b\[[0-?]*[ -\/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[[\p{Cc}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]--[\t\n\r]--\u200d--\ufe0f]|(?<!\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d|\u200d(?!\p{Extended_Pictographic})|(?<!\p{Extended_Pictographic}|[#*0-9](?=\ufe0f\u20e3))\ufe0f/gv;

/** All that takes part in the text and is not seen, or is seen as something else: also odd blanks and a return that overwrites a line. */
const HIDING = /\r(?!\n)|[[\p{Cc}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufff9-\ufffb]--[\t\n\r ]]/gv;

/** For text that is read: what can't be seen is taken out; tabs, line ends and emoji stay. */
export const visible = (text: string): string => text.replace(UNSEEN, "");

/** For text that is decided on: each hidden character is shown as `\u{…}`, those inside emoji too, so that a person sees all that is there. */
export const revealed = (text: string): string => text.replace(HIDING, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);

/** The first and last part of `text` with a line between that says how many characters are missing. */
export function clip(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = Math.ceil(limit * 0.7);
  const tail = limit - head;
  return `${text.slice(0, head)}\n… (${text.length - limit} characters left out) …\n${tail > 0 ? text.slice(-tail) : ""}`;
}

export const oneLine = (text: string, limit = 80): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1)}…`;
};

/** 1536 → "1.5 KB". */
export function bytes(count: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1).replace(/\.0$/, "")} ${units[step]}`;
}

/** A rough token count: four characters of ASCII to a token, two of Latin, Greek, Cyrillic, Hebrew or Arabic letters, each of the rest. Good enough for windows; never for bills. */
export function tokens(text: string): number {
  let quarters = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    quarters += code < 0x80 ? 1 : code < 0x900 ? 2 : 4;
  }
  return Math.ceil(quarters / 4);
}
