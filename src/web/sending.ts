// What the person is about to say: drafts with files, one per session, and messages that are on their way.
import { signal, type Signal } from "@preact/signals";
import type { LiveEvent, Stored } from "../core/events.ts";
import type { Part } from "../core/types.ts";
import { messageOf } from "../std/error.ts";
import { call, upload, type Uploaded } from "./api.ts";
import { makeSession, refreshSoon } from "./sessions.ts";
import { sayFailure, telling } from "./notices.ts";
import { go } from "./router.ts";

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
  session: string;
  at: number;
  parts: Part[];
  problem?: string;
}

const drafts = new Map<string, Draft>();
export const pending = signal<readonly Pending[]>([]);

/** The draft of a session, or of the session to come. */
export function draftOf(session: string | undefined): Draft {
  const name = session ?? "";
  const draft = drafts.get(name) ?? { text: signal(""), files: signal<readonly Attachment[]>([]) };
  drafts.set(name, draft);
  return draft;
}

export function attach(draft: Draft, files: Iterable<File>): void {
  for (const file of files) {
    const one: Attachment = {
      key: crypto.randomUUID(),
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
    upload(file, { signal: one.stop.signal, progress: (share) => change({ share }) }).then(
      (uploaded) => change({ file: uploaded, share: 1 }),
      (error: unknown) => change({ problem: messageOf(error) }),
    );
  }
}

export function detach(draft: Draft, key: string): void {
  const gone = draft.files.value.find((one) => one.key === key);
  draft.files.value = draft.files.value.filter((one) => one.key !== key);
  gone?.stop.abort();
  if (gone?.preview) URL.revokeObjectURL(gone.preview);
}

/** Sends the draft; without a session one is made first. */
export async function sendDraft(session: string | undefined): Promise<void> {
  const draft = draftOf(session);
  const text = draft.text.value.trim();
  const files = draft.files.value.flatMap(({ file }) => (file ? [file] : []));
  if (!text && files.length === 0) return;
  const parts: Part[] = [...(text ? [{ type: "text" as const, text }] : []), ...files.map((file) => ({ type: "file" as const, ...file }))];
  draft.text.value = "";
  for (const one of draft.files.value) if (one.preview) URL.revokeObjectURL(one.preview);
  draft.files.value = [];
  try {
    await say(session ?? (await freshSession()), parts);
  } catch (error) {
    draft.text.value = text;
    sayFailure(error);
  }
}

async function freshSession(): Promise<string> {
  const { id } = await makeSession();
  go(`/s/${id}`);
  return id;
}

/** Shown at once, told apart from its echo by the key: the same key twice is one message. */
export async function say(session: string, parts: Part[], key: string = crypto.randomUUID()): Promise<void> {
  const rest = pending.value.filter((one) => one.key !== key);
  pending.value = [...rest, { key, session, at: Date.now(), parts }];
  const body = { key, parts: parts.map((part) => (part.type === "text" ? part : { type: "file" as const, id: part.id })) };
  try {
    await call("sessions.say", { params: { id: session }, body });
    refreshSoon();
  } catch (error) {
    pending.value = pending.value.map((one) => (one.key === key ? { ...one, problem: messageOf(error) } : one));
  }
}

export const sayAgain = (one: Pending): Promise<void> => say(one.session, one.parts, one.key);

export function dropPending(key: string): void {
  pending.value = pending.value.filter((one) => one.key !== key);
}

/** Messages that the log now holds are no longer on their way. */
export function settlePending(session: string, events: (Stored | LiveEvent)[]): void {
  const here = new Set(
    events.flatMap((event) => ("event" in event && event.event.type === "message.received" && event.event.key ? [event.event.key] : [])),
  );
  if (here.size > 0) pending.value = pending.value.filter((one) => one.session !== session || !here.has(one.key));
}

export async function cancel(session: string): Promise<void> {
  await telling(call("sessions.cancel", { params: { id: session } }));
}
