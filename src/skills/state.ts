// What this folder remembers of one Steward while it runs (its commands are running.ts), and where everything lies on the disk.
import { join } from "node:path";
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import type { OnDisk, Shelf } from "./shelf.ts";

interface State {
  shelf: Shelf;
  /** Those that come with Steward: they change with it only. */
  bundled?: Promise<OnDisk[]>;
}
const states = new WeakMap<Steward, State>();

export function stateOf(steward: Steward): State {
  const known = states.get(steward);
  if (known) return known;
  const made: State = { shelf: new Map() };
  states.set(steward, made);
  return made;
}

/** The owner's workspace: identity files and skills in it are files that people may edit. */
export const workspaceOf = ({ settings, home }: Steward): string => settings.config().workspace ?? join(home, "workspace");

/** Skills that this person has added: out of reach for every tool. */
export const personFolder = ({ home }: Steward, person: string): string => join(home, "skills", person);

/** Only the owner has files of their own on this machine; everybody else's are kept by Steward. */
export const hasFiles = ({ role }: Principal): boolean => role === "owner";
