// The owner's machine as it is, without a sandbox: mode full. What may run is left to the policy above.
import type { ComputerKind } from "../core/computer.ts";
import { hostExec, hostPlace } from "./local.ts";

const host: ComputerKind = {
  name: "host",
  missing: async () =>
    process.platform === "linux" || process.platform === "darwin" ? undefined : "Steward runs commands on Linux and macOS only",
  async open(options) {
    const place = await hostPlace(options);
    return { mode: options.mode, ...place, exec: (command, how = {}) => hostExec(options, place, { command, how }) };
  },
};
export default host;
