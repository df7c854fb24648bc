// The clock and the time zone: what is due when depends on both.
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Check, ok, problem, warning } from "./check.ts";

const SLACK_MS = 300_000;
/** Before this program was written. */
const EARLIEST = Date.UTC(2026, 0, 1);

export const check: Check = {
  name: "clock",
  async check({ home, now, settings }) {
    const at = now();
    if (at < EARLIEST)
      return problem(`The clock says ${new Date(at).toISOString()}`, "Set it: timedatectl set-ntp true, or the system's settings.");
    const written = Math.max(
      ...["steward.db-wal", "steward.db", "run.json"].map((name) => statSync(join(home, name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
    );
    if (written > at + SLACK_MS)
      return warning(
        `The clock says ${new Date(at).toISOString()}, but data was written at ${new Date(written).toISOString()}`,
        "Set it, or what is due waits until then: timedatectl set-ntp true, or the system's settings.",
      );
    const zone = zoneOf(settings);
    return ok(`${new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: zone }).format(at)} ${zone}`);
  },
};

/** A broken configuration is another check's finding. */
function zoneOf(settings: () => { config(): { zone?: string | undefined } }): string {
  try {
    return settings().config().zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}
