// What a command gets to know: its environment by an allow list, its shell, its search path, and helper programs from fixed places.
import { promises as fs } from "node:fs";
import os from "node:os";
import path from "node:path";

const SYSTEM = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
const HELPERS = ["/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"];
const OWN = [".local/bin", "bin", ".cargo/bin", "go/bin", ".bun/bin", ".deno/bin", ".npm-global/bin"];
const SHARED = /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLORTERM)$/;
const DESKTOP = /^(?:DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|DESKTOP_SESSION)$/;

export const SYSTEM_PATH = SYSTEM.join(":");

export interface Person {
  home: string;
  user: string;
  shell: string;
}

/** Made from nothing; only variables named here are taken from `env`. */
export function environmentOf(
  person: Person,
  env: Readonly<Record<string, string | undefined>>,
  allow: { own?: boolean; desktop?: boolean } = {},
): Record<string, string> {
  const brew = process.platform === "darwin" ? ["/opt/homebrew/bin"] : [];
  const own = allow.own ? OWN.map((folder) => path.join(person.home, folder)) : [];
  const taken = Object.entries(env).filter(
    ([name, value]) => value !== undefined && (SHARED.test(name) || (allow.desktop && DESKTOP.test(name))),
  );
  return {
    LANG: "C.UTF-8",
    TERM: "dumb",
    ...(Object.fromEntries(taken) as Record<string, string>),
    PATH: [...brew, ...SYSTEM, ...own].join(":"),
    HOME: person.home,
    USER: person.user,
    LOGNAME: person.user,
    SHELL: person.shell,
  };
}

export const userName = (env: Readonly<Record<string, string | undefined>>): string => {
  try {
    return os.userInfo().username;
  } catch {
    return env["USER"] ?? "user";
  }
};

/** bash where there is one, else sh. */
export async function shellPath(): Promise<string> {
  for (const file of ["/bin/bash", "/usr/bin/bash"])
    if (
      await fs.access(file, fs.constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  return "/bin/sh";
}

/** A helper program from a fixed list of folders. Throws nothing: undefined when there is none that only its owner and root may change. */
export async function helperProgram(name: string): Promise<string | undefined> {
  for (const folder of HELPERS) {
    const file = await fs.realpath(path.join(folder, name)).catch(() => undefined);
    if (file !== undefined && (await trusted(file)) && (await trusted(path.dirname(file)))) return file;
  }
  return undefined;
}

async function trusted(file: string): Promise<boolean> {
  const { uid, mode } = await fs.stat(file);
  return (uid === 0 || uid === process.getuid?.()) && (mode & 0o022) === 0;
}
