// What a webhook has brought, as text: by the entry's template, or whole.
import { clip, visible } from "../std/text.ts";

const MOST_TEXT = 20_000;
const MOST_VALUE = 4000;

/** `{{repository.full_name}}` stands for that value of the payload; what is not there is left empty. */
export function worded(body: Uint8Array, template: string | undefined): string {
  const text = new TextDecoder().decode(body);
  const payload = parsed(text);
  if (template !== undefined)
    return clip(
      template.replaceAll(/\{\{\s*([^{}\s]{1,200})\s*\}\}/g, (_, path: string) => valueAt(payload, path)),
      MOST_TEXT,
    );
  return clip(visible(payload === undefined ? text : JSON.stringify(payload, null, 2)), MOST_TEXT);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function valueAt(payload: unknown, path: string): string {
  let value = payload;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return "";
    value = (value as Record<string, unknown>)[key];
  }
  if (value === null || value === undefined) return "";
  return clip(visible(typeof value === "string" ? value : JSON.stringify(value)), MOST_VALUE);
}
