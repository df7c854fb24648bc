// permissions.json: six switches with their restrictions. Read again whenever the file changes, merged, never replaced.
import * as z from "zod/mini";
import { refusePrototype } from "../core/config.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { readObject, versionOf, writePrivate } from "./json-file.ts";

export const CAPABILITIES = ["terminal", "filesystem", "applications", "browser", "system", "ui_control"] as const;
export type CapabilityName = (typeof CAPABILITIES)[number];

const strings = z.array(z.string().check(z.maxLength(4096))).check(z.maxLength(1000));
const restrictions = z.strictObject({
  allow_sudo: z.boolean(),
  blocked_commands: strings,
  allowed_paths: strings,
  blocked_paths: strings,
  allowed_apps: strings,
  blocked_apps: strings,
});
export type Restrictions = z.infer<typeof restrictions>;
export interface Capability {
  enabled: boolean;
  restrictions: Restrictions;
}
export type PermissionTable = Record<CapabilityName, Capability>;
const change = z.strictObject({
  capabilities: z.optional(
    z.partialRecord(
      z.enum(CAPABILITIES),
      z.strictObject({ enabled: z.optional(z.boolean()), restrictions: z.optional(z.partial(restrictions)) }),
    ),
  ),
});

export interface Permissions {
  /** What holds now; a change by hand holds at the next call. A broken file keeps the last good one in force. */
  read(): { capabilities: PermissionTable };
  /** What is wrong with the file, when it is broken. */
  problem(): string | undefined;
  /** Merges the given parts; parts that are absent stay. Throws `invalid`. */
  merge(value: unknown): void;
  /** Throws not_found for an unknown capability. */
  toggle(capability: string, enabled: boolean): void;
  path: string;
}

const none = (): Restrictions => ({
  allow_sudo: false,
  blocked_commands: [],
  allowed_paths: [],
  blocked_paths: [],
  allowed_apps: ["*"],
  blocked_apps: [],
});
export const defaultPermissions = (): PermissionTable => ({
  terminal: { enabled: true, restrictions: { ...none(), blocked_commands: ["rm -rf /", "shutdown", "reboot", "mkfs"] } },
  filesystem: { enabled: true, restrictions: { ...none(), blocked_paths: ["~/.ssh", "~/.aws", "~/.gnupg", "~/Library/Keychains"] } },
  applications: { enabled: true, restrictions: none() },
  browser: { enabled: false, restrictions: none() },
  system: { enabled: false, restrictions: none() },
  ui_control: { enabled: false, restrictions: none() },
});

/** What holds when nobody can know what the owner wanted. */
const nothing = (): PermissionTable =>
  Object.fromEntries(Object.entries(defaultPermissions()).map(([name, one]) => [name, { ...one, enabled: false }])) as PermissionTable;

export function openPermissions(path: string): Permissions {
  const good = path.replace(/(?:\.json)?$/, ".last-good.json");
  const state: { table?: PermissionTable; version: string; problem?: string } = { version: "" };
  const keep = (table: PermissionTable): void => {
    state.table = table;
    state.version = versionOf(path);
    delete state.problem;
  };
  const read = (): PermissionTable => {
    const version = versionOf(path);
    if (state.table && version === state.version) return state.table;
    try {
      keep(merged(defaultPermissions(), version === "none" ? {} : readObject(path)));
      if (version !== "none") writePrivate(good, { capabilities: state.table });
    } catch (error) {
      const known = state.table ?? lastGood(good);
      state.table = known ?? nothing();
      state.version = version;
      state.problem = `${path} is not valid, so ${known ? "the last good permissions stay in force" : "everything is switched off"}: ${messageOf(error)}`;
    }
    return state.table!;
  };
  const write = (value: unknown): void => {
    const table = merged(read(), value);
    if (state.problem)
      throw new StewardError("conflict", state.problem, { hint: "Correct the file, or remove it to begin with the defaults." });
    writePrivate(path, { capabilities: table });
    writePrivate(good, { capabilities: table });
    keep(table);
  };
  read();
  return {
    path,
    read: () => ({ capabilities: read() }),
    problem: () => (read(), state.problem),
    merge: write,
    toggle(capability, enabled) {
      if (!CAPABILITIES.some((name) => name === capability))
        throw new StewardError("not_found", `There is no capability named "${capability}"`, { hint: `Known: ${CAPABILITIES.join(", ")}.` });
      write({ capabilities: { [capability]: { enabled } } });
    },
  };
}

function lastGood(path: string): PermissionTable | undefined {
  try {
    return merged(nothing(), readObject(path));
  } catch {
    return undefined;
  }
}

function merged(table: PermissionTable, value: unknown): PermissionTable {
  refusePrototype(value);
  const parsed = change.safeParse(value);
  if (!parsed.success)
    throw new StewardError(
      "invalid",
      `Not valid permissions: ${parsed.error.issues.map((issue) => `${issue.path.join(".") || "the body"}: ${issue.message}`).join("; ")}`,
    );
  const next = { ...table };
  for (const name of CAPABILITIES) {
    const part = parsed.data.capabilities?.[name];
    if (part)
      next[name] = { enabled: part.enabled ?? table[name].enabled, restrictions: { ...table[name].restrictions, ...part.restrictions } };
  }
  return next;
}
