// What a workplace promises an engine, in whichever computer the person has.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import type { Process } from "../src/core/workplace.ts";
import type { OpenWorkplace } from "../src/run/workplace.ts";
import { hasCode } from "../src/std/error.ts";
import { processesWith } from "../src/testing/computer.ts";
import { temporary } from "./harness.ts";
import { NEED, plant, stewardPlace, type StewardPlace } from "./workplace-place.ts";

export interface Case {
  name: string;
  /** Asked for each Steward of its own. */
  config(): Record<string, unknown>;
  /** At the end of all. */
  clean?(): Promise<void>;
  skip?: string | undefined;
  /** Commands have no way out but the doors. */
  walled: boolean;
}

const uniqueSleep = (): string => `6${Math.random().toString().slice(2, 8)}.${Math.random().toString().slice(2, 10)}`;

export async function textOf(process: Process): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of process.stdout) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
/** What it printed, once it has ended. */
const ran = async (place: OpenWorkplace, argv: string[], env: Record<string, string> = {}): Promise<string> => {
  const process = await place.start(argv, { env });
  const text = await textOf(process);
  const { code } = await process.exited;
  return `${text}${process.stderr()}${code === 0 ? "" : `(${code})`}`;
};

export function workplaceCases({ name, config, clean, skip, walled }: Case): void {
  describe(`workplace, ${name}`, skip === undefined ? {} : { skip }, () => {
    const held: { steward?: StewardPlace } = {};
    before(async () => void (held.steward = await stewardPlace(config())));
    after(async () => {
      await held.steward?.close();
      await clean?.();
    });
    const within = async (work: (place: OpenWorkplace) => Promise<void>): Promise<void> => {
      const place = await held.steward!.place();
      await work(place).finally(() => place.close());
    };
    placeCases(within, walled);
    processCases(within, () => held.steward!);
    programCases(within, () => held.steward!);
    doorCases(within, walled);
    deathCase(config);
  });
}
type Within = (work: (place: OpenWorkplace) => Promise<void>) => Promise<void>;

function placeCases(within: Within, walled: boolean): void {
  test("begins in the workspace, with an environment from an allow list and a private folder that stays", async () => {
    await within(async (place) => {
      assert.equal(await ran(place, ["pwd"]), `${place.cwd}\n`);
      assert.equal(place.state.startsWith(`${place.cwd}/.steward`) || !place.state.startsWith(place.cwd), true);
      const env = await ran(place, ["env"], { GIVEN: "1" });
      assert.equal(env.includes("canary") || !env.includes("GIVEN=1\n") || !/^HOME=\//m.test(env), false, env);
      await place.write(`${place.state}/deep/kept.txt`, Buffer.from("first"));
      assert.equal(
        await ran(place, ["sh", "-c", 'cat "$1/deep/kept.txt"; echo second > "$1/deep/kept.txt"; ls -ld "$1"', "sh", place.state]).then(
          (text) => /^firstd/.test(text),
        ),
        true,
      );
    });
    await within(async (place) => {
      assert.equal(Buffer.from(await place.read(`${place.state}/deep/kept.txt`)).toString(), "second\n");
      await ran(place, ["sh", "-c", 'ln -sfn /tmp "$1/away"; ln -sfn /tmp/made-outside "$1/file"', "sh", place.state]);
      if (place.mode !== "contained")
        for (const path of ["away/x", "file", "../x", "deep/../../x"]) {
          await assert.rejects(place.write(`${place.state}/${path}`, Buffer.from("x")), (error) => hasCode(error, "denied"), path);
          await assert.rejects(place.read(`${place.state}/${path}`), (error) => hasCode(error, "denied"), path);
        }
      if (place.mode !== "contained") await assert.rejects(place.write("/etc/made", Buffer.from("x")), (error) => hasCode(error, "denied"));
      await place.write("note.txt", Buffer.from("in the workspace"));
      assert.equal(await ran(place, ["cat", "note.txt"]), "in the workspace");
      if (walled) assert.match(await ran(place, ["sh", "-c", "echo x > /usr/steward-was-here"]), /\(\d+\)$/);
    });
  });
}

function processCases(within: Within, steward: () => StewardPlace): void {
  test("bytes in, bytes out, the end of input, exit status and the tail of stderr", async () => {
    await within(async (place) => {
      const process = await place.start(["sh", "-c", 'while read line; do echo "got $line"; done; seq 2000 >&2; exit 7']);
      const lines = createLines(process);
      for (const word of ["one", "two", "three"]) {
        await process.write(`${word}\n`);
        assert.equal(await lines(), `got ${word}`);
      }
      process.end();
      assert.equal(await lines(), undefined);
      assert.deepEqual(await process.exited, { code: 7 });
      const all = Array.from({ length: 2000 }, (_, at) => `${at + 1}\n`).join("");
      assert.equal(process.stderr(), all.slice(-4000));
      await assert.rejects(process.write("more"), (error) => hasCode(error, "unavailable"));
    });
  });
  test("a program that is not there has ended, and says why", async () => {
    await within(async (place) => {
      const process = await place.start(["no-such-program-here"]);
      assert.deepEqual([await textOf(process), await process.exited], ["", { code: 127 }]);
      assert.match(process.stderr(), /^no-such-program-here: no such (program|file)/i);
    });
  });
  test("a flood waits for its reader, and whoever stops reading holds up nothing", async () => {
    await within(async (place) => {
      const process = await place.start(["sh", "-c", "head -c 30000000 /dev/zero; touch flooded"]);
      const reader = process.stdout[Symbol.asyncIterator]();
      assert.equal((await reader.next()).done, false);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await assert.rejects(place.read("flooded"), (error) => hasCode(error, "not_found"));
      await reader.return!();
      assert.deepEqual(await process.exited, { code: 0 });
      await place.read("flooded");
    });
  });
  test("killed from outside, with all that it started, at once; so is what runs when the turn ends", async () => {
    const seconds = uniqueSleep();
    const deaf = `trap '' TERM INT HUP; setsid sleep ${seconds} & (setsid sh -c "trap '' TERM; sleep ${seconds}; sleep ${seconds}" &) ; echo up; sleep ${seconds}; sleep ${seconds}`;
    const place = await steward().place();
    for (const end of [(process: Process) => process.kill(), () => place.close()]) {
      const process = await place.start(["sh", "-c", deaf]);
      assert.equal(await createLines(process)(), "up");
      const start = performance.now();
      await end(process);
      const took = performance.now() - start;
      assert.deepEqual([processesWith(`sleep ${seconds}`), (await process.exited).code > 128], [[], true]);
      assert.ok(took < 30_000, `${took} ms`); // less than one second where nothing else runs
    }
    await assert.rejects(place.start(["true"]), (error) => hasCode(error, "unavailable"));
  });
  test("an engine that does not end its program when the turn is stopped has it ended", async () => {
    const stop = new AbortController();
    const place = await steward().place({ signal: stop.signal });
    const process = await place.start(["sleep", uniqueSleep()]);
    stop.abort();
    assert.equal((await process.exited).code > 128, true);
    await place.close();
  });
}

function programCases(within: Within, steward: () => StewardPlace): void {
  test("a program: missing with how to get it, brought, an older one, and only what the engine named", async () => {
    const { programs } = steward().steward;
    await within(async (place) => {
      await assert.rejects(place.program("parrot"), (error: Error & { hint?: string }) => {
        assert.deepEqual(
          [error.message, error.hint],
          [
            "parrot 1.2.3 is not there yet",
            "steward engines install parrot brings it (A bird that repeats; MIT), or the button on the settings page.",
          ],
        );
        return hasCode(error, "not_found");
      });
      await assert.rejects(place.program("other"), (error) => hasCode(error, "not_found"));
    });
    plant(programs.folder, '#!/bin/sh\necho "old $1"\n', "1.1.9");
    await within(async (place) => {
      const { path, version } = await place.program("parrot");
      assert.deepEqual([version, await ran(place, [path, "bird"])], ["1.1.9", "old bird\n"]);
    });
    plant(programs.folder, '#!/bin/sh\necho "new $1"\n');
    await within(async (place) => {
      const { path, version } = await place.program(NEED.name);
      assert.deepEqual([version, await ran(place, [path, "bird"])], ["1.2.3", "new bird\n"]);
    });
  });
}

const ASK = `
import json, os, sys, urllib.request, urllib.error
body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}).encode()
headers = {"content-type": "application/json", "accept": "application/json, text/event-stream", **json.loads(sys.argv[2])}
def ask(url, headers):
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=100)
        return "%d %s" % (answer.status, "serverInfo" in answer.read().decode())
    except urllib.error.HTTPError as error:
        return "%d" % error.code
print(ask(sys.argv[1], headers))
print(ask(sys.argv[1], {**headers, "authorization": "Bearer sk-of-nobody"}))
`;
const DIRECT = `
import socket
try:
    socket.create_connection(("1.1.1.1", 443), 3)
    print("out")
except OSError:
    print("walled")
`;

function doorCases(within: Within, walled: boolean): void {
  test("the doors are reached from inside with their key, and there is no other way out", async () => {
    await within(async (place) => {
      const { url, headers } = place.doors.tools;
      assert.equal(await ran(place, ["python3", "-c", ASK, url, JSON.stringify(headers)]), "200 True\n401\n");
      if (walled) assert.equal(await ran(place, ["python3", "-c", DIRECT]), "walled\n");
    });
  });
}

function deathCase(config: Case["config"]): void {
  test("killed with -9, Steward takes the program and all that it started with it", async () => {
    const seconds = uniqueSleep();
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "workplace-child.ts"), temporary(), JSON.stringify(config()), seconds],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const lines = createInterface({ input: child.stdout });
    const line = await new Promise<string>((resolve) => lines.once("line", resolve).once("close", () => resolve("closed")));
    assert.equal(line, "up");
    assert.notDeepEqual(processesWith(`sleep ${seconds}`), []);
    child.kill("SIGKILL");
    const until = performance.now() + 60_000;
    while (processesWith(`sleep ${seconds}`).length > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(processesWith(`sleep ${seconds}`), []);
  });
}

/** One line after the other; undefined at the end. */
function createLines(process: Process): () => Promise<string | undefined> {
  const reader = process.stdout[Symbol.asyncIterator]();
  const state = { rest: "" };
  return async () => {
    for (;;) {
      const cut = state.rest.indexOf("\n");
      if (cut >= 0) {
        const line = state.rest.slice(0, cut);
        state.rest = state.rest.slice(cut + 1);
        return line;
      }
      const { done, value } = await reader.next();
      if (done) return undefined;
      state.rest += Buffer.from(value).toString();
    }
  };
}
