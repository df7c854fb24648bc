// Pieces of the page that need no browser: its table of calls, Markdown that grows, addresses that may be followed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Lexer, type Token } from "marked";
import { routes } from "../src/core/api.ts";
import { paths } from "../src/web/api.ts";
import { namesHost, parse, safeAddress, words } from "../src/web/blocks.ts";
import { lex } from "../src/web/lexer.ts";
import { settled } from "../src/web/tools.ts";
import { computing, leastOf } from "./took.ts";

test("the page's calls are those of the table of routes", () => {
  const wanted = Object.fromEntries(
    Object.keys(paths).map((name) => [name, `${routes[name as keyof typeof paths].method} ${routes[name as keyof typeof paths].path}`]),
  );
  assert.deepEqual(paths, wanted);
});

const pieces = [
  "# Title\n\n",
  "Some *words* and `code`.\n",
  "\n",
  "- one\n- two\n",
  "\n- three\n",
  "1. first\n\n   more of it\n",
  "```js\nlet a = 1;\n\n",
  "```\n",
  "| a | b |\n|---|---|\n| 1 | 2 |\n",
  "> quoted\n",
  "---\n",
  "<div>raw</div>\n\n",
  "a line\n===\n",
  "    indented\n",
  "\r\n\r\n",
];

test("Markdown that grows piece by piece ends as the whole would, and a closed block is never parsed again", () => {
  const ids = { last: 0 };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), fc.array(fc.nat(30), { maxLength: 10 }), (texts, cuts) => {
      const id = `growing-${++ids.last}`;
      const whole = texts.join("");
      const ends = [...new Set([...cuts.map((cut) => Math.min(whole.length, cut * 7)), whole.length])].sort((a, b) => a - b);
      let closed: unknown[] = [];
      for (const end of ends) {
        const now = parse(id, whole.slice(0, end));
        assert.equal(now.text.startsWith(now.closed.map(({ raw }) => raw).join("")), true);
        assert.deepEqual(
          now.closed.slice(0, closed.length).every((token, index) => token === closed[index]),
          true,
        );
        closed = now.closed;
      }
      const grown = parse(id, whole);
      const blocks = (tokens: readonly Token[]): string[] =>
        tokens.filter(({ type }) => type !== "space").map(({ type, raw }) => `${type} ${raw.trim()}`);
      assert.deepEqual(blocks([...grown.closed, ...grown.open]), blocks(new Lexer({ gfm: true, breaks: true }).lex(grown.text)));
    }),
    { numRuns: 2000 },
  );
});

test("a long reply costs what its open block costs, not what it has grown to", async () => {
  const text = "A paragraph of some words, **bold** and `code`, to be read.\n\n".repeat(800);
  const took = await computing(() => {
    for (let end = 0; end < text.length; end += 16) parse("long", text.slice(0, end));
  });
  assert.ok(took < 3000, `${Math.round(took)} ms for ${Math.ceil(text.length / 16)} pieces`);
});

const many = (text: string, length: number): string => text.repeat(Math.ceil(length / text.length)).slice(0, length);
const steps = (count: number, between: string): string =>
  Array.from({ length: count }, (_, at) => `${" ".repeat(2 * at)}- a`).join(between);

test("Markdown that would nest too deep or take too long is plain text, and nothing around it is", () => {
  const types = (text: string): string[] => lex(text).map(({ type }) => type);
  assert.deepEqual(
    [`${">".repeat(5000)} x`, "1. ".repeat(5000), steps(300, "\n"), "> - ".repeat(60), "\t".repeat(60) + "- a"].map(types),
    Array.from({ length: 5 }, () => ["plain"]),
  );
  assert.deepEqual(types(`# Title\n\n${"- ".repeat(200)}x\n\nA *word*.\n`), ["heading", "space", "plain", "paragraph"]);
  assert.deepEqual(types(`${"> ".repeat(90)}x`), ["blockquote"]);
  assert.deepEqual(types(`${"-".repeat(300)}\n\n|${" a |".repeat(200)}\n|${"---|".repeat(200)}`), ["hr", "space", "table"].slice(0, 3));
  assert.deepEqual(types(`text\n\n\`\`\`\n${"x = 1;\n".repeat(6000)}\`\`\`\n`), ["paragraph", "space", "code"]);
  const long = lex("x".repeat(200_001))[0]!;
  assert.equal(long.type === "plain" && "note" in long, true);
  const [word] = lex(`${"a.".repeat(30_000)}@`) as { tokens: Token[] }[];
  assert.deepEqual(
    word!.tokens.map(({ type, raw }) => [type, raw.length]),
    [["text", 60_001]],
  );
});

test("no text keeps the Markdown parser busy for long, and each keeps its words", { timeout: 280_000 }, async () => {
  const pieces = ["a.", "a@", "*a", "a*b_", "**a ", "[", "[a](", "![", "`a``", "<a ", "&", "$", "|a", "- a\n", "1. ", "> ", " *", "é*"];
  const texts = [
    ...pieces.map((piece) => many(piece, 100_000)),
    `${"a.".repeat(30_000)}@`,
    steps(400, "\n\n"),
    many(`${"1. ".repeat(99)}a\n`, 200_000),
  ];
  for (const text of texts) {
    const read: { tokens: readonly Token[] } = { tokens: [] };
    const took = await computing(() => (read.tokens = lex(text)));
    const { tokens } = read;
    assert.ok(took < 5000, `${Math.round(took)} ms for ${JSON.stringify(text.slice(0, 20))}`);
    assert.equal(tokens.map(({ raw }) => raw).join("").length >= text.trimEnd().length, true, text.slice(0, 20));
  }
});

test("a reply that grows past what is parsed becomes plain text as a whole", () => {
  const text = "A paragraph of words.\n\n".repeat(10_000);
  for (const end of [1000, 100_000, 199_999]) assert.equal(parse("past", text.slice(0, end)).open.at(-1)!.type === "plain", false);
  const { closed, open } = parse("past", text);
  assert.deepEqual([closed.length, open.map(({ type, raw }) => [type, raw.length])], [0, [["plain", text.length]]]);
});

test("output as a terminal would leave it, in a time that grows with its length", async () => {
  assert.deepEqual(
    ["a\r\nb\r\n", "10%\r50%\r100%\ndone", "10%\r", "a\rb\r\r\nc", "\u001b[31mred\u001b[0m", "\r\n\r", "", "plain"].map(settled),
    ["a\nb\n", "100%\ndone", "10%", "b\nc", "red", "\n", "", "plain"],
  );
  for (const text of [
    "x".repeat(200_000),
    "x\r".repeat(100_000),
    "\r".repeat(200_000),
    "\u001b[".repeat(100_000),
    `\u001b[${"0;".repeat(100_000)}`,
  ]) {
    const took = await leastOf(100, () => computing(() => settled(text)));
    assert.ok(took < 100, `${Math.round(took)} ms for ${JSON.stringify(text.slice(0, 10))}`);
  }
});

test("text that is another text now is parsed anew", () => {
  parse("changed", "one\n\ntwo\n\nthree");
  assert.deepEqual(
    parse("changed", "ONE\n\ntwo")
      .closed.map(({ raw }) => raw)
      .concat(parse("changed", "ONE\n\ntwo").open.map(({ raw }) => raw))
      .join(""),
    "ONE\n\ntwo",
  );
});

test("only http, https and mailto are addresses", () => {
  const refused = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "javascript&#58;alert(1)",
    "&#x6a;avascript:alert(1)",
    "data:text/html,<script>1</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "/api/logout",
    "//evil.example",
    "blob:http://a/b",
    "",
    "about:blank",
  ];
  assert.deepEqual(
    refused.filter((href) => safeAddress(href)),
    [],
  );
  assert.deepEqual(
    ["https://a.example/x?y=1&amp;z=2", "http://b.example", "mailto:me@c.example"].map((href) => safeAddress(href)?.href),
    ["https://a.example/x?y=1&z=2", "http://b.example/", "mailto:me@c.example"],
  );
});

test("a link's host is left out only where its words begin with it", () => {
  const said: [string, string][] = [
    ["https://docs.example.com/guide", "docs.example.com"],
    ["http://docs.example.com", "docs.example.com"],
    ["docs.example.com/guide", "docs.example.com"],
    ["me@example.com", "me@example.com"],
  ];
  const hidden: [string, string][] = [
    ["https://support.microsoft.com/account", "t.co"],
    ["https://example.com/t.co", "t.co"],
    ["https://t.co@example.com/", "t.co"],
    ["https://t.co:8443/", "t.co"],
    ["the account page", "t.co"],
    ["https://bücher.example", "xn--bcher-kva.example"],
    ["", "t.co"],
  ];
  assert.deepEqual(
    [...said, ...hidden].map(([text, host]) => namesHost(text, host)),
    [...said.map(() => true), ...hidden.map(() => false)],
  );
});

test("character references become characters, unknown ones stay as they are", () => {
  assert.equal(
    words("a &lt;b&gt; &amp;amp; &#65;&#x42; &nosuch; &#0; &#xd800; &#99999999;"),
    "a <b> &amp; AB &nosuch; \ufffd \ufffd &#99999999;",
  );
});

test("no part of the page makes elements out of text", () => {
  const folder = join(import.meta.dirname, "..", "src", "web");
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(tsx?|html)$/.test(file))
    .filter((file) =>
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|new Function|eval\(|srcdoc/i.test(readFileSync(join(folder, file), "utf8")),
    );
  assert.deepEqual(found, []);
});
