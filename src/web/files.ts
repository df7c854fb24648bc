// Files of the server: fetched with the proof, which no link and no picture can carry, and then handed to the browser.
import { request } from "./api.ts";
import { telling } from "./notices.ts";

/** What the browser only shows; everything else is saved, since a blob's page would be one of Steward's own. */
const shown = /^(image\/(png|jpeg|gif|webp)|text\/plain)\b/;
const KEPT_MS = 60_000;
const MOST_PICTURES = 60;

export const fileAddress = (id: string): string => `/api/files/${encodeURIComponent(id)}`;

/** Shows it in a tab of its own, or saves it. */
export async function openFile(address: string): Promise<void> {
  const found = await telling(request(address).then(async (answer) => ({ blob: await answer.blob(), how: dispositionOf(answer) })));
  if (!found) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(found.blob);
  if (found.how.inline && shown.test(found.blob.type)) Object.assign(link, { target: "_blank", rel: "noopener" });
  else link.download = found.how.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}

function dispositionOf({ headers }: Response): { inline: boolean; name: string } {
  const text = headers.get("content-disposition") ?? "";
  const name = /filename\*=UTF-8''([^;]+)/.exec(text)?.[1];
  return { inline: text.startsWith("inline"), name: name ? decodeURIComponent(name) : "file" };
}

const pictures = new Map<string, Promise<string | undefined>>();

/** The address of a picture that the page may show; undefined when it can't be had. The newest are kept, so scrolling does not fetch them again. */
export function picture(address: string): Promise<string | undefined> {
  const known =
    pictures.get(address) ??
    request(address)
      .then(async (answer) => URL.createObjectURL(await answer.blob()))
      .catch(() => void pictures.delete(address));
  pictures.delete(address);
  pictures.set(address, known);
  for (const [old, made] of pictures) {
    if (pictures.size <= MOST_PICTURES) break;
    pictures.delete(old);
    void made.then((url) => url && URL.revokeObjectURL(url));
  }
  return known;
}
