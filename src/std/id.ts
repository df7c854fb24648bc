// Sortable, prefixed ids: `msg_0lq3…`. Sort order is creation order within one process.
const last = { at: 0 };

/** Whether an id was made with this prefix. */
export const isOf = (prefix: string, id: string): boolean => id.startsWith(`${prefix}_`);

export function newId(prefix: string): string {
  last.at = Math.max(last.at + 1, Date.now() * 1000);
  return `${prefix}_${last.at.toString(36).padStart(11, "0")}${randomText(5)}`;
}

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** `length` characters of a–z and 0–9 from the system's random source, about 5.17 bits each. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length)
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2)))
      if (byte < 252 && text.length < length) text += ALPHABET[byte % 36];
  return text;
}
