// The package as another project sees it: a folder of its own with steward in node_modules, a Steward that answers, and programs run there as written. For tests of the library.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, statSync, globSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const root = dirname(import.meta.dirname);

/** What is exported is built; when a source is newer, it is built again. */
export async function built(): Promise<void> {
  const stamp = join(root, "dist", ".built");
  const since = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  const sources = globSync(["src/**/*.ts", "scripts/*.ts", "package.json"], { cwd: root });
  const stale = sources.some((file) => statSync(join(root, file)).mtimeMs > since);
  if (stale || !existsSync(join(root, "dist", "client.js"))) await run(root, [join(root, "scripts", "build.ts")]);
}

export interface Project {
  folder: string;
  /** Runs a file of it with this Node; resolves with what it printed. Rejects with both outputs when it fails. */
  run(file: string, env?: Record<string, string>): Promise<string>;
  write(file: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export async function openProject(): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), "steward-project-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "program", private: true, type: "module" }));
  return {
    folder,
    run: (file, env = {}) => run(folder, [file], env),
    async write(file, text) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

export async function link({ folder }: Project): Promise<void> {
  await mkdir(join(folder, "node_modules"), { recursive: true });
  await symlink(root, join(folder, "node_modules", "steward"));
}

export function run(cwd: string, args: string[], env: Record<string, string> = {}, program: string = process.execPath): Promise<string> {
  return new Promise((resolve, reject) => {
    const given = { cwd, env: { ...process.env, ...env, NO_COLOR: "1", FORCE_COLOR: "0" }, timeout: 240_000 };
    execFile(program, args, given, (error, stdout, stderr) => {
      if (error) reject(new Error(`${args.join(" ")}: ${error.message}\n${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}
