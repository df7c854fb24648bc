// What the application tools need of a desktop; linux.ts and macos.ts are the two there are.
import type { ToolContext } from "../../core/ports.ts";

/** What a desktop is made from. Every application that was found is shown to `mayUse`, by all its names, before anything is done with it. */
export type Surroundings = Pick<ToolContext, "computer" | "signal" | "mayUse">;

/** Each member takes a name as a person says it and gives back the application's own. All throw StewardError. */
export interface Desktop {
  launch(name: string): Promise<string>;
  /** `force` ends it without asking it. */
  quit(name: string, force: boolean): Promise<string>;
  /** Names of the applications that have windows. */
  list(): Promise<string[]>;
  activate(name: string): Promise<string>;
  info(name: string): Promise<Record<string, unknown>>;
}
