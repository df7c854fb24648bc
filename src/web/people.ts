// Who is here, which models there are, and whether Steward is well: what several parts of the page read.
import { computed, signal } from "@preact/signals";
import type { Answered } from "../core/api.ts";
import { hasCode } from "../std/error.ts";
import { call, whenSignedOut } from "./api.ts";
import { telling } from "./notices.ts";

export type Me = Answered<"me.get">;
export type Models = Answered<"models.list">;
export type Health = Answered<"health.get">;

/** undefined: not known yet. null: nobody is signed in. */
export const me = signal<Me | null | undefined>(undefined);
export const models = signal<Models | undefined>(undefined);
export const health = signal<Health | undefined>(undefined);
/** Set while the first answer is still missing because the server can't be reached. */
export const unreachable = signal(false);

/** Why somebody who is signed in may not come in, in the server's words. */
export const shutOut = signal("");

/** Who was here last, signed out or not. */
const last: { person?: string } = {};

export const isOwner = computed(() => me.value?.role === "owner");

export async function enter(): Promise<void> {
  whenSignedOut.run = () => {
    shutOut.value = "";
    me.value = null;
  };
  whenSignedOut.shutOut = ({ message, hint = "" }) => {
    shutOut.value = `${message}. ${hint}`;
    me.value = null;
  };
  try {
    const now = await call("me.get");
    // What was read and written here is another person's: nothing of it stays.
    if (now.person !== (last.person ??= now.person)) return location.reload();
    me.value = now;
    unreachable.value = false;
    shutOut.value = "";
  } catch (error) {
    if (hasCode(error, "denied")) me.value = null;
    else unreachable.value = true;
    return;
  }
  void refreshModels();
  void refreshHealth();
}

export async function refreshModels(): Promise<void> {
  probed.at = 0;
  models.value = await call("models.list").catch(() => models.value);
}

const PROBE_KEPT_MS = 60_000;
const probed = { at: 0 };
export const probing = signal(false);

/** Which models answer now; a recent answer is good enough unless `again`. */
export async function probeModels({ again = false }: { again?: boolean } = {}): Promise<void> {
  if (probing.value || (!again && Date.now() - probed.at < PROBE_KEPT_MS)) return;
  probing.value = true;
  const answer = await telling(call("models.list", { query: { probe: "1" } }));
  if (answer) {
    models.value = answer;
    probed.at = Date.now();
  }
  probing.value = false;
}

/** "provider/name" of all models that are offered by providers that are ready. */
export const offered = computed(() =>
  (models.value?.providers ?? []).flatMap(({ name, ready, models: list }) =>
    ready ? list.map((model) => (model.startsWith(`${name}/`) ? model : `${name}/${model}`)) : [],
  ),
);

export async function refreshHealth(): Promise<void> {
  health.value = await call("health.get").catch(() => health.value);
}

/** What the top of the page warns about, worst first. */
export const warnings = computed<string[]>(() => {
  const list: string[] = [];
  if (health.value?.banner) list.push(health.value.banner);
  if (me.value?.mode === "full") list.push("Full mode: Steward can read, change and delete everything that you can on this machine.");
  return list;
});
