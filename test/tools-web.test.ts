// Fetching a page as text from a real server on this machine, friendly pages and hostile ones.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { ToolOutput } from "../src/core/ports.ts";
import { bad, call, ok } from "./tools-place.ts";
import { computing } from "./took.ts";

describe("fetch_page", () => {
  const site: { answer: RequestListener; url: string } = { answer: () => {}, url: "" };
  const server = createServer((request, response) => site.answer(request, response));
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    site.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir/page`;
  });
  after(() => server.close());
  const page = (body: string | Uint8Array, type = "text/html; charset=utf-8", status = 200): Promise<ToolOutput> => {
    site.answer = (_, response) => response.writeHead(status, type === "" ? {} : { "content-type": type }).end(body);
    return call("fetch_page", { url: site.url }, { fetch });
  };
  const told = (title: string, text: string): ToolOutput => ok({ url: site.url, title, text });
  test("html as text with links", async () => {
    const html = `<!doctype html><html><head><title> A &amp;\n B </title><style>p{}</style></head><body><h1>Top</h1><script>"<div>"</script>
      <p>One <b>two</b> <a href="../x?a=1&amp;b=2">three</a> <a href="javascript:alert(1)">four</a> <a href="#five">five</a></p>
      <ul><li>a<li>b</ul><p hidden>secret</p><p style="display: none">secret</p><table><tr><th>K<th>V<tr><td>k<td>v</table><pre>x\n  y</pre></body></html>`;
    const origin = new URL(site.url).origin;
    assert.deepEqual(
      await page(html),
      told("A & B", `Top\n\nOne two three (${origin}/x?a=1&b=2) four five\n\n * a\n * b\n\nK | V\nk | v\n\nx\n  y`),
    );
  });
  test("other text", async () => {
    assert.deepEqual(await page('{"a":1}', "application/json"), told("", '{"a":1}'));
    assert.deepEqual(await page("<a/>", "application/atom+xml"), told("", "<a/>"));
    assert.deepEqual(await page("plain", "text/plain"), told("", "plain"));
    assert.deepEqual(await page("plain", ""), told("", "plain"));
    assert.deepEqual(await page(new Uint8Array([0xe9]), "text/plain; charset=ISO-8859-1"), told("", "é"));
    assert.deepEqual(await page(Buffer.from("<meta charset=windows-1252><p>\x80", "latin1"), "text/html"), told("", "€"));
    assert.deepEqual(await page("x", "text/plain; charset=no-such"), told("", "x"));
    assert.deepEqual(await page(""), told("", ""));
  });
  test("invisible and bidi characters are gone", async () => {
    assert.deepEqual(await page("<title>t\u202e\u200b</title><p>a\u200b\u202eb\u{e0041}\u001b[31mc&#8203;d"), told("t", "abcd"));
  });
  test("long pages are clipped, larger ones are not read to the end", async () => {
    const { text } = (await page(`<p>${"word ".repeat(10_000)}`)).output as { text: string };
    assert.ok(text.length < 20_100 && text.includes("characters left out"));
    const open = { sent: 0, closed: false };
    site.answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      const push = (): void => {
        while (!open.closed && response.write("x".repeat(65_536))) open.sent += 65_536;
      };
      response.on("drain", push).on("close", () => (open.closed = true));
      push();
    };
    const endless = (await call("fetch_page", { url: site.url }, { fetch })).output as { text: string };
    assert.ok(endless.text.endsWith("\n… (only the first 5 MB were read)"));
    assert.ok(open.sent < 40_000_000);
  });
  test("pages made to be slow", async () => {
    const bits = [
      "<div>",
      '<div title="</div>">',
      "<div></b>",
      "<li><p>",
      "<svg></p><div>",
      "<!--><b>",
      "<table><tr><td colspan=999999999 rowspan=999999>",
    ];
    const took = await computing(async () => {
      for (const bit of bits) await page(bit.repeat(1_000_000 / bit.length));
    });
    assert.ok(took < 12_000, `took ${took} ms`);
    const { text } = (await page(`<p>before${"<div>".repeat(2000)}after`)).output as { text: string };
    assert.equal(text, "before\n\n… (the rest of the page is nested too deeply to read)");
  });
  test("failures", async () => {
    assert.deepEqual(await page("<title>Gone</title>not here", "text/html", 404), {
      output: { url: site.url, title: "Gone", text: "not here" },
      error: "The page answered 404 Not Found",
    });
    assert.deepEqual(await page("x", "image/png"), bad(`${site.url} is not text: image/png`));
    const never = async (): Promise<never> => assert.fail("nothing may be fetched");
    for (const [url, error] of [
      ["file:///etc/passwd", "Only http and https addresses can be fetched, not file:"],
      ["javascript:alert(1)", "Only http and https addresses can be fetched, not javascript:"],
      ["data:text/html,x", "Only http and https addresses can be fetched, not data:"],
      ["http://ada:secret@example.org/", "An address with a user name or password in it can't be fetched"],
      ["http://", "Not a web address: http://"],
      ["no host", "Not a web address: no host"],
      ["", "Not a web address: "],
    ] as const)
      assert.deepEqual(await call("fetch_page", { url }, { fetch: never }), bad(error));
    assert.deepEqual(await call("fetch_page", { url: "example.org/a" }), bad("There is no network in this test"));
    assert.deepEqual(
      await call(
        "fetch_page",
        { url: "http://127.0.0.1:1/" },
        { fetch: async () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })) },
      ),
      bad("127.0.0.1:1 can't be reached: connect ECONNREFUSED"),
    );
  });
});
