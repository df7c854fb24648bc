// What is sent of a message: pieces that fit, with the buttons at the last of them, then its files.
import type { Channel, Outgoing } from "../core/channel.ts";
import { fileBytes, filePart } from "../run/files.ts";
import type { Queued } from "../run/outbox.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode } from "../std/error.ts";
import { bytes as sizeOf, clip } from "../std/text.ts";
import { fitsIn, pieces } from "./pieces.ts";

export type Parcel = () => Promise<Outgoing>;

/** The text in pieces, the buttons at the last of them, then the files; the same each time. Where there are no buttons, their words are typed. */
export function parcelsOf(steward: Steward, channel: Channel, { person, text, buttons = [], files = [] }: Queued): Parcel[] {
  const shown = channel.limits.buttons >= buttons.length ? buttons : [];
  const typed = buttons.length > shown.length ? `\n\nAnswer with one of: ${buttons.map(({ label }) => label).join(", ")}.` : "";
  const texts = pieces(`${text}${typed}`, fitsIn(channel));
  return [
    ...texts.map((one, at): Parcel => {
      const last = at === texts.length - 1 && shown.length > 0;
      return async () => ({ text: one, ...(last ? { buttons: shown } : {}) });
    }),
    ...files.map(
      (id): Parcel =>
        () =>
          fileParcel(steward, channel, { person, id }),
    ),
  ];
}

/** A file that is gone is named; the rest goes out all the same. */
async function fileParcel(steward: Steward, channel: Channel, { person, id }: { person: string; id: string }): Promise<Outgoing> {
  const who = { person, role: "guest", via: "channel" } as const;
  const file = await filePart(steward, who, id).catch(unlessGone);
  if (!file) return { text: "A file that belongs here is gone." };
  const { name, mime, size } = file;
  if (size > channel.limits.file)
    return { text: `The file "${name}" (${sizeOf(size)}) is too large to be sent here. It is on Steward's page.` };
  const bytes = await fileBytes(steward, who, id).catch(unlessGone);
  return bytes ? { text: "", file: { name, mime, bytes } } : { text: `The file "${name}" is gone.` };
}

/** What the platform surely refuses is named; the rest goes out all the same. */
export const withoutFile = ({ file, ...rest }: Outgoing, why: string): Outgoing =>
  file ? { ...rest, text: `The file "${file.name}" could not be sent here (${clip(why, 300)}). It is on Steward's page.` } : rest;

function unlessGone(error: unknown): undefined {
  if (!hasCode(error, "not_found") && (error as { code?: unknown } | null)?.code !== "ENOENT") throw error;
}
