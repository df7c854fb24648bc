// Where a turn is shown: finished lines that scroll away, and below them a few rows that are drawn anew while they grow.
import { paint, type Stream } from "./output.ts";
import { fold } from "./width.ts";

export interface Screen {
  /** Whether text is shown while it grows. */
  live: boolean;
  styles: boolean;
  /** A finished line of the result. `whole`: not to be folded. */
  print(line: string, whole?: boolean): void;
  /** A finished line beside the result. */
  note(line: string): void;
  /** The line that still grows; "" when there is none. */
  grow(line: string): void;
  /** What is going on; "" for nothing. */
  state(line: string): void;
  /** Takes the growing rows away before something else writes, and draws them again after. */
  aside(work: () => void): void;
}
/** A line editor below the rows. */
export interface Below {
  /** The row of its cursor, counted from its first row. */
  row(): number;
  /** Draws itself from where the cursor is. */
  draw(): void;
}
interface Options {
  stdout: Stream & { rows?: number };
  stderr: Stream;
  env: Record<string, string | undefined>;
  /** false: nothing is drawn twice. */
  live: boolean;
  below?: Below;
}

export function openScreen({ stdout, stderr, env, live: wanted, below }: Options): Screen {
  const able = env["TERM"] !== "dumb";
  const live = wanted && Boolean(stdout.isTTY) && able;
  const styles = Boolean(stdout.isTTY) && able && !env["NO_COLOR"];
  const now = { growing: "", state: "", rows: 0 };
  const width = (): number => Math.max(20, stdout.columns ?? 80);

  const erase = (): void => {
    const up = now.rows + (below?.row() ?? 0);
    if (live && (now.rows > 0 || below)) stdout.write(`${up > 0 ? `\u001b[${up}A` : ""}\r\u001b[J`);
    now.rows = 0;
  };
  const draw = (): void => {
    if (!live) return;
    const most = Math.max(1, (stdout.rows ?? 24) - 4);
    const rows = [
      ...(now.growing ? fold(now.growing, width() - 1).slice(-most) : []),
      ...(now.state ? [fold(now.state, width() - 1)[0]!] : []),
    ];
    for (const row of rows) stdout.write(`${paint(row, styles)}\n`);
    now.rows = rows.length;
    below?.draw();
  };
  const aside = (work: () => void): void => {
    erase();
    work();
    draw();
  };
  const folded = (text: string): string[] => (live ? text.split("\n").flatMap((line) => fold(line, width() - 1)) : [text]);
  const write = (stream: Stream, lines: string[]): void =>
    void stream.write(`${lines.map((line) => paint(line, styles && Boolean(stream.isTTY))).join("\n")}\n`);
  const put = (change: () => void) => (live ? aside(change) : change());
  return {
    live,
    styles,
    aside,
    print: (line, whole = false) => aside(() => write(stdout, whole ? [line] : folded(line))),
    note: (line) => aside(() => write(stderr, folded(line))),
    grow: (line) => put(() => void (now.growing = line)),
    state: (line) => put(() => void (now.state = line)),
  };
}
