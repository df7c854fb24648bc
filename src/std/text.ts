// Small pure text tools: clipping, invisible characters, sizes and times in words.

/** Terminal controls, bidi overrides and invisible characters out; tabs and line ends stay. Source: Unicode Cc, Cf. */
export const visible = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(
    /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\u{e0000}|[\u{e0001}-\u{e007f}]/gu,
    "",
  );

/** As `visible`, but hidden characters are shown as `\u{…}` so that a person sees that they are there. */
export const revealed = (text: string): string =>
  Array.from(text, (char) =>
    char === "\n" || char === "\t" || visible(char) === char ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`,
  ).join("");

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

/** A rough token count, four characters to a token. Good enough for windows; never for bills. */
export const tokens = (text: string): number => Math.ceil(text.length / 4);
