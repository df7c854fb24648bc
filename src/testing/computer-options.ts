// What tests of computers don't care about: names, limits, settings, logs.
import type { ComputerOptions } from "../core/computer.ts";
import { noLog } from "../std/log.ts";

export const plainOptions: Pick<ComputerOptions, "name" | "limits" | "config" | "log"> = {
  name: "ada",
  limits: () => ({ memoryBytes: 2 ** 30, processes: 512, cpus: 2, diskBytes: 2 ** 31 }),
  config: {},
  log: noLog,
};

/** Of a computer of one's own with everything in one folder. */
export const ownOptions = (home: string): ComputerOptions => ({
  ...plainOptions,
  person: "ada",
  mode: "contained",
  home,
  workspace: home,
  steward: "/nowhere",
  hidden: () => [],
  env: {},
});
