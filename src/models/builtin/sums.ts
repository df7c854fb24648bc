// Works out plain arithmetic, "17*23" or "10% of 250". Evaluates no code.

const WORDS: [RegExp, string][] = [
  [/\bplus\b/gi, "+"],
  [/\bminus\b/gi, "-"],
  [/\b(?:times|multiplied by)\b/gi, "*"],
  [/\b(?:divided by|over)\b/gi, "/"],
  [/\bto the power of\b|\*\*/gi, "^"],
  [/\bsquared\b/gi, "^2"],
  [/\bcubed\b/gi, "^3"],
  [/\bmod(?:ulo)?\b/gi, "mod"],
  [/(?:%|\bpercent)\s?of\b/gi, "/100*"],
  [/\bpercent\b/gi, "%"],
  [/(?<=\d) % (?=\d)/g, " mod "],
  [/×|(?<=[\d)] ?)x(?= ?[\d(])/gi, "*"],
  [/÷/g, "/"],
  [/−/g, "-"],
  [/(?<=\d),(?=\d{3}(?!\d))/g, ""],
];
const DEEPEST = 50;

/** The value, NaN where there is none (division by zero), or undefined when the text is no sum. */
export function sum(text: string): number | undefined {
  if (text.length > 300) return undefined;
  const plain = WORDS.reduce((all, [pattern, sign]) => all.replace(pattern, sign), text);
  const tokens = plain.match(/\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+|sqrt|square root of|mod|[-+*/^%()√]|\S/gi) ?? [];
  if (!tokens.some((token) => /^(?:[-+*/^%√]|mod|sqrt|square root of)$/i.test(token)) || !tokens.some((token) => /\d/.test(token)))
    return undefined;
  const reader = { tokens, at: 0 };
  const value = added(reader, 0);
  return value === undefined || reader.at < tokens.length ? undefined : Number.isFinite(value) ? Number(value.toPrecision(12)) : NaN;
}

interface Reader {
  tokens: string[];
  at: number;
}
type Read = (reader: Reader, depth: number) => number | undefined;

function series(next: Read, signs: Record<string, (a: number, b: number) => number>): Read {
  return (reader, depth) => {
    let left = next(reader, depth);
    for (
      let sign = signs[reader.tokens[reader.at]?.toLowerCase() ?? ""];
      sign && left !== undefined;
      sign = signs[reader.tokens[reader.at]?.toLowerCase() ?? ""]
    ) {
      reader.at++;
      const right = next(reader, depth);
      left = right === undefined ? undefined : sign(left, right);
    }
    return left;
  };
}
const multiplied = series(signed, { __proto__: null as never, "*": (a, b) => a * b, "/": (a, b) => a / b, mod: (a, b) => a % b });
const added = series(multiplied, { __proto__: null as never, "+": (a, b) => a + b, "-": (a, b) => a - b });

function signed(reader: Reader, depth: number): number | undefined {
  const sign = reader.tokens[reader.at];
  if (depth > DEEPEST) return undefined;
  if (sign !== "-" && sign !== "+") return powered(reader, depth);
  reader.at++;
  const value = signed(reader, depth + 1);
  return value === undefined ? undefined : sign === "-" ? -value : value;
}

function powered(reader: Reader, depth: number): number | undefined {
  const left = single(reader, depth);
  if (left === undefined || reader.tokens[reader.at] !== "^") return left;
  reader.at++;
  const right = signed(reader, depth + 1);
  return right === undefined ? undefined : left ** right;
}

function single(reader: Reader, depth: number): number | undefined {
  const token = reader.tokens[reader.at++]?.toLowerCase() ?? "";
  let value: number | undefined = /^[\d.]/.test(token) ? Number(token) : undefined;
  if (/^(?:√|sqrt|square root of)$/.test(token)) {
    const inner = depth > DEEPEST ? undefined : single(reader, depth + 1);
    value = inner === undefined ? undefined : Math.sqrt(inner);
  }
  if (token === "(" && depth <= DEEPEST) {
    value = added(reader, depth + 1);
    if (reader.tokens[reader.at++] !== ")") return undefined;
  }
  const percent = reader.tokens[reader.at] === "%" && !/^[\d.(√s]/.test(reader.tokens[reader.at + 1] ?? "");
  if (percent) reader.at++;
  return percent && value !== undefined ? value / 100 : value;
}
