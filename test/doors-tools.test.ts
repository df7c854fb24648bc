// Steward's tools over MCP as engines' programs get them: clients of both revisions, progress, cancelling, long waits, calls asked for twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod/mini";
import type { Event, Stored } from "../src/core/events.ts";
import { pendingCalls } from "../src/core/history.ts";
import type { Host, Turn } from "../src/core/ports.ts";
import { openRecord } from "../src/engines/record.ts";
import type { DoorsOrder, OpenDoors } from "../src/run/doors.ts";
import { toolbox } from "../src/run/toolbox.ts";
import { type DoorsPlace, ECHO, within } from "./doors-place.ts";
import { OWNER } from "./harness.ts";

async function connected(doors: OpenDoors, modern: boolean, how: { fetch?: typeof fetch } = {}): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, modern ? { versionNegotiation: { mode: "auto" } } : {});
  const { url, headers } = doors.tools;
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers }, ...how }));
  return client;
}

for (const modern of [false, true])
  test(`a client of ${modern ? "2026-07-28" : "2025-11-25"} lists the turn's tools and calls them`, () =>
    within(async (place) => {
      const doors = await place.open();
      const client = await connected(doors, modern);
      assert.equal(client.getNegotiatedProtocolVersion(), modern ? "2026-07-28" : "2025-11-25");
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
        [{ name: "echo", description: "Says it again.", inputSchema: ECHO.schema }],
      );
      const result = await client.callTool({ name: "echo", arguments: { text: "hi" } });
      assert.deepEqual(result.content, [{ type: "text", text: "hi" }]);
      assert.deepEqual(
        place.calls.map(({ call }) => ({ tool: call.tool, input: call.input })),
        [{ tool: "echo", input: { text: "hi" } }],
      );
      await client.close();
    }));

const slow = (more: Partial<DoorsOrder>, place: DoorsPlace) => place.open({ tools: [ECHO], ...more });

test("what fails is told as an error with its output", () =>
  within(async (place) => {
    const doors = await slow({ call: async () => ({ success: false, output: { code: 2 }, error: "It did not work" }) }, place);
    const client = await connected(doors, true);
    const result = await client.callTool({ name: "echo", arguments: { text: "x" } });
    assert.deepEqual([result.isError, result.content], [true, [{ type: "text", text: 'It did not work\n{"code":2}' }]]);
    await client.close();
  }));

for (const modern of [false, true])
  test(`a call is cancelled by a client of ${modern ? "2026" : "2025"}, and what it shows is told as progress`, () =>
    within(async (place) => {
      const begun = Promise.withResolvers<AbortSignal>();
      const doors = await slow(
        {
          call: (_call, how) => {
            how!.output!("half way there\n");
            begun.resolve(how!.signal!);
            return new Promise(() => {});
          },
        },
        place,
      );
      const client = await connected(doors, modern);
      const stop = new AbortController();
      const shown = Promise.withResolvers<string | undefined>();
      const call = client.callTool(
        { name: "echo", arguments: { text: "x" } },
        { signal: stop.signal, onprogress: ({ message }) => shown.resolve(message) },
      );
      const signal = await begun.promise;
      assert.equal(await shown.promise, "half way there");
      stop.abort();
      await assert.rejects(call);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await client.close();
    }));

test("the end of the turn ends a call that waits, and its key", () =>
  within(async (place) => {
    const begun = Promise.withResolvers<AbortSignal>();
    const doors = await slow(
      {
        call: (_call, how) => {
          begun.resolve(how!.signal!);
          return new Promise(() => {});
        },
      },
      place,
    );
    const client = await connected(doors, false);
    const call = client.callTool({ name: "echo", arguments: { text: "x" } });
    call.catch(() => undefined);
    const signal = await begun.promise;
    await doors.close();
    assert.equal(signal.aborted, true);
    await assert.rejects(client.listTools());
    await client.close();
  }));

test("the same call asked for twice while it runs is made once", () =>
  within(async (place) => {
    const go = Promise.withResolvers<void>();
    const ids: string[] = [];
    const doors = await slow(
      {
        call: async ({ id }) => {
          ids.push(id);
          await go.promise;
          return { success: true, output: "once", error: null };
        },
      },
      place,
    );
    // The headers of an answer come when its call has arrived there.
    const arrived = { calls: 0 };
    const counting: typeof fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (String(init?.body).includes('"tools/call"')) arrived.calls++;
      return response;
    };
    const [one, other] = [await connected(doors, false), await connected(doors, false, { fetch: counting })];
    const asked = { name: "echo", arguments: { text: "x" }, _meta: { "claudecode/toolUseId": "toolu_0123456789" } };
    const first = one.callTool(asked);
    while (ids.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = other.callTool(asked);
    const third = other.callTool({ ...asked, _meta: {} });
    while (ids.length < 2 || arrived.calls < 2) await new Promise((resolve) => setImmediate(resolve));
    go.resolve();
    assert.deepEqual(
      (await Promise.all([first, second, third])).map(({ content }) => content),
      Array.from({ length: 3 }, () => [{ type: "text", text: "once" }]),
    );
    assert.deepEqual([ids.length, ids[0]], [2, "toolu_0123456789"]);
    await Promise.all([one.close(), other.close()]);
  }));

test("something passes while a call waits for a person", () =>
  within(async (place) => {
    const go = Promise.withResolvers<void>();
    const doors = await slow(
      {
        call: async () => {
          await go.promise;
          return { success: true, output: "yes", error: null };
        },
      },
      place,
    );
    const answer = await fetch(doors.tools.url, {
      method: "POST",
      headers: { ...doors.tools.headers, "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: {} } }),
    });
    assert.match(answer.headers.get("content-type") ?? "", /event-stream/); // headers are there before the answer is
    go.resolve();
    assert.match(await answer.text(), /"text":"yes"/);
  }));

test("the gate gives up one call by itself, and tells what it shows", () =>
  within(async ({ steward }) => {
    const begun = Promise.withResolvers<void>();
    steward.tools = async () => [
      {
        ...{ name: "wait", description: "Waits.", capability: "none", effect: "read", input: z.object({}) },
        run: (_input, { signal, output }) =>
          new Promise((_, reject) => {
            output("waiting");
            begun.resolve();
            signal.addEventListener("abort", () => reject(new Error("given up")));
          }),
      },
    ];
    const whole = new AbortController();
    const call = toolbox(steward, {
      ...{ principal: OWNER, session: "ses_1", turn: "trn_1", signal: whole.signal, how: {} },
      live: () => {},
      log: async () => [],
      emit: async () => {},
      away: (work) => work,
    });
    const [stop, shown] = [new AbortController(), [] as string[]];
    const result = call({ id: "call_1", tool: "wait", input: {} }, { signal: stop.signal, output: (text) => shown.push(text) });
    await begun.promise;
    stop.abort();
    assert.deepEqual([(await result).error, shown, whole.signal.aborted], ["given up", ["waiting"], false]);
  }));

test("an engine's own tool that is called as one of Steward's is not taken for it when a restart left its call open", () =>
  within(async ({ steward }) => {
    const ran: unknown[] = [];
    steward.tools = async () => [
      {
        ...{ name: "task", description: "Does.", capability: "none", effect: "write", input: z.looseObject({}), repeatable: true },
        run: async (input) => (ran.push(input), { output: "done" }),
      },
    ];
    const log: Stored[] = [];
    const emit = async (...events: Event[]): Promise<void> => void log.push(...events.map((event) => ({ ...AT, event })));
    const { signal } = new AbortController();
    const turn = { id: "trn_1", seen: 0 } as Turn;
    await openRecord(turn, { emit } as Host).begun("its own id", { tool: "task", input: { prompt: "x" } });
    const call = toolbox(steward, {
      ...{ principal: OWNER, session: "ses_1", turn: turn.id, signal, how: {}, live: () => {}, log: async () => log },
      emit: (events) => emit(...events),
      away: (work) => work,
    });
    const [open] = pendingCalls([{ ...AT, event: { type: "turn.started", turn: turn.id, engine: "opencode", model: "a/b" } }, ...log]);
    const { success, error } = await call(open!);
    assert.deepEqual([success, ran], [false, []]);
    assert.match(error!, /not known whether this ran/);
    assert.equal((await call({ ...open!, id: "call_1" })).success, true);
  }));
const AT = { session: "ses_1", seq: 1, at: 1 };
