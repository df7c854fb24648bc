// Damage of an SQLite file: found before it is opened, kept beside it as a copy, explained to people. Never changes or deletes the file.
import { closeSync, constants, copyFileSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf, StewardError } from "../std/error.ts";
import type { Log } from "../std/log.ts";
import { tooNew } from "./sql.ts";

const MAGIC = "SQLite format 3\0";
/** Above this, reading the whole file at start takes too long. */
const CHECKED = 200 * 1024 * 1024;
/** Numbers that a log must have but has not: a write-ahead log that was cut off can leave such gaps in sound tables. */
const GAPS = `SELECT session FROM heads WHERE seq <> (SELECT count(*) FROM events WHERE events.session = heads.session)
  UNION SELECT session FROM events WHERE session NOT IN (SELECT session FROM heads) LIMIT 1`;

/** Throws `unavailable` when the file is damaged and `conflict` when its schema is newer than `newest`. */
export function inspect(path: string, { newest, log }: { newest: number; log: Log }): void {
  const size = statSync(path).size;
  const unclean = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
  if (size === 0) {
    if (unclean) throw damaged(path, "the file is empty but its write-ahead log is not");
    log("info", "Starting with an empty database", { path });
    return;
  }
  const header = headerOf(path);
  if (header.length < 100 || header.toString("latin1", 0, 16) !== MAGIC) throw damaged(path, "it is not a database");
  if (unclean) return inspectUnclean(path, size, newest);
  const pageSize = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
  const wanted = pageSize * header.readUInt32BE(28);
  if (wanted > size) throw damaged(path, `${wanted - size} of ${wanted} bytes are missing at its end`);
  const version = header.readUInt32BE(60);
  if (version > newest) throw tooNew(version, newest);
}

function headerOf(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(100);
    return header.subarray(0, readSync(file, header, 0, 100, 0));
  } finally {
    closeSync(file);
  }
}

/** Through a connection that can't write, so that the file and its write-ahead log stay as they were found. */
function inspectUnclean(path: string, size: number, newest: number): void {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const first = (sql: string): unknown => Object.values(db.prepare(sql).get() ?? {})[0];
    const version = Number(first("PRAGMA user_version"));
    if (version > newest) throw tooNew(version, newest);
    if (size > CHECKED) return;
    const verdict = first("PRAGMA quick_check(1)");
    if (verdict !== "ok") throw damaged(path, String(verdict));
    const gap = version > 0 ? first(GAPS) : undefined;
    if (gap !== undefined) throw damaged(path, `events of session ${gap} are missing`);
  } finally {
    db.close();
  }
}

/** Keeps a copy and says where. The same damaged file is copied once, however often it is opened. */
function damaged(path: string, problem: string, cause?: unknown): StewardError {
  const copy = `${path}.damaged-${new Date(statSync(path).mtimeMs).toISOString().replace(/[:.]/g, "-")}`;
  let kept = `A copy is kept at ${copy}.`;
  try {
    for (const end of ["", "-wal"])
      if (existsSync(path + end) && !existsSync(copy + end))
        copyFileSync(path + end, copy + end, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  } catch (error) {
    kept = `It could not be copied (${messageOf(error)}); nothing was changed.`;
  }
  return new StewardError("unavailable", `The database ${path} is damaged: ${problem}`, {
    hint: `${kept} Put a backup in its place, or move it away to start anew; \`sqlite3 ${path} .recover\` saves what can be read.`,
    cause,
  });
}

interface SqliteError extends Error {
  errcode: number;
}
const primary = (error: unknown): number =>
  error instanceof Error && typeof (error as SqliteError).errcode === "number" ? (error as SqliteError).errcode & 0xff : 0;

/** SQLITE_BUSY or SQLITE_LOCKED. */
export const isBusy = (error: unknown): boolean => [5, 6].includes(primary(error));

const NO_SPACE = "Free some space on its disk; nothing that was confirmed is lost, and it goes on by itself then.";
const NOT_WRITABLE = "Check that its folder exists and is yours, that both can be written, and that the disk is not mounted read-only.";

/** Turns what SQLite or the file system says into what people can act on. */
export function explain(error: unknown, path: string): unknown {
  if (error instanceof StewardError || !(error instanceof Error)) return error;
  const unavailable = (message: string, hint: string) =>
    new StewardError("unavailable", `The database ${path} ${message}`, { hint, cause: error });
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ERR_INVALID_STATE") return unavailable("is closed", "Start Steward again.");
  if (code === "ENOSPC" || code === "EDQUOT") return unavailable("can't grow: the disk is full", NO_SPACE);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOENT" || code === "EISDIR")
    return unavailable(`can't be written: ${error.message}`, NOT_WRITABLE);
  // Our SQL is fixed, so these generic refusals can only come from what the file holds.
  if (primary(error) === 1 && /fts5|malformed|vtable|no such (?:table|column)/.test(error.message))
    return damaged(path, error.message, error);
  switch (primary(error)) {
    case 0:
      return error;
    case 5:
    case 6:
      return unavailable("is held by another process", "Close other programs that use it, such as a database browser.");
    case 8:
    case 14:
      return unavailable(`can't be written: ${error.message}`, NOT_WRITABLE);
    case 10:
      return unavailable(`can't be read or written: ${error.message}`, `The disk may be full or failing. ${NO_SPACE}`);
    case 11:
    case 26:
      return damaged(path, error.message, error);
    case 13:
      return unavailable("can't grow: the disk is full", NO_SPACE);
    case 19:
      return new StewardError("conflict", `Something with this id is there already: ${error.message}`, { cause: error });
    default:
      return new StewardError("internal", `The database ${path} refused: ${error.message}`, { cause: error });
  }
}
