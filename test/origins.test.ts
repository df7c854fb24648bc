// A model endpoint that closes its kept connections just as they are used again: the request is made once more, and nobody hears of it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { onceMore } from "../src/origins.ts";
import { outbound } from "../src/run/outbound.ts";
import { noLog } from "../src/std/log.ts";

test("a kept connection that is closed under a request costs nothing; one that always closes is told, and a stream is not repeated", async () => {
  const state = { requests: 0, close: [2] as number[] };
  const server = createServer((request, response) => {
    state.requests++;
    if (state.close.includes(state.requests)) return void request.socket.destroy();
    request.resume();
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const client = outbound({ allow: () => true, log: noLog });
  const fetch = onceMore(client);
  const post = (body: BodyInit): Promise<string> => fetch(url, { method: "POST", body }).then((response) => response.text());
  try {
    assert.deepEqual([await post("one"), await post("two"), state.requests], ["ok", "ok", 3]);
    state.close = [4, 5];
    await assert.rejects(post("three"), { code: "unavailable" });
    assert.equal(state.requests, 5);
    state.close = [6];
    await assert.rejects(post(new Blob(["four"])), { code: "unavailable" });
    assert.equal(state.requests, 6);
  } finally {
    await client.close();
    server.close();
    server.closeAllConnections();
  }
});
