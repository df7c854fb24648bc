// A program that does not hear when networks of this machine come and go. Chromium breaks what it connects at that moment, and tests beside it make and remove networks of containers.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SOCKET: { readonly [arch: string]: number } = { x64: 41, arm64: 198 };
const [NETLINK, EAFNOSUPPORT] = [16, 97];
const [LOAD, EQUAL, RETURN] = [0x20, 0x15, 0x06];
const [ALLOW, ERRNO] = [0x7fff0000, 0x00050000];

/** The path of a script that starts it without netlink; its own path where this machine can't. */
export function deaf(program: string): string {
  const socket = SOCKET[process.arch];
  const walls = ["--dev-bind", "/", "/"];
  if (socket === undefined || spawnSync("bwrap", [...walls, "true"]).status !== 0) return program;
  const folder = mkdtempSync(join(tmpdir(), "steward-deaf-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const steps = [
    [LOAD, 0, 0, 0], // the call's number
    [EQUAL, 0, 3, socket],
    [LOAD, 0, 0, 16], // its first argument: the family
    [EQUAL, 0, 1, NETLINK],
    [RETURN, 0, 0, ERRNO | EAFNOSUPPORT],
    [RETURN, 0, 0, ALLOW],
  ] as const;
  const filter = Buffer.alloc(steps.length * 8);
  for (const [at, [code, yes, no, value]] of steps.entries()) {
    filter.writeUInt16LE(code, at * 8);
    filter.writeUInt8(yes, at * 8 + 2);
    filter.writeUInt8(no, at * 8 + 3);
    filter.writeUInt32LE(value, at * 8 + 4);
  }
  writeFileSync(join(folder, "filter"), filter);
  const script = join(folder, "start");
  writeFileSync(script, `#!/bin/sh\nexec bwrap ${walls.join(" ")} --seccomp 9 ${program} "$@" 9<${join(folder, "filter")}\n`);
  chmodSync(script, 0o755);
  return script;
}
