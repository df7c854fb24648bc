// A command in a person's own computer that is given a secret on its standard input, and nowhere else: not in its arguments, its environment, a log or the answer.
import type { ExecResult } from "../core/computer.ts";
import type { Principal } from "../core/types.ts";
import { StewardError } from "../std/error.ts";
import { redactor } from "../run/redact.ts";
import type { Steward } from "../run/steward.ts";

export interface SecretCommand {
  command: string;
  /** The name of a stored secret, which is the owner's; or a value that the calling program holds. */
  secret: { name: string } | { value: string };
  cwd?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** The secret and a line end go to standard input. Where the command prints it, the answer has [redacted]. Throws not_found for an unknown name. */
export async function executeWithSecret(steward: Steward, who: Principal, { secret, ...given }: SecretCommand): Promise<ExecResult> {
  const value = "value" in secret ? secret.value : await stored(steward, who, secret.name);
  const { command, cwd, timeoutMs, signal } = given;
  const computer = await steward.computers.own(who.person);
  const result = await computer.exec(command, {
    stdin: `${value}\n`,
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  });
  const redact = redactor(() => [value]);
  return { ...result, stdout: redact(result.stdout), stderr: redact(result.stderr) };
}

async function stored(steward: Steward, { role, via }: Principal, name: string): Promise<string> {
  if (role !== "owner" || via === "local" || via === "osAgent")
    throw new StewardError("denied", "Stored secrets are the owner's", { hint: "Give the value itself." });
  const value = await steward.secrets.get(name);
  if (value === undefined) throw new StewardError("not_found", `There is no secret ${name}`, { hint: "steward secret set keeps one." });
  return value;
}
