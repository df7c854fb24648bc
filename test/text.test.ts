// Text that is read and text that is decided on: what is taken out, what is shown, and what stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { resultText } from "../src/core/history.ts";
import { tokens, revealed, visible } from "../src/std/text.ts";
import { computing } from "./took.ts";

const range = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at));
const controls = [...range(0, 8), ...range(0xb, 0xc), ...range(0xe, 0x1f), ...range(0x7f, 0x9f)];
const invisible = [
  "\u00ad",
  "\u034f",
  "\u061c",
  "\u115f",
  "\u1160",
  "\u17b4",
  ...range(0x180b, 0x180f),
  ...range(0x200b, 0x200f),
  ...range(0x202a, 0x202e),
  ...range(0x2060, 0x206f),
  "\u3164",
  ...range(0xfe00, 0xfe0f),
  "\ufeff",
  "\uffa0",
  ...range(0xfff9, 0xfffb),
  ...range(0x1d173, 0x1d17a),
  ...range(0xe0000, 0xe007f),
  ...range(0xe0100, 0xe01ef),
];
const blanks = ["\r", "\u00a0", "\u1680", ...range(0x2000, 0x200a), "\u2028", "\u2029", "\u202f", "\u205f", "\u2800", "\u3000"];
const code = (char: string): string => `\\u{${char.codePointAt(0)!.toString(16)}}`;
const EMOJI = ["👩‍🚀", "🧑🏽‍🚀", "❤️", "❤️‍🔥", "🏳️‍🌈", "👁️‍🗨️", "1️⃣", "🇩🇪", "☎️"];

test("S-39 each character that hides or changes what a person sees is shown by its code", () => {
  for (const char of [...controls, ...invisible, ...blanks, "\ud800", "\ufdd1", "\u{1ffff}"])
    assert.equal(revealed(`a${char}b`), `a${code(char)}b`);
  assert.equal(revealed("👩‍🚀 ❤️"), "👩\\u{200d}🚀 ❤\\u{fe0f}");
});

test("what a person sees as it is stays as it is when it is shown", () => {
  const plain = "tab\tline\nwindows line\r\n — é e\u0301 漢字 עברית العربية हिन्दी 🎉 \\u{202e}";
  assert.equal(revealed(plain), plain);
  assert.equal(revealed("one\r\r\ntwo\r"), "one\\u{d}\r\ntwo\\u{d}");
});

test("S-73 text that is read loses controls and invisible characters, and keeps emoji, blanks and line ends", () => {
  for (const char of [...controls, ...invisible]) assert.equal(visible(`a${char}b`), "ab", code(char));
  for (const text of [...EMOJI, "a\tb\nc\r\nd", "10\u00a0000 ⣿⠀⣿", "é 漢 e\u0301"]) assert.equal(visible(text), text);
  assert.equal(visible("a\ufe0f\u200d👩 1\ufe0f 👩\u200d ❤\ufe0f\ufe0f\u{e0100}"), "a👩 1 👩 ❤\ufe0f");
  assert.equal(visible("a\u001b[1;31mred\u001b]8;;http://x\u001b\\link\u001b]0;title\u0007"), "aredlink");
});

test("any text: what was taken out is out for good, and what is shown says all there was", () => {
  const odd = fc.string({
    maxLength: 60,
    unit: fc.constantFrom(...controls, ...invisible, ...blanks, ...EMOJI, "a", "\\", "{", "[", "👩"),
  });
  fc.assert(
    fc.property(fc.oneof(odd, fc.string({ maxLength: 60, unit: "binary" })), (text) => {
      const seen = visible(text);
      assert.equal(visible(seen), seen);
      const shown = revealed(text);
      assert.equal(revealed(shown), shown);
      const back = shown.replace(/\\u\{([0-9a-f]+)\}/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
      if (!text.includes("\\u{")) assert.equal(back, text);
    }),
    { numRuns: 2000 },
  );
});

test("both are linear in the text", async () => {
  const took = await computing(() => {
    for (const part of ["\u001b[", "\u001b]", "\u200d", "1\ufe0f", "❤\ufe0f\u200d", "\r"]) {
      visible(part.repeat(100_000));
      revealed(part.repeat(100_000));
    }
  });
  assert.ok(took < 3000, `${took} ms`);
});

test("S-73 a tool's result reaches the model as JSON without controls and invisible characters, in texts, names and errors", () => {
  assert.equal(
    resultText({
      success: false,
      output: [{ "na\u200bme": "a\u{e0041}\u202e\u001b[31mb 👩‍🚀", n: 1, list: [null, true] }],
      error: "x\u{e0041}\u009b\u0000",
    }),
    '{"success":false,"output":[{"name":"ab 👩‍🚀","n":1,"list":[null,true]}],"error":"x"}',
  );
  const clean = (value: unknown): boolean =>
    typeof value === "string"
      ? visible(value) === value
      : typeof value !== "object" || value === null || Object.entries(value).every(([name, one]) => clean(name) && clean(one));
  const text = fc.string({ maxLength: 20, unit: fc.constantFrom(...controls, ...invisible, '"', "\\", "\ud800", "a", "__proto__") });
  fc.assert(
    fc.property(fc.jsonValue(), fc.dictionary(text, fc.oneof(text, fc.array(text))), text, (value, fields, error) => {
      const said = resultText({ success: true, output: [value, fields], error });
      assert.equal(visible(said), said);
      assert.ok(clean(JSON.parse(said)), said);
    }),
    { numRuns: 1000 },
  );
});

test("a result without anything unseen keeps its bytes", () =>
  fc.assert(
    fc.property(fc.jsonValue(), (output) => {
      if (!/[^\x20-\x7e]|\\u/.test(JSON.stringify(output)))
        assert.equal(resultText({ success: true, output, error: null }), JSON.stringify({ success: true, output, error: null }));
    }),
  ));

test("tokens are counted by script: four characters of English to one, each Chinese character is one", () =>
  assert.deepEqual(["", "four by four", "größer", "Привет", "花园", "👩"].map(tokens), [0, 3, 2, 3, 2, 2]));
