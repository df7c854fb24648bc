// The way out seen from inside: what a command of a contained computer and of a guarded one reaches, through the real proxy.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import contained from "../src/computers/contained.ts";
import guarded from "../src/computers/guarded.ts";
import type { Computer, ComputerKind } from "../src/core/computer.ts";
import type { Mode } from "../src/core/types.ts";
import { plainOptions } from "../src/testing/computer-options.ts";
import { place } from "./egress-place.ts";
import { temporary } from "./harness.ts";

const SECRET = "s3cret-of-the-test";
const missing = process.platform === "linux" ? await guarded.missing() : "the tests from the inside are written for Linux";
if (missing !== undefined) console.log(`The way out of computers is not tested: ${missing}`);

async function build(kind: ComputerKind, mode: Mode) {
  const one = await place();
  const home = temporary();
  mkdirSync(join(home, "workspace"));
  const computer = await kind.open({
    ...{ person: "owner", mode, home, workspace: join(home, "workspace"), steward: one.home, hidden: () => [], env: process.env },
    ...plainOptions,
    egress: one.egress,
  });
  const saw: (string | undefined)[] = [];
  const api = await one.https("api.test", (req, res) => {
    saw.push(req.headers.authorization);
    res.end(`hello ${req.headers.authorization}`);
  });
  const own = await one.listening(createServer((socket) => void socket.end("not for computers")));
  one.set("computer.egress", [`api.test:${api}`]);
  one.set("outbound.allow", [`https://api.test:${api}`]);
  one.set("computer.secrets", { API_TOKEN: { secret: "api", hosts: [`api.test:${api}`] } });
  one.set("server.port", own);
  await one.steward.secrets.set("api", SECRET);
  return { one, computer, saw, api: `https://api.test:${api}/`, own };
}
type Scene = Awaited<ReturnType<typeof build>>;

for (const [kind, mode] of [
  [contained, "contained"],
  [guarded, "guarded"],
] as [ComputerKind, Mode][])
  describe(`out of ${mode}`, missing === undefined ? {} : { skip: missing }, () => {
    const held: { scene?: Scene } = {};
    const scene = (): Scene => held.scene!;
    const run = (computer: Computer, command: string, task?: string) =>
      computer.exec(command, { network: true, timeoutMs: 120_000, ...(task === undefined ? {} : { task }) });
    before(async () => void (held.scene = await build(kind, mode)));
    after(async () => {
      await held.scene?.computer.dispose();
      await held.scene?.one.close();
    });

    test("S-64: the host, Steward's port, the metadata address and private networks are out of reach, directly and by the proxy", async () => {
      const { one, computer, own } = scene();
      one.set("computer.egress", [`127.0.0.1:${own}`, "169.254.169.254", "10.0.0.1", new URL(scene().api).host]);
      const direct = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "1.1.1.1"].map((host) => `http://${host}:${own}/`);
      for (const url of direct) {
        const { code, stdout } = await run(computer, `curl -s --noproxy '*' --max-time 3 ${url}`);
        assert.deepEqual([url, code === 0, stdout], [url, false, ""]);
      }
      for (const url of [`http://127.0.0.1:${own}/`, "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"])
        assert.match(
          (await run(computer, `env -u no_proxy -u NO_PROXY curl -s --max-time 60 ${url}`)).stdout,
          /^Steward: .*not a public address/,
          url,
        );
      assert.notEqual((await run(computer, "python3 -c 'import socket; socket.getaddrinfo(\"example.org\", 80)'")).code, 0);
    });

    test("S-51 S-64: a listed host is reached with the secret put in, of which nothing is inside", async () => {
      const { computer, api, saw, one } = scene();
      const trusting = `curl -sS --max-time 60 -H "Authorization: Bearer $API_TOKEN" ${api}`;
      const { stdout, stderr } = await run(computer, trusting);
      const placeholder = one.egress.variables(1)["API_TOKEN"];
      assert.deepEqual([stdout, saw], [`hello Bearer ${placeholder}`, [`Bearer ${SECRET}`]], stderr);
      assert.ok(!(await run(computer, "env; cat /proc/self/environ; mount")).stdout.includes(SECRET));
    });

    test("S-64: another host asks the person, in the session of the command's task", async () => {
      const { one, computer } = scene();
      const web = await one.http((_, res) => void res.end("web"));
      one.set("outbound.allow", [`http://new.test:${web}`]);
      const task = await one.task();
      const going = run(computer, `curl -s --max-time 60 http://new.test:${web}/`, task.text);
      const ask = await one.asked();
      assert.deepEqual([ask.session, ask.scope], [task.session, `egress:new.test:${web}`]);
      await one.answer(ask, { choice: "allow", for: "once" });
      assert.equal((await going).stdout, "web");
    });

    test("ten megabytes pass whole in both directions", async () => {
      const { one, computer } = scene();
      const echo = await one.http((req, res) => void req.pipe(res));
      one.set("computer.egress", [`echo.test:${echo}`]);
      one.set("outbound.allow", [`http://echo.test:${echo}`]);
      const { stdout, stderr } = await run(
        computer,
        `head -c 10000000 /dev/urandom > big; curl -sS --max-time 60 -T big http://echo.test:${echo}/ | cmp - big && echo same`,
      );
      assert.equal(stdout, "same\n", stderr);
    });
  });
