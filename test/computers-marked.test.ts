// Computers take away as a whole only what lies in folders that Steward made and marked.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import contained from "../src/computers/contained.ts";
import type { Engine } from "../src/computers/docker/engine.ts";
import { parseSettings } from "../src/computers/docker/settings.ts";
import { openStorage, PLACES } from "../src/computers/docker/storage.ts";
import { ownOptions } from "../src/testing/computer-options.ts";

/** Makes the folders of a computer, and empties them, as each kind does. */
interface Kind {
  prepare(folder: string): Promise<void>;
  remove(folder: string): Promise<void>;
}
const open = (home: string): ReturnType<typeof contained.open> => contained.open(ownOptions(home));
const storage = (folder: string): ReturnType<typeof openStorage> =>
  openStorage({
    engine: { address: { kind: "unix", path: "/nowhere" } } as Engine,
    settings: parseSettings({ files: "folders" }),
    folder,
    container: "ada",
    labels: {},
    home: "/home/person",
    user: "person",
  });
const kinds: Record<string, Kind> = {
  contained: { prepare: async (home) => (await open(home)).dispose(), remove: async (home) => (await open(home)).machine!.remove() },
  docker: {
    prepare: async (folder) => (await storage(folder)).prepare(),
    remove: async (folder) => (await storage(folder)).remove(PLACES),
  },
};

describe("marks", { skip: process.platform !== "linux" && "Steward makes computers on Linux" }, () => {
  for (const [name, kind] of Object.entries(kinds)) {
    const place = (): string => join(realpathSync(mkdtempSync(join(tmpdir(), "steward-mark-"))), "ada");
    test(`S-67: ${name}: a folder that was there with something in it is never emptied, and it is said`, async () => {
      const folder = place();
      mkdirSync(join(folder, "home"), { recursive: true });
      writeFileSync(join(folder, "home/mine"), "mine");
      await kind.prepare(folder);
      await assert.rejects(kind.remove(folder), { code: "conflict", message: /was there before/ });
      assert.ok(existsSync(join(folder, "home/mine")));
      rmSync(join(folder, ".."), { recursive: true });
    });
    test(`S-67: ${name}: one that Steward made, or found empty, is marked, and goes; what others put beside stays`, async () => {
      for (const empty of [false, true]) {
        const folder = place();
        if (empty) mkdirSync(folder);
        await kind.prepare(folder);
        writeFileSync(join(folder, "home/file"), "");
        writeFileSync(join(folder, "beside"), "");
        await kind.remove(folder);
        assert.deepEqual(readdirSync(folder).toSorted(), [".steward-computer", "beside"]);
        rmSync(join(folder, ".."), { recursive: true });
      }
    });
    test(`S-67: ${name}: a link in the place of the mark does not count`, async () => {
      const folder = place();
      mkdirSync(join(folder, "home"), { recursive: true });
      writeFileSync(join(folder, "mark"), "");
      symlinkSync(join(folder, "mark"), join(folder, ".steward-computer"));
      await assert.rejects(kind.remove(folder), { code: "conflict" });
      rmSync(join(folder, ".."), { recursive: true });
    });
  }
});
