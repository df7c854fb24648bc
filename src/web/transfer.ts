// Files on their way to Steward, loaded with the first of them.
import type { Uploaded } from "../client/upload.ts";
import { WHOLE_BYTES } from "../client/whole.ts";
import { StewardError, type Code } from "../std/error.ts";
import { PROOF, request } from "./api.ts";
import { proof } from "./proof.ts";

/** In one request by XMLHttpRequest, because fetch tells nothing about the progress of what is sent; large files in pieces, which go on after a broken connection. */
export const upload = (file: File, more: Progress): Promise<Uploaded> =>
  file.size > WHOLE_BYTES
    ? pieces(file, more)
    : transfer(`POST /api/files?name=${encodeURIComponent(file.name.slice(0, 200) || "file")}`, file, more);

async function pieces(file: File, { signal, progress }: Progress): Promise<Uploaded> {
  const { upload: send } = await import("../client/upload.ts");
  return send({ request }, file, { signal, onProgress: (sent, total) => progress(sent / total) });
}

export interface Progress {
  signal: AbortSignal;
  progress(share: number): void;
}

export function transfer<T>(to: string, file: Blob, more: Progress): Promise<T> {
  const [method = "", url = ""] = to.split(" ");
  return new Promise((resolve, reject) => {
    more.signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.setRequestHeader("content-type", file.type || "application/octet-stream");
    request.setRequestHeader(PROOF, proof());
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && more.progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 200) return resolve(request.response as T);
      const { error } = (request.response ?? {}) as { error?: { code: Code; message: string; hint?: string } };
      reject(
        new StewardError(
          error?.code ?? "internal",
          error?.message ?? `The upload failed (${request.status}).`,
          error?.hint ? { hint: error.hint } : {},
        ),
      );
    };
    request.onerror = () => reject(new StewardError("unavailable", "The upload broke off."));
    request.onabort = () => reject(new StewardError("unavailable", "The upload was stopped."));
    more.signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}
