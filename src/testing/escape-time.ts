// Escapes from a time-out, and the supervisor stopped from outside: a command ends all the same. What ends it is the computer's.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Asked } from "./escape.ts";

/** Ways to live on, each ending in a process that sleeps so many seconds. */
const evasions = (seconds: string): Record<string, string> => ({
  "all signals trapped": `trap '' HUP INT QUIT TERM TSTP TTIN TTOU USR1 USR2 PIPE ALRM; sleep ${seconds}; sleep ${seconds}`,
  "forked twice into a session of its own": `( setsid sh -c '(setsid sleep ${seconds} &) ; exec sleep ${seconds}' & ); sleep ${seconds}`,
  nohup: `nohup sleep ${seconds} >/dev/null 2>&1 & nohup setsid nohup sleep ${seconds} >/dev/null 2>&1 & wait`,
  "born again at each SIGTERM": `exec python3 -c '
import os, signal, sys, time
def again(*_):
    for _ in range(2):
        if os.fork() == 0: os.setsid()
for one in range(1, 65):
    try: signal.signal(one, again)
    except (OSError, ValueError): pass
while True: time.sleep(0.01)
' ${seconds}`,
  "heeding no signal, holding nothing open, with the first process stopped": `exec python3 -c '
import os, signal, time
for one in range(1, 65):
    try: signal.signal(one, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        os.closerange(0, 64)
        os.execvp("sleep", ["sleep", "${seconds}"])
try: os.kill(1, signal.SIGSTOP)
except OSError: pass
time.sleep(600)' ${seconds}`,
  "always leaving its parent": `exec python3 -c '
import os, sys, time
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork(): os._exit(0)
    os.setsid(); time.sleep(0.002)
' ${seconds}`,
  "stopped by itself": `sh -c 'kill -STOP $$; sleep ${seconds}' & kill -STOP $$; sleep ${seconds}`,
  "a subreaper of its own": `exec python3 -c '
import ctypes, os, subprocess
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
subprocess.Popen(["setsid", "sleep", "${seconds}"]); subprocess.Popen(["sleep", "${seconds}"]).wait()' ${seconds}`,
});

export function evasionCases({ scene }: Asked): void {
  for (const [name, command] of Object.entries(evasions("SECONDS")))
    test(`S-68: a time-out ends it: ${name}`, async () => {
      const seconds = `7${Math.random().toString().slice(2, 9)}`;
      const began = performance.now();
      const leaves = name.startsWith("always");
      // Where its end is what ends it, a busy machine's late start does not.
      const timeoutMs = leaves ? 25_000 : 400;
      const { timedOut, code } = await scene().computer.exec(command.replaceAll("SECONDS", seconds), { timeoutMs });
      const took = performance.now() - began;
      assert.ok(took < 30_000, `it took ${Math.round(took)} ms`);
      // The one that leaves its parent ends as a command at once: what it left goes with it.
      const ended = leaves ? code === 0 && !timedOut : code > 128 && timedOut;
      assert.deepEqual({ left: scene().processes(seconds), ended }, { left: [], ended: true });
      assert.deepEqual(
        (await scene().computer.machine!.processes()).filter((one) => one.command.includes(seconds)),
        [],
      );
    });

  test("S-68: the supervisor itself is stopped: a command's time-out holds still, from outside", async () => {
    const { computer, freeze } = scene();
    const seconds = `7${Math.random().toString().slice(2, 9)}`;
    const began = { at: 0 };
    const running = computer.exec(`echo up; sleep ${seconds}`, { timeoutMs: 1000, onOutput: () => void freeze() });
    began.at = performance.now();
    const { timedOut } = await running;
    const took = performance.now() - began.at;
    assert.ok(timedOut && took < 30_000, `it took ${Math.round(took)} ms`);
    assert.deepEqual(scene().processes(seconds), []);
    assert.equal((await computer.exec("echo on")).stdout, "on\n");
  });

  for (const [limit, value] of [
    ["NOFILE", 8],
    ["NPROC", 1],
    ["AS", 4096],
    ["DATA", 4096],
    ["FSIZE", 0],
    ["STACK", 4096],
    ["CPU", 1],
  ])
    test(`its ${limit} limit turned down by what runs inside, the computer works on, or again after a stop`, async () => {
      const { computer } = scene();
      const starve = `import resource; resource.prlimit(1, resource.RLIMIT_${limit}, (${value}, ${value}))`;
      await computer.exec(["python3", "-c", starve], { timeoutMs: 5000 }).catch(() => undefined);
      const works = async (timeoutMs: number): Promise<boolean> =>
        (await computer.exec("echo works", { timeoutMs }).catch(() => undefined))?.stdout === "works\n";
      for (let round = 0; round < 3; round++) if (await works(5000)) break;
      await computer.machine!.stop();
      assert.ok(await works(60_000), "it does not come back");
    });

  test("what Steward keeps inside is spoilt: it is put right at the next start", async () => {
    const { computer } = scene();
    const spoilt = async (command: string): Promise<void> => {
      await computer.exec(command, { cwd: "/" });
      await computer.machine!.stop();
      const looks = "stat -c '%F %a' /state/notifications ~; notify hello && ls /state/notifications/ | wc -l";
      const { stdout, stderr } = await computer.exec(looks, { cwd: "/" });
      assert.match(stdout, /^directory [75]..\ndirectory [75]..\n[1-9]\d*\n$/, `${stdout}${stderr}`);
    };
    await spoilt(
      "rm -rf /state/tools /state/notifications /run/steward/*; ln -s /nowhere /state/tools; ln -s / /state/notifications; mkdir -p /run/steward.sock/x",
    );
    await spoilt("rm -rf /state/tools; echo file > /state/tools; rm -rf /state/notifications; echo file > /state/notifications");
    await spoilt("rm -rf /state/tools; mkdir -p /state/tools/bin/notify/x /state/tools/trust.pem/x");
    await spoilt("chmod 0 /state/tools /state/notifications ~ /data /return; chmod 0 /state");
  });
}
