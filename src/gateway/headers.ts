// The headers that every answer carries, and the stricter ones for bytes that people or tools made.

export const SECURITY: Record<string, string> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "x-frame-options": "DENY",
};

/** Shown in place; everything else is a download. */
const INERT = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"]);

/** For a stored file or an export: `mime` was found from the content. An active type becomes a download of plain bytes. */
export function fileHeaders({ name, mime, download = false }: { name: string; mime: string; download?: boolean }): Record<string, string> {
  const type =
    INERT.has(mime) || mime === "application/json" || mime === "text/markdown" || mime === "application/pdf"
      ? mime
      : "application/octet-stream";
  const shown = INERT.has(mime) && !download;
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const full = encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return {
    "content-type": type.startsWith("text/") ? `${type}; charset=utf-8` : type,
    "content-disposition": `${shown ? "inline" : "attachment"}; filename="${ascii}"; filename*=UTF-8''${full}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-store",
  };
}
