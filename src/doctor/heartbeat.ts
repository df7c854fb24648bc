// HEARTBEAT.md: every section says when and what. One that does not is left out, the others run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sectionsOf } from "../schedules/sections.ts";
import { type Check, ok, warning } from "./check.ts";

export const check: Check = {
  name: "heartbeat",
  async check({ home, settings, now }) {
    const { workspace = join(home, "workspace"), zone = Intl.DateTimeFormat().resolvedOptions().timeZone, heartbeat } = settings().config();
    if (!heartbeat.enabled) return ok("turned off (heartbeat.enabled)");
    const text = read(join(workspace, "HEARTBEAT.md"));
    if (text === undefined) return ok("there is no HEARTBEAT.md yet");
    const { sections, problems } = sectionsOf(text, { now: now(), zone });
    const count = `${sections.length} ${sections.length === 1 ? "section" : "sections"}`;
    if (problems.length === 0) return ok(sections.length === 0 ? "no sections, so nothing is done by itself" : count);
    return warning(problems[0]!, "steward identity edit HEARTBEAT.md corrects it.", {
      details: [...problems.slice(1), `${count} can be read`],
    });
  },
};

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
