// secrets.json: values encrypted with AES-256-GCM under a random key in secrets.key, and which names the keychain holds. Both files 0600.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { randomText } from "../std/id.ts";
import { StewardError } from "../std/error.ts";

export interface Vault {
  /** Where each name is kept. Throws `unavailable` when the file is damaged: never silently empty. */
  places(): Promise<Record<string, "file" | "keychain">>;
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  /** Writes down that the keychain holds this name, and drops a value of it kept here. */
  note(name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

const format = z.strictObject({ version: z.literal(1), keychain: z.array(z.string()), values: z.record(z.string(), z.string()) });
type Content = z.infer<typeof format>;

export function openVault(home: string): Vault {
  const path = join(home, "secrets.json");
  let writing: Promise<unknown> = Promise.resolve();
  /** One change after the other, so that none is lost. */
  const change = (edit: (content: Content) => Promise<void> | void): Promise<void> => {
    const run = writing.then(async () => {
      const content = await read(path);
      await edit(content);
      await replace(path, `${JSON.stringify(content, undefined, 2)}\n`);
    });
    writing = run.catch(() => undefined);
    return run;
  };
  const drop = (content: Content, name: string): void => {
    delete content.values[name];
    content.keychain = content.keychain.filter((other) => other !== name);
  };
  return {
    places: async () => {
      const { keychain, values } = await read(path);
      return Object.fromEntries([
        ...keychain.map((name) => [name, "keychain"] as const),
        ...Object.keys(values).map((name) => [name, "file"] as const),
      ]);
    },
    get: async (name) => {
      const { values } = await read(path);
      return Object.hasOwn(values, name) ? decrypt(name, values[name]!, await key(home, false)) : undefined;
    },
    set: (name, value) =>
      change(async (content) => {
        const secret = await key(home, Object.keys(content.values).length === 0);
        for (const [other, kept] of Object.entries(content.values).slice(0, 1)) decrypt(other, kept, secret);
        drop(content, name);
        content.values[name] = encrypt(name, value, secret);
      }),
    note: (name) =>
      change((content) => {
        drop(content, name);
        content.keychain.push(name);
      }),
    remove: (name) => change((content) => drop(content, name)),
  };
}

async function read(path: string): Promise<Content> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { version: 1, keychain: [], values: {} };
    throw damaged(path, error);
  }
  try {
    return format.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(path, error);
  }
}

/** The name is part of what is authenticated, so that values cannot be swapped. */
function encrypt(name: string, value: string, secret: Buffer): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", secret, nonce).setAAD(Buffer.from(name));
  return Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

function decrypt(name: string, text: string, secret: Buffer): string {
  try {
    const bytes = Buffer.from(text, "base64");
    const cipher = createDecipheriv("aes-256-gcm", secret, bytes.subarray(0, 12)).setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-16));
    return Buffer.concat([cipher.update(bytes.subarray(12, -16)), cipher.final()]).toString("utf8");
  } catch (error) {
    throw damaged("secrets.json", error);
  }
}

/** Made only when nothing is encrypted yet: a new key would make kept values unreadable. */
async function key(home: string, make: boolean): Promise<Buffer> {
  const path = join(home, "secrets.key");
  try {
    const bytes = Buffer.from((await readFile(path, "utf8")).trim(), "base64");
    if (bytes.length !== 32) throw new Error("the key has the wrong length");
    await chmod(path, 0o600);
    return bytes;
  } catch (error) {
    if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw damaged(path, error);
  }
  await mkdir(home, { recursive: true, mode: 0o700 });
  const fresh = `${path}.${randomText(8)}`;
  await put(fresh, `${randomBytes(32).toString("base64")}\n`);
  // A link fails when another process was first; then its key is the key.
  await link(fresh, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await rm(fresh);
  return await key(home, false);
}

async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${randomText(8)}`;
  await put(fresh, text);
  await rename(fresh, path);
}

async function put(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

const damaged = (path: string, cause: unknown): StewardError =>
  new StewardError("unavailable", `Stored secrets cannot be read: ${path} is damaged, unreadable, or does not fit the other file.`, {
    hint: "Restore secrets.json and secrets.key together from a backup, or move both away and enter the keys again.",
    cause,
  });
