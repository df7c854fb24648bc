// What a logger is. `run/logs.ts` writes them to disk; tests collect them in an array.
export type Level = "debug" | "info" | "warning" | "error" | "critical" | "fatal";

/** One structured line. Never throws. Values are redacted and control characters escaped by the writer. */
export type Log = (level: Level, message: string, fields?: Record<string, unknown>) => void;

export const noLog: Log = () => {};
