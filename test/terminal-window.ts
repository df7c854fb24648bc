// A window on a terminal for tests: a WebSocket that keeps what came and says what it has seen.
import { WebSocket } from "ws";
import type { TerminalHears, TerminalSays } from "../src/core/api-computer.ts";

export interface TestWindow {
  socket: WebSocket;
  frames: TerminalSays[];
  /** All bytes so far. */
  bytes(): Uint8Array;
  text(): string;
  type(text: string | Uint8Array): void;
  say(frame: TerminalHears | string): void;
  /** Resolves when it holds; looks after each frame. */
  until(holds: () => boolean, ms?: number): Promise<void>;
  closed: Promise<{ code: number; reason: string }>;
}

/** Rejects with the HTTP status when the upgrade is refused. `sees`: acknowledges at once what it gets. */
export async function openWindow(
  url: string,
  path: string,
  { headers = {}, protocols = [], sees = true }: { headers?: Record<string, string>; protocols?: string[]; sees?: boolean } = {},
): Promise<TestWindow> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws/terminal/${path}`, protocols, { headers });
  const frames: TerminalSays[] = [];
  const pieces: Buffer[] = [];
  const state = { at: 0 };
  const looks = new Set<() => void>();
  socket.on("message", (data, binary) => {
    if (binary) {
      pieces.push(data as Buffer);
      state.at += (data as Buffer).byteLength;
      if (sees) socket.send(JSON.stringify({ type: "seen", at: state.at }));
    } else {
      const frame = JSON.parse(String(data)) as TerminalSays;
      if (frame.type === "open") state.at = frame.at;
      frames.push(frame);
    }
    for (const look of looks) look();
  });
  const { promise: closed, resolve: close } = Promise.withResolvers<{ code: number; reason: string }>();
  socket.on("close", (code, reason) => close({ code, reason: String(reason) }));
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  socket.on("open", resolve);
  socket.on("unexpected-response", (_request, response) => reject(new Error(String(response.statusCode))));
  socket.on("error", reject);
  await opened;
  const bytes = (): Uint8Array => Buffer.concat(pieces);
  const made: TestWindow = {
    socket,
    frames,
    bytes,
    text: () => Buffer.concat(pieces).toString("utf8"),
    type: (text) => socket.send(Buffer.from(text as string)),
    say: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    async until(holds, ms = 60_000) {
      const done = Promise.withResolvers<void>();
      const look = (): void => void (holds() && done.resolve());
      looks.add(look);
      const again = setInterval(look, 50);
      const timer = setTimeout(
        () => done.reject(new Error(`it did not happen; ${JSON.stringify(frames)} ${JSON.stringify(made.text().slice(-2000))}`)),
        ms,
      );
      look();
      await done.promise.finally(() => (looks.delete(look), clearTimeout(timer), clearInterval(again)));
    },
    closed,
  };
  await made.until(() => frames.length > 0);
  return made;
}
