// Routes of the doctor: it looks at this Steward from the inside.
import type { Patient } from "../../doctor/check.ts";
import { portState } from "../ports.ts";
import type { Gate, Handlers } from "../table.ts";

type Names = "doctor.get" | "doctor.repair";

export const doctor = {
  "doctor.get": async ({ gate, steward, query: { names } }) =>
    (await import("../../doctor/doctor.ts")).examine(patientOf(gate), { names: names ? names.split(",") : [], version: steward.version }),
  "doctor.repair": async ({ gate, steward, who, body: { names = [] } }) => {
    steward.log("info", "The doctor repairs", { by: who.person, via: who.via });
    return (await import("../../doctor/doctor.ts")).examine(patientOf(gate), { names, fix: true, version: steward.version });
  },
} satisfies Pick<Handlers, Names>;

function patientOf({ steward, own, doors }: Gate): Patient {
  const { home, settings } = steward;
  const ours = new Set([own.port, ...[...doors.values()].map((url) => Number(new URL(url).port))]);
  return {
    home,
    env: process.env,
    now: () => steward.now(),
    serving: true,
    settings: () => settings,
    steward: async () => steward,
    port: () => own.port,
    listening: async (host, port) => (ours.has(port) ? "ours" : portState(host, port)),
  };
}
