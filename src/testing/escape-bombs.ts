// Bombs: what uses everything up. The computer is stopped or refuses; this process and another's computer answer all the while. Limits are the computer's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../std/error.ts";
import type { Computer, ExecResult, Shell } from "../core/computer.ts";
import type { Asked, Scene } from "./escape.ts";

const LATE_MS = 800;
const ANSWER_MS = 3000;
const EVERY_MS = 25;
const TRIES = 3;

/** Something came too late: by the bomb, or because the machine stood still for a moment. */
class Late extends Error {}

/** A bomb goes off once more where something came too late: what it does to others it does each time. */
function bomb(name: string, { scene }: Asked, work: () => Promise<void>): void {
  test(name, async () => {
    for (let tries = 1; ; tries++)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Late) || tries === TRIES) throw error;
        await emptied(scene().computer);
      }
  });
}

/** While `work` lasts: no timer of this process comes late, the other computer's commands answer, and so does a server of this process. */
async function responsive<T>({ other, health, worst }: Scene, work: () => Promise<T>): Promise<T> {
  const seen = { late: 0, slow: 0, asked: 0, rounds: 0, over: false };
  const last = { at: performance.now() };
  const clock = setInterval(() => {
    const now = performance.now();
    seen.late = Math.max(seen.late, now - last.at - EVERY_MS);
    last.at = now;
  }, EVERY_MS);
  const asking = (async () => {
    while (!seen.over) {
      const began = performance.now();
      assert.equal((await other.exec("echo well", { timeoutMs: 10_000 })).stdout, "well\n");
      const between = performance.now();
      await health();
      seen.slow = Math.max(seen.slow, between - began);
      seen.asked = Math.max(seen.asked, performance.now() - between);
      seen.rounds++;
      await delay(50);
    }
  })();
  const result = await work().finally(async () => {
    seen.over = true;
    await asking;
    clearInterval(clock);
    worst(seen);
  });
  const told = `late ${Math.round(seen.late)} ms, slowest command ${Math.round(seen.slow)} ms, slowest request ${Math.round(seen.asked)} ms, of ${seen.rounds}`;
  assert.ok(seen.rounds > 0, told);
  if (seen.late >= LATE_MS || seen.slow >= ANSWER_MS || seen.asked >= ANSWER_MS) throw new Late(told);
  return result;
}

/** A result, or the reason in one word. */
const outcome = (work: Promise<ExecResult>): Promise<ExecResult | { code: string; stdout: string }> =>
  work.catch((error: unknown) => {
    assert.ok(hasCode(error, "limit") || hasCode(error, "unavailable"), String(error));
    return { code: (error as { code: string }).code, stdout: "" };
  });

async function usable(computer: Computer): Promise<void> {
  for (const end = Date.now() + 60_000; ; await delay(100)) {
    const { stdout } = await outcome(computer.exec("echo usable", { timeoutMs: 5000 }));
    if (stdout === "usable\n") return;
    assert.ok(Date.now() < end, "it is not usable any more");
  }
}

/** Removes what fills it, through the file members alone, which work while commands are refused. */
async function emptied(computer: Computer): Promise<void> {
  const isBomb = ({ name }: { name: string }): boolean => name.startsWith("bomb");
  const round = async (): Promise<boolean> => {
    const left = await computer.list("~", 2000);
    for (const one of left.filter(isBomb)) await computer.remove(one.path);
    return !left.some(isBomb);
  };
  for (const end = Date.now() + 60_000; ; await delay(100)) {
    const over = await round().catch((error: unknown) =>
      hasCode(error, "unavailable") || hasCode(error, "not_found") ? false : Promise.reject(error),
    );
    if (over) return usable(computer);
    assert.ok(Date.now() < end, "it can't be emptied");
  }
}

export function bombCases(asked: Asked): void {
  processBombs(asked);
  diskBombs(asked);
  openBombs(asked);
}

function processBombs(asked: Asked): void {
  const { scene } = asked;
  const under = async (command: string | string[], timeoutMs: number): Promise<void> => {
    const { computer } = scene();
    await responsive(scene(), () => outcome(computer.exec(command, { timeoutMs })));
    await usable(computer);
  };
  bomb("fork bombs, also one that multiplies in sessions of its own", asked, async () => {
    const seconds = `5${Math.random().toString().slice(2, 9)}`;
    await under(`b() { b | b & b | b & }; b; sleep ${seconds}`, 1000);
    await under(["python3", "-c", "import os\nwhile True:\n  try: os.fork(); os.setsid()\n  except OSError: pass", seconds], 1000);
    assert.deepEqual(scene().processes(seconds), []);
  });
  test("no more processes than are allowed live at once", async () => {
    const { computer } = scene();
    const count = `import os, time
n = 0
try:
    while n < 1000:
        if os.fork() == 0: time.sleep(600); os._exit(0)
        n += 1
except OSError: pass
print(n)`;
    const { stdout } = await computer.exec(["python3", "-c", count], { timeoutMs: 60_000 });
    assert.ok(Number(stdout) > 50 && Number(stdout) <= 128, stdout);
    await usable(computer);
  });
  bomb("memory: by one process, by many, and in every place that is kept in memory", asked, async () => {
    const { computer } = scene();
    await under(["python3", "-c", "x = []\nwhile True: x.append(bytearray(10 * 1024 ** 2))"], 8000);
    await under("for i in $(seq 20); do python3 -c 'import time; x = bytearray(100 * 1024 ** 2); time.sleep(1)' & done; wait", 8000);
    const places = "/tmp /var/tmp /dev/shm /run /dev";
    const empty = "rm -f /tmp/fill* /var/tmp/fill* /dev/shm/fill* /run/fill* /dev/fill*";
    const fill = `for at in ${places}; do for n in $(seq 15); do head -c 100000000 /dev/zero > $at/fill$n; done; done 2>/dev/null; df -k --output=used ${places} 2>/dev/null | tail -n +2`;
    const filling = responsive(scene(), () => outcome(computer.exec(fill, { timeoutMs: 15_000 })));
    const { stdout } = await filling.finally(() => computer.exec(empty).catch(() => undefined));
    const used = stdout
      .trim()
      .split("\n")
      .reduce((sum, line) => sum + Number(line), 0);
    assert.ok(used < 0.62 * 1024 ** 2, `${used} KB were kept in memory`);
    await usable(computer);
  });
  bomb("processor hogs", asked, () => under("for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait", 1500));
  bomb("150 MB of output, and a terminal that never stops", asked, async () => {
    const { computer } = scene();
    const { stdout, lost } = await responsive(scene(), () => computer.exec("head -c 150000000 /dev/zero", { maxBytes: 1000 }));
    assert.equal(stdout.length + lost, 1.5e8);
    const shell = await computer.shell({
      id: "flood",
      columns: 80,
      rows: 24,
      command: ["sh", "-c", "yes $(printf '\\033[31m\\033]0;x\\007\\033[6n\\033Pq')"],
    });
    const stop = new AbortController();
    const read = { bytes: 0 };
    const reading = responsive(scene(), async () => {
      for await (const one of shell.output({ signal: stop.signal }))
        if (one.type === "data" && (read.bytes += one.bytes.length) > 15e6) stop.abort();
      await delay(300);
    });
    await reading.finally(() => shell.close());
    assert.ok(read.bytes > 15e6);
    await usable(computer);
  });
}

function diskBombs(asked: Asked): void {
  const { scene } = asked;
  const ends = async (command: string, ms = 60_000): Promise<void> => {
    const { computer } = scene();
    const began = performance.now();
    const result = await responsive(scene(), () => outcome(computer.exec(command, { timeoutMs: ms })));
    assert.equal(result.code, "limit", `${JSON.stringify(result).slice(0, 300)} after ${Math.round(performance.now() - began)} ms`);
    await emptied(computer);
  };
  bomb("disk: many files, written as fast as it goes", asked, () =>
    ends("i=0; while :; do head -c 50000000 /dev/zero > ~/bomb$i; i=$((i+1)); done"),
  );
  bomb("disk: sparse at first, then filled", asked, () =>
    ends(
      "for i in $(seq 20); do truncate -s 100M ~/bomb$i; done; for i in $(seq 20); do dd if=/dev/zero of=$HOME/bomb$i bs=1M count=100 conv=notrunc 2>/dev/null; done; sleep 20",
    ),
  );
  bomb("disk: files that have no name any more", asked, () =>
    ends(`exec python3 -c "
import os, time
held = []
for at in range(20):
    held.append(open(os.path.expanduser('~/bomb'), 'wb', 0)); os.unlink(os.path.expanduser('~/bomb'))
    for _ in range(50): held[-1].write(bytes(1024 * 1024))
    time.sleep(0.05)
time.sleep(20)"`),
  );
  bomb("disk: in folders without rights, below names that are no text, and a thousand folders deep", asked, () =>
    ends(`exec python3 -c "
import os, time
home = os.path.expanduser('~')
os.mkdir(home + '/bomb'); os.chdir(home + '/bomb')
for at in range(1000): os.mkdir(b'\\xff' * 3); os.chdir(b'\\xff' * 3)
for at in range(20):
    with open(b'\\xfe%d' % at, 'wb') as file:
        for _ in range(40): file.write(bytes(1024 * 1024))
    time.sleep(0.05)
time.sleep(20)"`),
  );
  bomb("a zip bomb is unpacked as far as the disk goes", asked, () =>
    ends(
      `exec python3 -c "
import io, os, time, zipfile
os.mkdir(os.path.expanduser('~/bomb')); os.chdir(os.path.expanduser('~/bomb'))
with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as out:
    for at in range(4): out.writestr('big%d' % at, bytes(60 * 1024 ** 2))
zipfile.ZipFile('bomb.zip').extractall()
time.sleep(20)"`,
    ),
  );
  bomb("files without content, by the ten thousand", asked, () =>
    ends(
      `exec python3 -c "
import os, time
home = os.path.expanduser('~/bomb')
os.mkdir(home)
for at in range(30000): os.mknod(home + '/%d' % at)
time.sleep(40)"`,
    ),
  );
}

function openBombs(asked: Asked): void {
  const { scene } = asked;
  bomb("tunnels: hundreds that are never read, thousands that come and go", asked, async () => {
    const { computer } = scene();
    const flood = `import os, socket, time, urllib.parse
at = ("127.0.0.1", urllib.parse.urlsplit(os.environ["http_proxy"]).port)
def one(): return socket.create_connection(at, 5)
held = []
for n in range(400):
    try: held.append(one()); held[-1].setblocking(False); held[-1].send(bytes(100_000))
    except OSError: pass
for n in range(400):
    try: one().close()
    except OSError: pass
del held
for n in range(100):
    try:
        s = one(); s.sendall(b"heard"); got = s.recv(5); s.close()
        if got == b"heard": print("heard"); break
    except OSError: pass
    time.sleep(0.1)`;
    const { stdout, stderr } = await responsive(scene(), () => computer.exec(["python3", "-c", flood], { timeoutMs: 120_000 }));
    assert.equal(stdout, "heard\n", stderr);
    await usable(computer);
  });
  bomb("a thousand terminals and a thousand watches: those that are too many are refused, all are let go", asked, async () => {
    const { computer } = scene();
    const shells: Shell[] = [];
    const refusals = { count: 0 };
    const watches: (() => void)[] = [];
    const opening = responsive(scene(), async () => {
      for (let at = 0; at < 1000; at += 50) {
        const some = Array.from({ length: 50 }, (_, n) =>
          computer.shell({ id: `many${at + n}`, columns: 80, rows: 24, command: ["sleep", "4000"] }),
        );
        for (const one of await Promise.allSettled(some))
          if (one.status === "fulfilled") shells.push(one.value);
          else refusals.count += hasCode(one.reason, "limit") ? 1 : assert.fail(String(one.reason));
      }
      for (let at = 0; at < 1000; at += 50)
        for (const one of await Promise.allSettled(Array.from({ length: 50 }, () => computer.watch("/data", () => {}))))
          if (one.status === "fulfilled") watches.push(one.value);
          else refusals.count += hasCode(one.reason, "limit") ? 1 : assert.fail(String(one.reason));
    });
    await opening.finally(async () => {
      for (const stop of watches) stop();
      for (const shell of shells) await shell.close();
    });
    assert.ok(
      refusals.count > 800 && shells.length <= 128,
      `${shells.length} terminals, ${watches.length} watches, ${refusals.count} refusals`,
    );
    assert.deepEqual(
      (await computer.shells()).filter(({ id }) => id.startsWith("many")),
      [],
    );
    await usable(computer);
  });
}
