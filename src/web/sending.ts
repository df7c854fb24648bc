// What the person is about to say: drafts with files, one per session, and messages that are on their way.
import { effect, signal, type Signal } from "@preact/signals";
import type { Part } from "../core/types.ts";
import { messageOf } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Uploaded } from "../client/upload.ts";
import { call, request } from "./api.ts";
import { makeSession, refreshSoon } from "./sessions.ts";
import { sayFailure, telling } from "./notices.ts";
import { go } from "./router.ts";
import { connection, view } from "./session.ts";

export interface Attachment {
  key: string;
  name: string;
  size: number;
  mime: string;
  /** A blob: address for pictures. */
  preview?: string;
  share: number;
  file?: Uploaded;
  problem?: string;
  stop: AbortController;
}
export interface Draft {
  text: Signal<string>;
  files: Signal<readonly Attachment[]>;
}
/** A message that the log does not hold yet. */
export interface Pending {
  key: string;
  /** NEW while its session is being made. */
  session: string;
  at: number;
  parts: Part[];
  problem?: string;
}

/** The session to come. */
export const NEW = "";
const drafts = new Map<string, Draft>();
export const pending = signal<readonly Pending[]>([]);

/** The draft of a session, or of the session to come. */
export function draftOf(session: string | undefined): Draft {
  const name = session ?? NEW;
  const draft = drafts.get(name) ?? { text: signal(""), files: signal<readonly Attachment[]>([]) };
  drafts.set(name, draft);
  return draft;
}

export function attach(draft: Draft, files: Iterable<File>): void {
  for (const file of files) {
    const one: Attachment = {
      key: newId("key"),
      name: file.name || "pasted file",
      size: file.size,
      mime: file.type,
      share: 0,
      stop: new AbortController(),
    };
    if (/^image\/(png|jpeg|gif|webp|avif)$/.test(file.type)) one.preview = URL.createObjectURL(file);
    draft.files.value = [...draft.files.value, one];
    const change = (more: Partial<Attachment>): void => {
      draft.files.value = draft.files.value.map((other) => (other.key === one.key ? { ...other, ...more } : other));
    };
    const sent = import("./transfer.ts").then(({ upload }) =>
      upload(file, { signal: one.stop.signal, progress: (share) => change({ share }) }),
    );
    sent.then(
      (uploaded) => change({ file: uploaded, share: 1 }),
      (error: unknown) => change({ problem: messageOf(error) }),
    );
  }
}

export function detach(draft: Draft, key: string): void {
  const gone = draft.files.value.find((one) => one.key === key);
  draft.files.value = draft.files.value.filter((one) => one.key !== key);
  gone?.stop.abort();
  if (gone?.file) void request(`/api/documents/${gone.file.id}`, { method: "DELETE" }).catch(() => {}); // it stays in the list of documents then
  if (gone?.preview) URL.revokeObjectURL(gone.preview);
}

/** Sends the draft; without a session one is made first, and what is written meanwhile stays in the field. */
export async function sendDraft(session: string | undefined): Promise<void> {
  const draft = draftOf(session);
  const text = draft.text.value.trim();
  const attached = draft.files.value;
  const files = attached.flatMap(({ file }) => (file ? [file] : []));
  if (!text && files.length === 0) return;
  if (!session && pending.value.some((one) => one.session === NEW)) return;
  const parts: Part[] = [...(text ? [{ type: "text" as const, text }] : []), ...files.map((file) => ({ type: "file" as const, ...file }))];
  const key = newId("key");
  draft.text.value = "";
  draft.files.value = [];
  try {
    const to = session ?? (await freshSession({ key, session: NEW, at: Date.now(), parts }, draft));
    for (const { preview } of attached) if (preview) URL.revokeObjectURL(preview);
    await say(to, parts, { key, ready: session ? undefined : listening(to) });
  } catch (error) {
    dropPending(key);
    draft.text.value = `${text}\n${draft.text.value}`.trim();
    draft.files.value = [...attached, ...draft.files.value];
    sayFailure(error);
  }
}

/** Its first message is shown before it is there; the rest of the draft goes on in it. */
async function freshSession(first: Pending, draft: Draft): Promise<string> {
  pending.value = [...pending.value, first];
  const { id } = await makeSession();
  drafts.delete(NEW);
  drafts.set(id, draft);
  go(`/s/${id}`);
  return id;
}

/** Shown at once, sent when `ready`, told apart from its echo by the key: the same key twice is one message. */
export async function say(
  session: string,
  parts: Part[],
  { key = newId("key"), ready }: { key?: string; ready?: Promise<void> | undefined } = {},
): Promise<void> {
  const rest = pending.value.filter((one) => one.key !== key);
  pending.value = [...rest, { key, session, at: Date.now(), parts }];
  await ready;
  const body = { key, parts: parts.map((part) => (part.type === "text" ? part : { type: "file" as const, id: part.id })) };
  try {
    const { reply } = await call("sessions.say", { params: { id: session }, body });
    refreshSoon();
    if (reply?.session) go(`/s/${reply.session}`);
  } catch (error) {
    pending.value = pending.value.map((one) => (one.key === key ? { ...one, problem: messageOf(error) } : one));
  }
}

export const sayAgain = (one: Pending): Promise<void> => say(one.session, one.parts, { key: one.key });

export function dropPending(key: string): void {
  pending.value = pending.value.filter((one) => one.key !== key);
}

/** From now on, messages that the log holds are no longer on their way. */
export function settlePending(): void {
  effect(() => {
    const now = view.value;
    const waiting = pending.value;
    if (!now || waiting.length === 0) return;
    const here = new Set(now.entries.flatMap((entry) => (entry.kind === "message" && entry.key ? [entry.key] : [])));
    const left = waiting.filter(({ session, key }) => session !== now.session || !here.has(key));
    if (left.length < waiting.length) pending.value = left;
  });
}

const PATIENCE_MS = 1500;

/** Resolves when this session's stream stands, so that the first words of the answer are not missed, or after a moment. */
function listening(session: string): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    const stop = effect(() => {
      if (view.value?.session !== session || connection.value !== "connected") return;
      clearTimeout(timer);
      resolve();
    });
    setTimeout(stop, PATIENCE_MS);
  });
}

export async function cancel(session: string): Promise<void> {
  await telling(call("sessions.cancel", { params: { id: session } }));
}
