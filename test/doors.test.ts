// The model's door where the provider speaks the program's wire: keys, replaced models, streams byte by byte, reservations, faults and signs of running in circles.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { choose } from "../src/commands/choose.ts";
import { makeSession, sessionKey } from "../src/run/sessions.ts";
import { StewardError } from "../src/std/error.ts";
import type { Action } from "../src/testing/model-server.ts";
import { writer } from "../src/testing/model-wires.ts";
import { ask, CANARY, doorsPlace, type DoorsPlace } from "./doors-place.ts";
import { OWNER } from "./harness.ts";

const QUESTION = { model: "claude-haiku-4-5", max_tokens: 100, stream: true, messages: [{ role: "user", content: "hi" }] };
const CHAT = { model: "gpt-mini", stream: true, messages: [{ role: "user", content: "hi" }] };
const TOOLS = { tools: [{ name: "look", input_schema: { type: "object" } }] };

async function within(use: (place: DoorsPlace) => Promise<void>, options: Parameters<typeof doorsPlace>[0] = {}): Promise<void> {
  const place = await doorsPlace(options);
  try {
    await use(place);
  } finally {
    await place.close();
  }
}

test("anthropic's stream passes byte by byte; the model is the turn's; usage with caches is settled", () =>
  within(async (place) => {
    const out = writer("anthropic", "test-1");
    const usage = { input: 120, output: 7, cached: 100 };
    const bytes = [
      out.begin(),
      out.thinking("Hm…"),
      out.signature("abc"),
      out.text("Hello"),
      ": odd but right\n\n",
      out.end("stop", usage),
    ].join("");
    place.server.script([{ do: "bytes", bytes }, { do: "end" }]);
    const doors = await place.open();
    const answer = await ask(doors, QUESTION);
    assert.equal(answer.status, 200);
    const text = await answer.text();
    assert.match(text.slice(0, -bytes.length), /^event: message_start\n[^\n]+\n\nevent: ping\n[^\n]+\n\n$/);
    assert.equal(text.slice(-bytes.length), bytes);
    assert.deepEqual(
      place.server.requests.map(({ path, body, headers }) => ({ path, model: body.model, key: headers["x-api-key"] })),
      [{ path: "/v1/messages", model: "test-1", key: CANARY }],
    );
    assert.deepEqual(place.reserved, [{ model: "anthropic/test-1", input: place.reserved[0]!.input, output: 100 }]);
    assert.deepEqual(place.spent, [{ call: place.reserved[0], usage }]);
    assert.deepEqual(doors.used(), usage);
    assert.equal(doors.fault(), undefined);
  }));

test("chat completions: usage is asked for and read, streamed or whole", () =>
  within(async (place) => {
    place.server.script([
      { do: "text", text: "Hello" },
      { do: "usage", input: 40, output: 9, cached: 30, thinking: 4 },
    ]);
    const doors = await place.open({ model: "open/test-2" });
    const streamed = await (await ask(doors, CHAT, { path: "/v1/chat/completions" })).text();
    assert.equal(streamed.endsWith("data: [DONE]\n\n"), true);
    const whole = (await (await ask(doors, { ...CHAT, stream: false }, { path: "/v1/chat/completions" })).json()) as Record<
      string,
      unknown
    >;
    assert.equal(whole["object"], "chat.completion");
    assert.deepEqual(
      place.server.requests.map(({ body }) => [body.model, body["stream_options"]]),
      [
        ["test-2", { include_usage: true }],
        ["test-2", undefined],
      ],
    );
    const usage = { input: 40, output: 9, cached: 30, thinking: 4 };
    assert.deepEqual(
      place.spent.map((one) => one.usage),
      [usage, usage],
    );
    assert.deepEqual(doors.used(), { input: 80, output: 18, cached: 60, thinking: 8 });
  }));

test("a budget that is reached refuses before the provider is asked, in the wire's own words", () =>
  within(async (place) => {
    place.budget.refuse = new StewardError("limit", "The day's budget of $2.00 is reached", { hint: "Extend it on the usage page." });
    const doors = await place.open();
    const anthropic = await ask(doors, QUESTION);
    assert.deepEqual(
      [anthropic.status, anthropic.headers.get("x-should-retry"), await anthropic.json()],
      [
        400,
        "false",
        {
          type: "error",
          error: { type: "invalid_request_error", message: "The day's budget of $2.00 is reached Extend it on the usage page." },
        },
      ],
    );
    const open = await place.open({ model: "open/test-1" });
    const chat = (await (await ask(open, CHAT, { path: "/v1/chat/completions" })).json()) as { error: object };
    assert.deepEqual(Object.keys(chat.error), ["message", "type", "param", "code"]);
    assert.equal(place.server.requests.length, 0);
    assert.deepEqual(doors.fault(), {
      code: "limit",
      message: "The day's budget of $2.00 is reached",
      hint: "Extend it on the usage page.",
    });
  }));

for (const [status, code, wanted] of [
  [429, "rate_limit_error", { code: "limit", reason: "rate" }],
  [401, "authentication_error", { code: "denied", reason: "key" }],
  [402, "billing_error", { code: "limit", reason: "quota" }],
  [529, "overloaded_error", { code: "unavailable", reason: "outage" }],
  [503, "api_error", { code: "unavailable", reason: "outage" }],
  [413, "request_too_large", { code: "limit", reason: "context" }],
] as const)
  test(`a ${status} is a fault in the provider's own explanation, and the program is told to give up`, () =>
    within(async (place) => {
      place.server.script([{ do: "status", status, code, message: `key ${CANARY} said no`, headers: { "retry-after": "3600" } }]);
      const doors = await place.open();
      const answer = await ask(doors, { ...QUESTION, ...TOOLS });
      const text = await answer.text();
      const { code: failure, reason, retryAt } = doors.fault()!;
      assert.deepEqual([answer.status, answer.headers.get("x-should-retry"), answer.headers.get("retry-after")], [400, "false", null]);
      assert.deepEqual({ code: failure, reason }, wanted);
      if (status === 429) assert.ok(retryAt! > Date.now() + 3_500_000);
      assert.equal(text.includes("CANARY"), false);
      assert.deepEqual(
        place.spent.map(({ usage }) => usage),
        [undefined],
      );
    }));

test("what is wrong with the request is told as the provider tells it", () =>
  within(async (place) => {
    place.server.script([{ do: "status", status: 400, code: "invalid_request_error", message: "messages.1: text is empty" }]);
    const doors = await place.open();
    const answer = await ask(doors, QUESTION);
    assert.deepEqual(
      [answer.status, await answer.json()],
      [400, { type: "error", error: { type: "invalid_request_error", message: "messages.1: text is empty" } }],
    );
  }));

test("a fault is over when the work goes on, and a title decides nothing", () =>
  within(async (place) => {
    const doors = await place.open();
    const work = { ...QUESTION, ...TOOLS };
    place.server.script([{ do: "status", status: 529, code: "overloaded_error" }]);
    await ask(doors, work);
    assert.equal(doors.fault()?.reason, "outage");
    place.server.script([{ do: "text", text: "A title" }]);
    assert.equal((await ask(doors, QUESTION)).status, 400); // its haste is not passed on
    assert.equal(place.server.requests.length, 1);
    place.later(6000);
    await (await ask(doors, QUESTION)).text();
    assert.equal(doors.fault()?.reason, "outage");
    await (await ask(doors, work)).text();
    assert.equal(doors.fault(), undefined);
    place.server.script([{ do: "status", status: 529, code: "overloaded_error" }]);
    await ask(doors, { ...QUESTION, max_tokens: 5 });
    assert.equal(doors.fault(), undefined);
  }));

test("an error in the middle, an answer without its end, a web page, silence: each is a fault", async (context) => {
  const cases = [
    [
      "error",
      [
        { do: "text", text: "Hel" },
        { do: "error", code: "overloaded_error", message: "busy" },
      ],
      /overloaded/,
    ],
    ["end", [{ do: "text", text: "Hel" }, { do: "end" }], /stopped in the middle/],
    ["html", [{ do: "html" }], /web page/],
    ["first byte", [{ do: "hang" }], /sent nothing/, { firstByteMs: 600, idleMs: 30_000 }],
    ["idle", [{ do: "text", text: "Hel" }, { do: "hang" }], /stopped in the middle/, { firstByteMs: 30_000, idleMs: 600 }],
    ["cut", [{ do: "text", text: "Hel" }, { do: "cut" }], /stopped in the middle/],
    ["nothing", [{ do: "bytes", bytes: "" }, { do: "end" }], /empty answer|stopped in the middle/],
  ] as const;
  for (const [name, script, words, patience] of cases)
    await context.test(name, () =>
      within(
        async (place) => {
          place.server.script([...script]);
          const doors = await place.open();
          await ask(doors, QUESTION)
            .then((answer) => answer.text())
            .catch(() => undefined);
          assert.match(doors.fault()?.message ?? "", words);
          assert.equal(place.spent.length, 1);
        },
        patience ? { patience } : {},
      ),
    );
});

test("a program that goes ends the request at the provider, and what it had cost is settled", () =>
  within(async (place) => {
    place.server.script([{ do: "text", text: "Hello", pieces: 5 }, { do: "hang" }]);
    const doors = await place.open();
    const gone = new AbortController();
    const answer = await ask(doors, QUESTION, { signal: gone.signal });
    const reader = answer.body!.getReader();
    await reader.read();
    gone.abort();
    assert.equal(await place.server.requests[0]!.closed, "left");
    while (place.spent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(place.spent[0]!.usage!.output > 0, true);
    assert.equal(doors.fault(), undefined);
  }));

test("an answer that is given up before it came counts the time in which the model may have thought; one that would come as a whole, all", () =>
  within(async (place) => {
    const given = async (more: object, { model = "anthropic/test-1", silentMs = 0, script = [{ do: "hang" }] as Action[] } = {}) => {
      place.server.script(script);
      const doors = await place.open({ model, turn: `trn_${place.spent.length}` });
      const [gone, asked, settled] = [new AbortController(), place.server.requests.length, place.spent.length];
      const answer = ask(doors, { ...QUESTION, max_tokens: 4000, ...more }, { signal: gone.signal });
      const heard = answer.then(async ({ body }) => body!.getReader().read()).catch(() => undefined);
      while (place.server.requests.length === asked) await new Promise((resolve) => setImmediate(resolve));
      if (script.length > 1) await heard;
      place.later(silentMs);
      gone.abort();
      while (place.spent.length === settled) await new Promise((resolve) => setImmediate(resolve));
      return place.spent.at(-1)!.usage?.output;
    };
    for (const model of ["anthropic/test-1", "open/test-1"])
      assert.deepEqual(
        [await given({}, { model }), await given({}, { model, silentMs: 2000 }), await given({}, { model, silentMs: 60_000 })],
        [0, 600, 4000],
        model,
      );
    assert.equal(await given({ stream: false }), 4000);
    const after = (await given({}, { silentMs: 2000, script: [{ do: "text", text: "Hello" }, { do: "hang" }] }))!;
    assert.ok(after > 600 && after < 620, String(after));
  }));

test("the end of the turn ends what is under way, and the key is nothing any more", () =>
  within(async (place) => {
    place.server.script([{ do: "text", text: "Hello" }, { do: "hang" }]);
    const doors = await place.open();
    const answer = await ask(doors, QUESTION);
    await doors.close();
    await assert.rejects(answer.text());
    assert.equal(await place.server.requests[0]!.closed, "left");
    assert.equal((await ask(doors, QUESTION)).status, 401);
  }));

test("the same request over and over, and answers without a word, end with a fault", () =>
  within(async (place) => {
    const doors = await place.open();
    const statuses: number[] = [];
    for (let at = 0; at < 8; at++) {
      const answer = await ask(doors, QUESTION);
      statuses.push(answer.status);
      await answer.text();
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 400, 400]);
    assert.match(doors.fault()!.message, /same thing/);
    place.server.script([]);
    const silent = await place.open({ turn: "trn_2" });
    for (let at = 0; at < 4; at++) await (await ask(silent, { ...QUESTION, max_tokens: at + 1 })).text();
    assert.match(silent.fault()!.message, /without a word/);
    assert.equal((await ask(silent, { ...QUESTION, max_tokens: 99 })).status, 400);
  }));

test("another model for small requests only where the owner says so", async () => {
  const place = await doorsPlace({ config: { "doors.models": { "*haiku*": "anthropic/test-2" } } });
  const doors = await place.open();
  for (const model of ["claude-haiku-4-5", "claude-sonnet-4-5"]) await (await ask(doors, { ...QUESTION, model })).text();
  assert.deepEqual(
    place.server.requests.map(({ body }) => body.model),
    ["test-2", "test-1"],
  );
  await place.close();
});

test("a pin to local models holds for what the owner has named too, wherever it is set", async () => {
  const place = await doorsPlace({
    config: {
      "doors.models": { "*haiku*": "far/big", "*mini*": "ollama/other-cloud", "*nano*": "ollama/other" },
      "providers.far": { kind: "compatible", baseUrl: "https://far.invalid/v1" },
    },
  });
  const { steward, reserved } = place;
  const [open, pinned] = [(await makeSession(steward, OWNER, {})).id, (await makeSession(steward, OWNER, {})).id];
  const merge = { [sessionKey("owner", pinned)]: { pin: "local" }, [sessionKey("owner", "ses_helper")]: { parent: pinned } };
  await steward.store.commit({ merge });
  const asked = async (session: string, model: string): Promise<string> => {
    const doors = await place.open({ session, model: "ollama/test" });
    await (await ask(doors, { ...QUESTION, model })).text();
    return reserved.pop()!.model;
  };
  for (const session of [pinned, "ses_helper"])
    assert.deepEqual(
      [await asked(session, "haiku"), await asked(session, "gpt-mini"), await asked(session, "gpt-nano")],
      ["ollama/test", "ollama/test", "ollama/other"],
    );
  assert.deepEqual([await asked(open, "haiku"), await asked(open, "gpt-mini")], ["far/big", "ollama/other-cloud"]);
  await choose(steward, OWNER, { scope: "person", model: "ollama/test", pin: "local" });
  assert.equal(await asked(open, "haiku"), "ollama/test");
  await place.close();
});

test("what another model fails of is told to the program and is no fault of the turn's, but its budget is", () =>
  within(
    async (place) => {
      const [small, large] = ["haiku", "sonnet"].map((model) => ({ ...QUESTION, ...TOOLS, model }));
      for (const status of [429, 401, 529]) {
        place.server.script([{ do: "status", status, code: "some_error" }]);
        const doors = await place.open({ turn: `trn_${status}` });
        assert.deepEqual([(await ask(doors, small!)).status, doors.fault()], [400, undefined]);
        assert.equal((await ask(doors, small!)).status, 400); // it rests
        place.server.script([{ do: "text", text: "fine" }]);
        const answer = await ask(doors, large!);
        await answer.text();
        assert.deepEqual([answer.status, doors.fault()], [200, undefined]);
      }
      assert.equal(place.server.requests.length, 6);
      place.budget.refuse = new StewardError("limit", "The day's budget of $2.00 is reached");
      const doors = await place.open();
      await ask(doors, small!);
      assert.equal(doors.fault()?.code, "limit");
    },
    { config: { "doors.models": { "*haiku*": "anthropic/test-2" } } },
  ));

test("a count that fails is an estimate: it rests no model, and one that succeeds ends no fault", async () => {
  const answers = { "/v1/messages/count_tokens": [429, "{}"], "/v1/messages": [529, "{}"] } as Record<string, [number, string]>;
  const server = createServer((request, response) => {
    request.resume();
    const [status, body] = answers[request.url!]!;
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  await within(
    async (place) => {
      const doors = await place.open();
      const { model, messages } = QUESTION;
      const count = async (): Promise<unknown> => (await ask(doors, { model, messages }, { path: "/v1/messages/count_tokens" })).json();
      const { input_tokens: estimated } = (await count()) as { input_tokens: number };
      assert.deepEqual([estimated > 5 && estimated < 60, doors.fault()], [true, undefined]);
      assert.deepEqual([(await ask(doors, QUESTION)).status, doors.fault()?.reason], [400, "outage"]);
      answers["/v1/messages/count_tokens"] = [200, '{"input_tokens":7}'];
      assert.deepEqual([await count(), doors.fault()?.reason], [{ input_tokens: 7 }, "outage"]);
    },
    { providers: { "providers.anthropic": { baseUrl: base } } },
  ).finally(() => server.close());
});

test("models are listed as the one there is; tokens are counted; embeddings are refused", () =>
  within(async (place) => {
    const doors = await place.open();
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(doors.models.anthropic + path, { headers: { authorization: `Bearer ${doors.key}`, ...headers } });
    const list = (await (await get("/v1/models")).json()) as { data: { id: string }[] };
    assert.deepEqual(
      list.data.map(({ id }) => id),
      ["test-1"],
    );
    const known = (await (await get("/v1/models/opus", { "anthropic-version": "2023-06-01" })).json()) as object;
    assert.deepEqual(known, { type: "model", id: "opus", display_name: "test-1", created_at: "2026-01-01T00:00:00Z" });
    assert.equal((await ask(doors, { input: "x" }, { path: "/v1/embeddings" })).status, 404);
    const open = await place.open({ model: "open/test-1" });
    const counted = (await (await ask(open, QUESTION, { path: "/v1/messages/count_tokens" })).json()) as { input_tokens: number };
    assert.equal(counted.input_tokens > 10 && counted.input_tokens < 60, true);
    assert.deepEqual(place.spent, []);
  }));
