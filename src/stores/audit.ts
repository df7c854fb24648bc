// The chain through each log, and the walk that finds where it is broken. Mends nothing.
import { hash } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import type { Row, Sql, Steps, Value } from "./sql.ts";

export interface Broken {
  session: string;
  seq: number;
  problem: string;
}

export const FIRST_LINK = "0".repeat(64);
/** Each event carries the hash of all before it and of itself, so that what is changed or removed later shows. */
export const link = (before: string, session: string, seq: number, at: number, body: string): string =>
  hash("sha256", `${before}\n${session}\n${seq}\n${at}\n${body}`, "hex");

/** Walks whole logs, a page at a time, and names what does not follow from what was before it. */
export async function broken(sql: Sql, only?: string): Promise<Broken[]> {
  const sessions = only === undefined ? await sql.read(sessionsOf()) : [only];
  const found: Broken[] = [];
  for (const session of sessions) found.push(...(await brokenLog(sql, session)));
  return found;
}

function* sessionsOf(): Steps<string[]> {
  const [rows = []] = yield [["SELECT session FROM heads UNION SELECT session FROM events ORDER BY session"]];
  return rows.map((row) => String(row["session"]));
}

async function brokenLog(sql: Sql, session: string): Promise<Broken[]> {
  const found: Broken[] = [];
  const head = await sql.read(rowsOf("SELECT seq FROM heads WHERE session = $1", session));
  const top = Number(head[0]?.["seq"] ?? 0);
  let last = { seq: 0, chain: FIRST_LINK };
  for (;;) {
    const rows = await sql.read(
      rowsOf("SELECT seq, at, body, chain FROM events WHERE session = $1 AND seq > $2 ORDER BY seq LIMIT 500", session, last.seq),
    );
    for (const row of rows) {
      const seq = Number(row["seq"]);
      if (seq !== last.seq + 1) found.push({ session, seq: last.seq + 1, problem: `${seq - last.seq - 1} missing` });
      else if (link(last.chain, session, seq, Number(row["at"]), String(row["body"])) !== row["chain"])
        found.push({ session, seq, problem: "changed after it was written" });
      last = { seq, chain: String(row["chain"]) };
    }
    if (rows.length === 0) break;
    await breathe();
  }
  if (last.seq < top) found.push({ session, seq: last.seq + 1, problem: `${top - last.seq} missing at the end` });
  if (head.length === 0 && last.seq > 0) found.push({ session, seq: last.seq, problem: "the log has lost its head" });
  return found;
}

function* rowsOf(...statement: [string, ...Value[]]): Steps<Row[]> {
  return (yield [statement])[0] ?? [];
}
