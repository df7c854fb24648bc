// Files into and out of a real contained computer: what lies in /data, what /return hands over and what it does not, notices, also after a restart.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { after, test } from "node:test";
import type { Event } from "../src/core/events.ts";
import contained from "../src/computers/contained.ts";
import { addDocument, listDocuments, removeDocument } from "../src/run/documents.ts";
import { fileBytes } from "../src/run/files.ts";
import { takeFile } from "../src/run/returns.ts";
import { makeSession } from "../src/run/sessions.ts";
import { once } from "../src/std/once.ts";
import { eventually, openPlace, type Place } from "./gateway-place.ts";
import { OWNER, temporary } from "./harness.ts";

const missing = await contained.missing();
const options = missing ? { skip: missing } : { timeout: 280_000 };
const home = temporary();
after(() => rm(home, { recursive: true, force: true }));
const WHO = { ...OWNER, via: "osAgent" as const };
const open = (): Promise<Place> =>
  openPlace({
    home,
    script: () => [{ do: "text", text: "seen" }],
    config: { "computer.kind": "contained", "notifications.pollSeconds": 0.3 },
  });

const names = (events: Event[]): string[] =>
  events.flatMap((event) => (event.type === "item.completed" && event.item.kind === "file" ? [event.item.file.name] : []));
const of = async (place: Place, session: string): Promise<Event[]> => (await place.events(session)).map(({ event }) => event);

test("a contained computer: documents in, plain files out, nothing else, each once, over a restart", options, async (t) => {
  const place = await open();
  const first = once(() => place.close());
  t.after(first);
  const { steward } = place.composed;
  const { id } = await makeSession(steward, WHO, {});
  const computer = await steward.computers.own("owner");
  const sh = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await computer.exec(["sh", "-c", script], { timeoutMs: 120_000 });
    assert.equal(code, 0, `${script}: ${stderr}`);
    return stdout;
  };

  const big = new Uint8Array(20_000_000).map((_, at) => (at * 31) % 241);
  const { path, id: given } = await addDocument(steward, WHO, { name: "big data.bin", bytes: big });
  assert.equal(path, "/data/big data.bin");
  assert.equal((await sh("sha256sum < '/data/big data.bin'")).split(" ")[0], createHash("sha256").update(big).digest("hex"));
  await sh("ln -s /etc/passwd /data/planted.txt; ln -s /nowhere /data/dangling.txt");
  assert.equal((await addDocument(steward, WHO, { name: "planted.txt", bytes: new Uint8Array([120]) })).path, "/data/planted (2).txt");
  assert.equal((await addDocument(steward, WHO, { name: "dangling.txt", bytes: new Uint8Array([120]) })).path, "/data/dangling (2).txt");
  await removeDocument(steward, WHO, given);
  assert.equal((await sh("ls /data")).includes("big"), false);

  // Made where it is not looked yet: what lies in /return unchanged for a moment is taken away.
  await sh(
    `mkdir /return/.steward-made && cd /return/.steward-made && mkdir -p sub/deeper && echo one > one.txt && echo two > sub/deeper/two.txt
    && ln -s /etc/passwd link && ln -s /data data && mkfifo pipe && truncate -s 2G giant && ln one.txt hard.txt
    && printf x > "$(printf 'a\\033[31m\\nb.txt')" && mv * .. && cd .. && rmdir .steward-made`.replaceAll("\n    ", " "),
  );
  await eventually(async () => names(await of(place, id)).length >= 4);
  assert.deepEqual(names(await of(place, id)).toSorted(), ["a b.txt", "hard.txt", "one.txt", "sub-deeper-two.txt"]);
  const returned = await listDocuments(steward, WHO, { session: id });
  const one = returned.find(({ name }) => name === "one.txt")!;
  assert.equal(new TextDecoder().decode(await fileBytes(steward, WHO, one.id)), "one\n");
  await eventually(async () => (await sh("ls /return")) === "data\ngiant\nlink\npipe\n");
  // Told after the last file was taken; in several notices, a minute apart, where a look came while the command was still at work.
  const left = ["/return/giant (larger than 1 GB)", "/return/link (a link)", "/return/pipe (not a file)"];
  await eventually(async () => {
    const told = (await of(place, id)).flatMap((event) =>
      event.type === "item.completed" && event.item.kind === "notice" ? [event.item.text] : [],
    );
    return left.every((one) => told.join().includes(one));
  }, 200_000);

  await sh("notify 'disk nearly full'");
  const heard = await eventually(async () => (await of(place, id)).find((event) => event.type === "message.received"));
  assert.deepEqual(heard.type === "message.received" && [heard.source, heard.parts], [
    "computer",
    [{ type: "text", text: "disk nearly full" }],
  ]);

  await sh("echo kept > ~/kept.txt");
  assert.equal((await takeFile(steward, WHO, `${computer.home}/kept.txt`)).document.name, "kept.txt");
  await assert.rejects(takeFile(steward, WHO, "/return/pipe"), { code: "invalid" });
  assert.equal(await sh("cat ~/kept.txt"), "kept\n");

  await steward.lookout.close();
  await sh("echo late > /return/late.txt");
  await first();
  const again = await open();
  try {
    await eventually(async () => names(await of(again, id)).includes("late.txt"));
    await again.composed.steward.lookout.look("owner");
    assert.equal(names(await of(again, id)).filter((name) => name === "late.txt").length, 1);
  } finally {
    await again.close();
  }
});
