// steward config: shows and changes the configuration, key by key or as a file.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { configJsonSchema, valueAt } from "../../core/config.ts";
import { messageOf, StewardError } from "../../std/error.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { backupConfig, checkConfig, configPath, defaultsText, readConfig, writeConfig } from "../config-file.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { readTyped } from "../input.ts";
import { dim, table, yellow } from "../output.ts";

type Run = (given: Given) => Promise<number> | number;

export const config: Command = {
  usage: [
    "config [show] [--origins] [--json]",
    "config get KEY",
    "config set KEY VALUE [--string]",
    "config unset KEY",
    "config edit",
    "config init",
    "config path",
    "config schema",
  ],
  about: "The configuration. KEY is dotted, such as server.port; VALUE is JSON, or text when it is none. Keys and passwords are hidden.",
  options: {
    origins: { help: "where each value comes from" },
    string: { help: "VALUE is text even when it reads as JSON" },
    json: { help: "as JSON" },
  },
  verbs: ["show", "get", "set", "unset", "edit", "init", "path", "schema"],
  examples: [
    ["steward config show --origins", "what is in force, and why"],
    ["steward config set model ollama/qwen2.5", "choose a model"],
    ["steward config set server.hosts '[\"nas.local\"]'", "a value in JSON"],
    ["steward config unset server.port", "back to the default"],
  ],
  async run(given) {
    const [verb = "show", ...args] = given.args;
    const [run, most] = (Object.hasOwn(verbs, verb) ? verbs[verb] : undefined) ?? [];
    if (!run) throw usageError(`config has no "${verb}"`, "steward help config shows what it takes.");
    if (args.length !== most)
      throw usageError(
        most === 0 ? `config ${verb} takes no further words` : `config ${verb} takes ${most === 1 ? "a key" : "a key and a value"}`,
      );
    return run({ ...given, args });
  },
};

const verbs: Record<string, [run: Run, words: number]> = {
  show: [(given) => withClient(given.host, (client) => show(given, client)), 0],
  get: [(given) => withClient(given.host, (client) => get(given, client)), 1],
  set: [(given) => change(given, valueOf(given)), 2],
  unset: [(given) => change(given, null), 1],
  edit: [edit, 0],
  init: [init, 0],
  path: [
    ({ host, out, flags }) => {
      if (flags.has("json")) out.json({ path: configPath(host.home) });
      else out.line(configPath(host.home));
      return DONE;
    },
    0,
  ],
  schema: [
    ({ out }) => {
      out.json(configJsonSchema());
      return DONE;
    },
    0,
  ],
};

async function show({ out, flags }: Given, client: Client): Promise<number> {
  const found = await client.call("config.get");
  if (flags.has("json")) out.json(flags.has("origins") ? found : found.config);
  else if (flags.has("origins"))
    table(
      out,
      ["key", "from", "value"],
      leaves(found.config).map(([key, value]) => [key, originOf(found.origins, key), JSON.stringify(value)]),
    );
  else out.json(found.config);
  if (found.problem) out.note(yellow(found.problem));
  return DONE;
}

const originOf = (origins: Record<string, string>, key: string): string =>
  origins[key] ?? Object.entries(origins).find(([name]) => key.startsWith(`${name}.`))?.[1] ?? "default";

function leaves(value: unknown, before = ""): [key: string, value: unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[before.slice(0, -1), value]];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, `${before}${key}.`));
}

async function get({ out, flags, args: [key = ""] }: Given, client: Client): Promise<number> {
  const found = valueAt((await client.call("config.get")).config, key);
  if (found === undefined) throw new StewardError("not_found", `${key} is not set`, { hint: "steward config show lists what is." });
  if (flags.has("json") || typeof found === "object") out.json(found);
  else out.line(String(found));
  return DONE;
}

function valueOf({ flags, args: [, text = ""] }: Given): unknown {
  if (flags.has("string")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

async function change({ host, out, flags, args: [key = ""] }: Given, value: unknown): Promise<number> {
  const { restart } = await withClient(host, (client) => client.call("config.change", { body: { key, value } }));
  const running = (await host.running()) !== undefined;
  if (flags.has("json")) out.json({ key, value, restart: restart && running });
  else
    out.line(
      `${value === null ? `${key} is unset` : `${key} = ${JSON.stringify(value)}`}${restart && running ? ". It holds after a restart: steward stop, then steward start." : ""}`,
    );
  return DONE;
}

function init({ host, out, flags }: Given): number {
  const backup = backupConfig(host.home, Date.now());
  const path = writeConfig(host.home, defaultsText());
  if (flags.has("json")) out.json({ path, ...(backup ? { backup } : {}) });
  else out.line(`The defaults are in ${path}.${backup ? `\nWhat was there is in ${backup}.` : ""}`);
  return DONE;
}

/** A copy is edited, and takes the file's place only when it is valid. */
async function edit({ host, out }: Given): Promise<number> {
  const before = readConfig(host.home);
  const folder = mkdtempSync(join(tmpdir(), "steward-edit-"));
  const copy = join(folder, "config.json");
  try {
    writeFileSync(copy, before ?? defaultsText(), { mode: 0o600 });
    for (;;) {
      openIn(editorOf(host.env), copy, host.env);
      const text = readFileSync(copy, "utf8");
      if (text === before) {
        out.line("Nothing was changed.");
        return DONE;
      }
      const wrong = problemOf(text);
      if (!wrong) {
        if (readConfig(host.home) !== before)
          throw kept(host.home, text, new StewardError("conflict", "The configuration was changed by somebody else meanwhile"));
        out.line(`Saved: ${writeConfig(host.home, text)}`);
        out.note(dim("A running Steward takes it up by itself; address, port, log and workspace after a restart."));
        return DONE;
      }
      out.note(yellow(wrong.message));
      const again = host.stdin.isTTY && !/^[bn]/i.test((await readTyped(host, "e edit again, b go back to what was: ")).trim());
      if (!again) throw kept(host.home, text, wrong);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function problemOf(text: string): StewardError | undefined {
  try {
    checkConfig(text);
    return undefined;
  } catch (error) {
    return error as StewardError;
  }
}

/** What was written is not thrown away, though it does not hold. */
function kept(home: string, text: string, { code, message }: StewardError): StewardError {
  return new StewardError(code, message, {
    hint: `The configuration is as before; your text is in ${writeConfig(home, text, "config.json.rejected")}`,
  });
}

const editorOf = (env: Record<string, string | undefined>): string =>
  env["VISUAL"] || env["EDITOR"] || ["nano", "vi"].find((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0) || "";

/** The editor may be written with arguments, such as `code --wait`; the file is one of its own. */
function openIn(editor: string, path: string, env: Record<string, string | undefined>): void {
  if (!editor) throw new StewardError("unavailable", "There is no editor", { hint: "Set EDITOR, such as EDITOR=nano." });
  const { status, error } = spawnSync("sh", ["-c", `${editor} "$1"`, "steward", path], { stdio: "inherit", env });
  if (error || status !== 0)
    throw new StewardError("unavailable", `The editor ended with a failure${error ? `: ${messageOf(error)}` : ` (${status})`}`, {
      hint: "Nothing was changed. EDITOR names the editor.",
    });
}
