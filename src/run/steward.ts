// What the whole of Steward is made of, as one value that main.ts puts together and the functions of this folder work on.
import { existsSync, realpathSync } from "node:fs";
import type { Computer } from "../core/computer.ts";
import type { Channel } from "../core/channel.ts";
import type { Engine, Fetch, Tool } from "../core/ports.ts";
import type { Store } from "../core/store.ts";
import type { Mode, Principal } from "../core/types.ts";
import type { ProgramNeed, Wire } from "../core/workplace.ts";
import type { Lanes } from "../std/lanes.ts";
import type { Log } from "../std/log.ts";
import type { Commands } from "./asides.ts";
import type { Breakers } from "./breaker.ts";
import type { Chats } from "./chats.ts";
import type { Caches } from "./caches.ts";
import type { Computers } from "./computers.ts";
import type { Doors } from "./doors.ts";
import type { Search } from "./hits.ts";
import type { Work } from "./jobs.ts";
import type { Lookout } from "./lookout.ts";
import type { Notices } from "./notices.ts";
import type { Own } from "./identity.ts";
import type { Money } from "./meter.ts";
import type { Models } from "./models.ts";
import type { Permissions } from "./permissions.ts";
import type { Programs } from "./programs.ts";
import type { Schedules } from "./schedules.ts";
import type { Compact } from "./running.ts";
import type { Secrets } from "./secrets.ts";
import type { Servers } from "./servers.ts";
import type { Settings } from "./settings.ts";
import type { Tasks } from "./tasks.ts";
import type { Voices } from "./voices.ts";

export interface OpenEngine {
  engine: Engine;
  /** Wires that its program speaks to models; absent: it takes any model. */
  wires?: Wire[];
  /** What has to be there for it. */
  programs(): ProgramNeed[];
}
export interface Steward {
  store: Store;
  log: Log;
  /** Epoch milliseconds. */
  now(): number;
  version: string;
  /** STEWARD_HOME, absolute. */
  home: string;
  settings: Settings;
  permissions: Permissions;
  secrets: Secrets;
  models: Models;
  /** What models cost: the ledger and the budget. */
  money: Money;
  voices: Voices;
  breakers: Breakers;
  caches: Caches;
  /** Throws not_found with the known names in the hint. */
  engine(name: string): Promise<OpenEngine>;
  /** Names of all engines that there are, sorted. */
  engines(): string[];
  tools(): Promise<Tool[]>;
  /** MCP servers that Steward uses, and their tools. */
  servers: Servers;
  /** The unguarded computer of this person; only `guard.ts`, the undo journal and the workplaces of engines use it. */
  computer(principal: Principal): Promise<Computer>;
  /** Subagents that work in the background, and messages between them. */
  tasks: Tasks;
  /** What the kinds of jobs of other folders do. */
  work: Record<string, Work>;
  /** Those that are connected in this process now, by their names in the configuration. */
  channels: Record<string, Channel>;
  chats: Chats;
  notices: Notices;
  /** What people can say to Steward itself instead of to a model. */
  commands: Commands;
  /** What is done later, or again and again. */
  schedules: Schedules;
  /** The outbound client for tools: private addresses refused. */
  fetch: Fetch;
  computers: Computers;
  /** Where engines that are programs find their model and Steward's tools. */
  doors: Doors;
  /** The engines' programs on this machine. */
  programs: Programs;
  /** What must not overlap within this process. */
  lanes: Lanes;
  search: Search;
  compact: Compact;
  /** Identity files, skills, and changes that the agent makes to what it goes by. */
  own: Own;
  /** Sees what people's own computers hand over. */
  lookout: Lookout;
  /** Ends this process in good order; absent where that is somebody else's to do. */
  stop?: () => void;
  /** One line for people: which sandbox the owner's guarded commands run in, or why there is none. */
  sandbox(): Promise<string>;
}

/** The owner's mode is a setting; everybody else, and everything that comes in by the open local door or OS-Agent's, or with nobody there, is contained. */
export function modeOf(steward: Steward, principal: Principal): Mode {
  if (principal.role !== "owner" || principal.via === "local" || principal.via === "osAgent" || principal.via === "schedule")
    return "contained";
  return steward.settings.config().computer.mode;
}

/** Asking the system costs a third of a millisecond, so it is asked once. */
const machine: { zone?: string } = {};
export const zoneOf = (steward: Steward): string =>
  steward.settings.config().zone ?? (machine.zone ??= linkedZone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone);

/** What /etc/localtime leads to: Intl loads 8 MB to say the same, which a Steward that waits does without. */
const linkedZone = (file = "/etc/localtime"): string | undefined =>
  process.env.TZ || !existsSync(file) ? undefined : /\/zoneinfo\/(?:Etc\/)?(UTC|[A-Z]\w+\/[\w/-]+)$/.exec(realpathSync(file))?.[1];
