// Images with a real engine: built from packages, cancelled, fetched with progress from a registry; and an engine reached over TLS.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createServer as createTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAddress } from "../src/computers/docker/address.ts";
import { buildImage } from "../src/computers/docker/build.ts";
import { openEngine, orNothing } from "../src/computers/docker/engine.ts";
import { tar } from "../src/computers/docker/tar.ts";
import { refuses } from "../src/testing/computer.ts";
import { dockerPlace } from "./docker-place.ts";
import { noEngine, testEngine, type TestEngine } from "./engine.ts";

const skip = noEngine;
const images = async ({ engine }: TestEngine): Promise<string[]> =>
  (await engine.call<{ RepoTags: string[] | null }[]>("GET", "/images/json")).flatMap(({ RepoTags }) => RepoTags ?? []).sort();
const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("steward-image-"));

test("an image is made from distribution packages and works as a computer", { skip }, async (context) => {
  const engine = await testEngine();
  context.after(() => engine.close());
  const lines: string[] = [];
  const work = { progress: (line: string) => void lines.push(line), signal: AbortSignal.timeout(280_000) };
  const name = await buildImage(engine.engine, { ...work, name: "steward-built", packages: ["bash", "coreutils", "python3"] });
  assert.equal(name, "steward-built");
  assert.ok(lines.length >= 1 && lines.every((line) => line.trim() !== ""));
  const place = dockerPlace(engine, { image: name });
  context.after(() => place.close());
  const computer = await place.open();
  assert.equal((await computer.exec("whoami; cd ~ && touch a && ls; cat /etc/pip.conf | head -1")).stdout, "person\na\n[global]\n");
  await computer.machine!.remove();
  await engine.engine.call("DELETE", "/images/steward-built");
  assert.deepEqual(left(), []);
});

test("a build that is cancelled leaves no image and no files behind", { skip }, async (context) => {
  const engine = await testEngine();
  context.after(() => engine.close());
  const before = await images(engine);
  const stop = new AbortController();
  const lines: string[] = [];
  const progress = (line: string): void => void (lines.push(line) === 2 && stop.abort(new Error("enough")));
  await assert.rejects(buildImage(engine.engine, { progress, signal: stop.signal, name: "steward-never", packages: ["bash"] }), /enough/);
  assert.deepEqual([await images(engine), left()], [before, []]);
});

/** A registry with one image of one layer that comes slowly, until two shares of it were `seen`. */
async function registry(seen: () => number): Promise<{ image: string; close(): void }> {
  const digest = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const parts: Uint8Array[] = [];
  for await (const part of tar([{ name: "blob", type: "file", mode: 0o644, bytes: randomBytes(3_000_000) }])) parts.push(part);
  const layer = Buffer.concat(parts);
  const platform = { architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux" };
  const config = Buffer.from(JSON.stringify({ ...platform, config: {}, rootfs: { type: "layers", diff_ids: [digest(layer)] } }));
  const about = (bytes: Buffer, mediaType: string): object => ({ mediaType, size: bytes.length, digest: digest(bytes) });
  const type = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: about(config, "application/vnd.docker.container.image.v1+json"),
      layers: [about(layer, "application/vnd.docker.image.rootfs.diff.tar")],
    }),
  );
  const slowly = async (response: ServerResponse): Promise<void> => {
    response.writeHead(200, { "content-length": layer.length });
    let at = 0;
    for (; at < layer.length && seen() < 2; at += 40_000) {
      response.write(layer.subarray(at, at + 40_000));
      await sleep(120); // the engine tells no more often
    }
    response.end(layer.subarray(at));
  };
  const server = createServer((request, response) => {
    if (request.url!.includes("/manifests/"))
      response
        .writeHead(200, { "content-type": type, "content-length": manifest.length, "docker-content-digest": digest(manifest) })
        .end(manifest);
    else if (request.url!.endsWith(digest(config))) response.writeHead(200).end(config);
    else if (request.url!.endsWith(digest(layer))) void slowly(response);
    else response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { image: `127.0.0.1:${(server.address() as AddressInfo).port}/test/slow:1`, close: () => server.close() };
}

test(
  "an absent image is fetched at the first use and its share is told; one without Python is refused in words",
  { skip },
  async (context) => {
    const engine = await testEngine();
    context.after(() => engine.close());
    const notes: string[] = [];
    const shares = (): number[] => notes.flatMap((note) => /^Fetching the image \S+, (\d+) %$/.exec(note)?.[1] ?? []).map(Number);
    const { image, close } = await registry(() => shares().filter((share) => share > 0).length);
    context.after(close);
    const place = dockerPlace(engine, { image });
    context.after(() => place.close());
    const computer = await place.open();
    const first = assert.rejects(computer.exec("true"), { code: "unavailable", message: /has no python3/ });
    for (let state = await computer.machine!.state(); state.state !== "failed"; state = await computer.machine!.state()) {
      if (state.note !== undefined && state.note !== notes.at(-1)) notes.push(state.note);
      await sleep(10);
    }
    await first;
    assert.ok(shares().length >= 2, notes.join("; "));
    assert.deepEqual(
      shares(),
      shares().toSorted((a, b) => a - b),
    );
    await computer.machine!.remove();
    await engine.engine.call("DELETE", `/images/${image}`);
  },
);

test("an image that can't be fetched: the error says how to make one", { skip }, async (context) => {
  const engine = await testEngine();
  context.after(() => engine.close());
  const place = dockerPlace(engine, { image: "127.0.0.1:9/none:1" });
  context.after(() => place.close());
  const computer = await place.open();
  await assert.rejects(computer.exec("true"), { code: "unavailable", hint: /steward computer build/ });
  const { state, note } = await computer.machine!.state();
  assert.deepEqual([state, /can't be fetched/.test(note!)], ["failed", true]);
});

/** An authority, a server and a client certificate in a folder, as Docker lays them out. */
function certificates(): string {
  const folder = mkdtempSync(join(tmpdir(), "steward-tls-"));
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  for (const name of ["server", "client"]) {
    openssl(
      "req",
      ...key,
      "-keyout",
      `${name}-key.pem`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${name}`,
      "-addext",
      "subjectAltName=IP:127.0.0.1",
    );
    const sign = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
  execFileSync("cp", ["client.pem", "cert.pem"], { cwd: folder });
  execFileSync("cp", ["client-key.pem", "key.pem"], { cwd: folder });
  return folder;
}

test("an engine over TLS: by its certificates only, and a computer there keeps its files in volumes", { skip }, async (context) => {
  const engine = await testEngine();
  context.after(() => engine.close());
  const folder = certificates();
  const pem = (name: string): string => readFileSync(join(folder, `${name}.pem`), "utf8");
  const secure = { ca: pem("ca"), cert: pem("server"), key: pem("server-key"), requestCert: true, rejectUnauthorized: true };
  const server = createTls(secure, (socket) => {
    const there = connect({ path: engine.socket });
    socket.pipe(there).pipe(socket);
    for (const [one, other] of [
      [socket, there],
      [there, socket],
    ] as const)
      one.on("error", () => other.destroy());
  });
  context.after(() => server.close());
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: folder };
  const place = dockerPlace(engine, { host });
  context.after(() => place.close());
  const computer = await place.open({ env });
  assert.equal((await computer.exec("id -un; echo kept > /data/a; cat /data/a")).stdout.split("\n").at(1), "kept");
  assert.ok(await orNothing(engine.engine.call("GET", `/volumes/${place.container}-data`)));
  const stranger = openEngine(await parseAddress(host, { DOCKER_TLS_VERIFY: "1" }), {});
  await refuses(stranger.call("GET", "/_ping"), "unavailable");
  stranger.close();
  rmSync(folder, { recursive: true });
});
