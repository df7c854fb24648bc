// The model providers against a scripted endpoint, each in its own wire format.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import type { ModelHost, Provider } from "../src/core/ports.ts";
import { StewardError } from "../src/std/error.ts";
import { noLog } from "../src/std/log.ts";
import anthropic from "../src/models/anthropic.ts";
import compatible from "../src/models/compatible.ts";
import { retryTime } from "../src/models/retry-time.ts";
import kimiCode from "../src/models/kimi-code.ts";
import moonshot from "../src/models/moonshot.ts";
import ollama from "../src/models/ollama.ts";
import { outbound } from "../src/run/outbound.ts";
import { asked, modelContract, type ModelSubject, tools, user } from "../src/testing/model.ts";
import { modelServer, type Wire } from "../src/testing/model-server.ts";

const NOW = 1_800_000_000_000;
const KEY = "sk-test+0123456789/abcdef";
const server = await modelServer();
after(() => server.close());

const host = (more: Partial<ModelHost> = {}): ModelHost => ({ fetch, key: async () => KEY, env: {}, now: () => NOW, ...more });
/** Any of them, whatever its settings are. */
interface Kind {
  name: string;
  config: { parse(value: unknown): unknown; safeParse(value: unknown): { success: boolean } };
  open(config: never, host: ModelHost): Promise<Provider>;
}
const opened = (kind: Kind, config: object = {}, more: Partial<ModelHost> = {}): Promise<Provider> =>
  kind.open(kind.config.parse(config) as never, host(more));

const moonshotAdvice = "A key of Kimi Code works with the provider kimi-code (KIMI_API_PROVIDER=kimi-code).";
const codeAdvice = "A key of Moonshot's open platform works with the provider moonshot (KIMI_API_PROVIDER=moonshot).";
const subjects: [Kind, Wire, Partial<ModelSubject>][] = [
  [compatible, "openai", { variable: "OPENAI_API_KEY" }],
  [anthropic, "anthropic", { variable: "ANTHROPIC_API_KEY" }],
  [ollama, "ollama", {}],
  [kimiCode, "openai", { variable: "KIMI_API_KEY", advice: codeAdvice }],
  [moonshot, "openai", { variable: "KIMI_API_KEY", advice: moonshotAdvice }],
];
const keepsContract = ([kind, wire, more]: (typeof subjects)[number], given?: Parameters<typeof opened>[2]): void =>
  modelContract({
    name: kind.name,
    wire,
    server,
    key: KEY,
    now: NOW,
    open: (settings = {}) => opened(kind, { baseUrl: server.url + (wire === "ollama" ? "" : "/v1"), ...settings }, given),
    ...more,
  });
for (const subject of subjects) keepsContract(subject);

describe("by the outbound client", () => {
  const client = outbound({ allow: (origin) => origin === server.url, log: noLog });
  after(() => client.close());
  for (const subject of subjects.slice(0, 3)) keepsContract(subject, { fetch: client });
});

const failed =
  (code: string, message: RegExp, hint: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof StewardError);
    assert.deepEqual(
      [error.code, message.test(error.message), hint.test(error.hint ?? "")],
      [code, true, true],
      `${error.message} / ${error.hint}`,
    );
    return true;
  };

describe("settings", () => {
  const sent = async (kind: Kind, config: object, options: { id?: string; tools?: typeof tools; env?: Record<string, string> } = {}) => {
    server.script([{ do: "text", text: "ok" }]);
    const { env = {}, ...call } = options;
    const { error } = await asked(await opened(kind, config, { env }), call);
    assert.equal(error, undefined);
    const { messages: _, tools: __, ...body } = server.requests.at(-1)!.body;
    return body;
  };
  const base = { baseUrl: `${server.url}/v1` };
  const stream = { stream: true, stream_options: { include_usage: true } };

  test("kimi: the documented defaults, thinking off beside tools", async () => {
    server.models = ["test-1", "test-2", "kimi-k2.5", "kimi-k9"];
    for (const kind of [kimiCode, moonshot]) {
      assert.deepEqual(await sent(kind, base, { id: "default", tools }), {
        model: "kimi-k2.5",
        max_tokens: 8192,
        temperature: 0.6,
        top_p: 0.95,
        ...stream,
        thinking: { type: "disabled" },
      });
      assert.deepEqual(await sent(kind, base, { id: "default" }), { model: "kimi-k2.5", max_tokens: 8192, top_p: 0.95, ...stream });
      assert.deepEqual(await sent(kind, { ...base, thinking: "on" }, { id: "default", tools }), {
        model: "kimi-k2.5",
        max_tokens: 8192,
        top_p: 0.95,
        ...stream,
        thinking: { type: "enabled" },
      });
      assert.deepEqual(await sent(kind, base, { id: "default", env: { KIMI_MODEL: "kimi-k9" } }), {
        model: "kimi-k9",
        max_tokens: 8192,
        temperature: 0.6,
        top_p: 0.95,
        ...stream,
      });
      assert.equal((await opened(kind)).window("default"), 262_144);
      assert.equal((await opened(kind)).window("moonshot-v1-32k"), 32_768);
    }
    server.models = ["test-1", "test-2"];
  });
  test("kimi: the documented addresses, asked for nothing but by their own host", async () => {
    const urls: string[] = [];
    const refuse = async (url: unknown) => {
      urls.push(String(url));
      throw new StewardError("denied", "not in this test");
    };
    for (const kind of [kimiCode, moonshot, anthropic]) await asked(await opened(kind, {}, { fetch: refuse }), { id: "default" });
    assert.deepEqual(urls, [
      "https://kimi.com/api/v1/chat/completions",
      "https://api.moonshot.ai/v1/chat/completions",
      "https://api.anthropic.com/v1/messages",
    ]);
  });
  test("ollama: its variables, and what the configuration says before them", async () => {
    const env = { OLLAMA_HOST: server.url.replace("http://", ""), OLLAMA_MODEL: "test-2", OLLAMA_NUM_CTX: "4096" };
    assert.deepEqual(await sent(ollama, {}, { id: "default", env }), {
      model: "test-2",
      stream: true,
      keep_alive: "30m",
      options: { num_ctx: 4096, temperature: 0, num_predict: 8192 },
    });
    const config = { model: "test-1", numCtx: 2048, think: false, keepAlive: -1, temperature: 1 };
    assert.deepEqual(await sent(ollama, config, { id: "default", env }), {
      model: "test-1",
      stream: true,
      think: false,
      keep_alive: -1,
      options: { num_ctx: 2048, temperature: 1, num_predict: 8192 },
    });
    assert.deepEqual(await sent(ollama, { baseUrl: server.url, reasoning: "low" }), {
      model: "test-1",
      stream: true,
      think: true,
      keep_alive: "30m",
      options: { num_ctx: 32_768, temperature: 0, num_predict: 8192 },
    });
    assert.equal((await opened(ollama)).window("any"), 32_768);
  });
  test("anthropic: breakpoints after tools, instructions and the newest message", async () => {
    server.script([{ do: "text", text: "ok" }]);
    await asked(await opened(anthropic, base), { tools, prompt: [{ role: "system", content: "S" }, user("a"), user("b")] });
    const { body } = server.requests.at(-1)!;
    const cache_control = { type: "ephemeral" };
    assert.deepEqual(
      [body["system"], body.messages, body.tools?.map((tool: object) => "cache_control" in tool), body["max_tokens"]],
      [
        [{ type: "text", text: "S", cache_control }],
        [
          {
            role: "user",
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b", cache_control },
            ],
          },
        ],
        [false, true],
        8192,
      ],
    );
  });
  test("compatible: headers, no key, thinking kept back, a list of one's own", async () => {
    server.script([{ do: "text", text: "ok" }]);
    const config = { ...base, headers: { "X-Team": "blue" }, sendThinking: false, models: ["a", "b"], window: { a: 5000 }, name: "mine" };
    const provider = await opened(compatible, config, { key: async () => undefined });
    await asked(provider, {
      prompt: [
        user("a"),
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "secret thought" },
            { type: "text", text: "b" },
          ],
        },
        user("c"),
      ],
    });
    const { body, headers } = server.requests.at(-1)!;
    assert.deepEqual(
      [body.messages, headers["x-team"], headers.authorization],
      [
        [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
          { role: "user", content: "c" },
        ],
        "blue",
        undefined,
      ],
    );
    assert.deepEqual([provider.window("a"), provider.window("gpt-4o"), await provider.list()], [5000, 128_000, ["test-1", "test-2"]]);
    assert.equal("max_tokens" in body, false);
    server.models = ["gpt-5-mini"];
    assert.deepEqual(await sent(compatible, { ...base, maxTokens: 50 }, { id: "gpt-5-mini" }), {
      model: "gpt-5-mini",
      max_completion_tokens: 50,
      ...stream,
    });
    server.models = ["test-1", "test-2"];
    const other = await opened(compatible, { ...config, baseUrl: `${server.url}/elsewhere` });
    assert.deepEqual(await other.list(), ["a", "b"]);
  });
  test("what is missing or wrong is said, and where to set it", async () => {
    await assert.rejects(opened(compatible), failed("invalid", /^compatible needs an address/, /providers\.compatible\.baseUrl/));
    await assert.rejects(opened(kimiCode, {}, { key: async () => undefined }), failed("invalid", /^kimi-code needs a key/, /KIMI_API_KEY/));
    await assert.rejects(
      opened(anthropic, {}, { key: async () => "  " }),
      failed("invalid", /^anthropic needs a key/, /ANTHROPIC_API_KEY/),
    );
    await assert.rejects(
      opened(compatible, base, { key: async () => "two\nlines" }),
      failed("invalid", /characters that no key has/, /Copy it again/),
    );
    await assert.rejects(
      opened(compatible, { baseUrl: "http://me:secret@127.0.0.1/v1" }),
      (error: Error) => failed("invalid", /no user name/, /baseUrl/)(error) && !error.message.includes("secret"),
    );
    await assert.rejects(opened(ollama, { baseUrl: "http://" }), failed("invalid", /is no address/, /OLLAMA_HOST/));
    assert.equal(compatible.config.safeParse({ baseURL: "http://x" }).success, false);
    assert.equal(compatible.config.safeParse({ baseUrl: "file:///etc/passwd" }).success, false);
    assert.equal(compatible.config.safeParse({ headers: { "X-A": "two\nlines" } }).success, false);
    assert.equal(compatible.config.safeParse({ key: "sk-plain" }).success, false);
  });
});

describe("faults beside those on the wire", () => {
  const failure = async (config: object, more: Partial<ModelHost> = {}) => {
    const provider = await opened(compatible, config, more);
    return provider.explain((await asked(provider)).error, "test-1");
  };
  const hint = "Check the connection, and that providers.compatible.baseUrl is right.";
  test("nothing listens", async () => {
    const gone = await modelServer();
    await gone.close();
    assert.deepEqual(await failure({ baseUrl: `${gone.url}/v1` }), {
      code: "unavailable",
      message: `compatible can't be reached at ${gone.url}: nothing answers there.`,
      hint,
    });
    const provider = await opened(compatible, { baseUrl: `${gone.url}/v1` });
    await assert.rejects(provider.list(), failed("unavailable", /nothing answers there/, /baseUrl/));
  });
  test("no such host", async () => {
    const fail = async () =>
      Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }) }));
    assert.deepEqual(await failure({ baseUrl: "http://nowhere.invalid/v1" }, { fetch: fail }), {
      code: "unavailable",
      message: "compatible can't be reached at http://nowhere.invalid: there is no such host.",
      hint,
    });
  });
  test("a policy that forbids the address keeps its own words", async () => {
    const fail = async () => Promise.reject(new StewardError("denied", "Not allowed.", { hint: "Allow it." }));
    assert.deepEqual(await failure({ baseUrl: "http://10.0.0.1/v1" }, { fetch: fail }), {
      code: "denied",
      message: "Not allowed.",
      hint: "Allow it.",
    });
  });
  test("a key from the environment is named by its variable", async () => {
    server.script([{ do: "status", status: 401, code: "invalid_api_key", message: "no" }]);
    const provider = await opened(moonshot, { baseUrl: `${server.url}/v1` }, { env: { KIMI_API_KEY: KEY } });
    assert.match(
      (await provider.explain((await asked(provider)).error, "test-1")).hint ?? "",
      /^The key comes from KIMI_API_KEY in the environment/,
    );
  });
  test("an address where nothing is", async () => {
    const baseUrl = `${server.url}/wrong`;
    assert.deepEqual(await failure({ baseUrl }), {
      code: "not_found",
      message: `compatible has nothing at ${baseUrl}.`,
      hint: "Check providers.compatible.baseUrl.",
    });
  });
  test("an error body of any size is read up to 64 KB", async () => {
    server.script([{ do: "status", status: 400, body: "x".repeat(50_000_000) }]);
    const result = await failure({ baseUrl: `${server.url}/v1` });
    assert.deepEqual([result.code, result.message.length < 300], ["invalid", true]);
    assert.equal(await server.requests.at(-1)!.closed, "left");
  });
  test("explain takes anything", async () => {
    const provider = await opened(compatible, { baseUrl: `${server.url}/v1` });
    const loop: { cause?: unknown } = {};
    loop.cause = loop;
    for (const thing of [
      undefined,
      null,
      0,
      "text",
      {},
      [],
      new Error("x"),
      loop,
      { message: 5 },
      { statusCode: "x" },
      new DOMException("a", "AbortError"),
    ])
      assert.equal(typeof (await provider.explain(thing, "test-1")).message, "string");
  });
  test("times to try again in all their spellings", () => {
    const table: [Record<string, string>, number | undefined][] = [
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": "1.5" }, 1500],
      [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
      [{ "retry-after": "soon" }, undefined],
      [{ "retry-after": new Date(NOW - 60_000).toUTCString() }, 0],
      [{ "retry-after": "99999999999" }, 31 * 86_400_000],
      [{ "x-ratelimit-reset": "20" }, 20_000],
      [{ "x-ratelimit-reset": String(NOW / 1000 + 12) }, 12_000],
      [{ "x-ratelimit-reset": String(NOW + 34_000) }, 34_000],
      [{ "x-ratelimit-reset-tokens": "20ms" }, 20],
      [{ "anthropic-ratelimit-requests-reset": new Date(NOW + 8000).toISOString(), "anthropic-ratelimit-requests-remaining": "0" }, 8000],
      [
        { "anthropic-ratelimit-requests-reset": new Date(NOW + 8000).toISOString(), "anthropic-ratelimit-requests-remaining": "3" },
        undefined,
      ],
      [{}, undefined],
    ];
    for (const [headers, ms] of table)
      assert.equal(retryTime(headers, NOW), ms === undefined ? undefined : NOW + ms, JSON.stringify(headers));
  });
});

test("importing an adapter loads no SDK; opening one does", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
    const kinds = [];
    for (const name of ["compatible", "anthropic", "ollama", "kimi-code", "moonshot"]) kinds.push((await import(process.argv[1] + name + ".ts")).default);
    const before = seen.filter((url) => /ai-sdk|ollama-ai|zod\\/v4\\/classic/.test(url)).length;
    await kinds[0].open(kinds[0].config.parse({ baseUrl: "http://127.0.0.1:1/v1" }), { fetch, env: {}, key: async () => undefined, now: Date.now });
    console.log(JSON.stringify([before, seen.some((url) => url.includes("@ai-sdk/openai-compatible"))]));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    script,
    new URL("../src/models/", import.meta.url).href,
  ]);
  assert.deepEqual(JSON.parse(stdout), [0, true]);
});
