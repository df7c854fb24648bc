// Looks at every part of Steward that can be wrong on a machine, and mends what is safe to mend. What is looked at is one file a check beside this one.
import { platform, version as systemVersion } from "node:os";
import type { Answered } from "../core/api.ts";
import { failureOf, StewardError } from "../std/error.ts";
import type { Check, Finding, Patient } from "./check.ts";
import { check as clock } from "./clock.ts";
import { check as computer } from "./computer.ts";
import { check as configuration } from "./configuration.ts";
import { check as engine } from "./engine.ts";
import { check as engines } from "./engines.ts";
import { check as channels } from "./channels.ts";
import { check as heartbeat } from "./heartbeat.ts";
import { check as history } from "./history.ts";
import { check as home } from "./home.ts";
import { check as instance } from "./instance.ts";
import { check as logs } from "./logs.ts";
import { check as model } from "./model.ts";
import { check as node } from "./node.ts";
import { check as permissions } from "./permissions.ts";
import { check as ports } from "./ports.ts";
import { check as sandbox } from "./sandbox.ts";
import { check as secrets } from "./secrets.ts";
import { check as store } from "./store.ts";

type Report = Answered<"doctor.get">;
type Result = Report["summary"]["checks"][number];

/** In the order in which they are told: what others need comes first. */
export const checks: readonly Check[] = [
  ...[node, clock, home, logs, instance, configuration, permissions, store, history, heartbeat, channels],
  ...[secrets, model, engines, ports, sandbox, engine, computer],
];
const SEVERITY = { ok: "info", warning: "warning", problem: "critical" } as const;

/** `names`: only these. Throws not_found for a name that no check has; what a check finds is never thrown. */
export async function examine(
  patient: Patient,
  { names = [], fix = false, version }: { names?: string[]; fix?: boolean; version: string },
): Promise<Report> {
  const known = checks.map(({ name }) => name);
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw new StewardError("not_found", `There is no check named "${stranger}"`, { hint: `Checks: ${known.join(", ")}.` });
  const results: Result[] = [];
  const told = new Set<string>();
  for (const check of checks)
    if (names.length === 0 || names.includes(check.name)) results.push(await result(check, { patient, fix, told }));
  const failed = results.filter(({ passed }) => !passed).length;
  return {
    timestamp: new Date(patient.now()).toISOString(),
    system: { platform: platform(), version: systemVersion(), node: process.version, steward: version },
    summary: {
      status: failed === 0 ? "healthy" : failed < 3 ? "degraded" : "unhealthy",
      total_checks: results.length,
      passed: results.length - failed,
      failed,
      checks: results,
    },
  };
}

interface Round {
  patient: Patient;
  fix: boolean;
  /** What stood in the way of checks before. */
  told: Set<string>;
}

async function result(check: Check, round: Round): Promise<Result> {
  const first = await found(check, round);
  if (!round.fix || !first.repairable || !check.repair) return resultOf(check, first);
  try {
    const message = await check.repair(round.patient);
    return { ...resultOf(check, await found(check, round)), fix_applied: true, fix_message: message };
  } catch (error) {
    return { ...resultOf(check, first), fix_message: failureOf(error).message };
  }
}

/** What stands in the way of several checks is one problem. */
const found = (check: Check, { patient, told }: Round): Promise<Finding> =>
  check.check(patient).catch((error: unknown): Finding => {
    const { message, hint = "steward logs shows more." } = failureOf(error);
    if (told.has(message)) return { state: "warning", message: `Not looked at: ${message}`, hint };
    told.add(message);
    return { state: "problem", message, hint };
  });

const resultOf = ({ name, repair }: Check, { state, message, hint, details = [], repairable }: Finding): Result => ({
  name,
  passed: state !== "problem",
  severity: SEVERITY[state],
  message,
  ...(hint ? { hint } : {}),
  details,
  fix_available: repair !== undefined && repairable === true,
  fix_applied: false,
});
