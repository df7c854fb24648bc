// What no skill may ask for (S-106): to fetch a program and run it, to switch checks off, to hand out secrets, or in words that can't be seen. Reads text only.
import { oneLine, visible } from "../std/text.ts";
import { type Files, isText, textOf } from "./files.ts";

export interface Finding {
  rule: "fetch-and-run" | "disable-checks" | "secret" | "hidden" | "too-long";
  file: string;
  line: number;
  /** The words that were found. */
  text: string;
}

const FETCH = String.raw`(?:curl|wget|fetch|iwr|irm|invoke-webrequest|invoke-restmethod|http|aria2c)`;
const SHELL = String.raw`(?:sudo\s+)?(?:env\s+)?(?:ba|z|da|k|fi)?sh|(?:sudo\s+)?(?:python|node|perl|ruby|php|deno|bun|pwsh|powershell|osascript|iex|invoke-expression)[\d.]*`;
const SECRET = String.raw`(?:api[ _-]?keys?|access[ _-]?keys?|passwords?|passphrases?|secrets?(?:[ _-]?keys?)?|private[ _-]?keys?|(?:access|auth|bearer|session|api)[ _-]?tokens?|credentials?|seed phrases?|recovery codes?|id_rsa|\.env file)`;

const RULES: [Finding["rule"], RegExp][] = [
  ["fetch-and-run", new RegExp(String.raw`\b${FETCH}\b[^\n|]{0,300}\|\s*(?:tee\s+\S+\s*\|\s*)?(?:${SHELL})\b`, "i")],
  [
    "fetch-and-run",
    new RegExp(String.raw`(?:\b(?:${SHELL}|source|eval|exec)|(?<=\s)\.)\s+(?:-\w+\s+)*["']?(?:<\(|\$\(|\x60)\s*${FETCH}\b`, "i"),
  ],
  [
    "fetch-and-run",
    new RegExp(String.raw`\b${FETCH}\b[^\n]{0,300}(?:&&|;)\s*(?:chmod\s+\S+\s+\S+\s*(?:&&|;)\s*)?(?:(?:${SHELL})\s+\S|\./\S)`, "i"),
  ],
  ["fetch-and-run", /\bbase64\s+(?:-d|-D|--decode)\b[^\n]{0,100}\|\s*(?:sudo\s+)?(?:(?:ba|z|da)?sh|python|node|perl)\b/i],
  ["fetch-and-run", /\b(?:exec|eval)\s*\([^\n]{0,80}\b(?:urlopen|requests\.get|fetch|urllib|https?:\/\/)/i],
  [
    "fetch-and-run",
    /\b(?:download|fetch|install|get)\b[^.\n]{0,80}\b(?:from|at)\b[^.\n]{0,10}https?:\/\/[^\n]{0,200}\b(?:and|then)\b[^.\n]{0,40}\b(?:run|execute|start|open|launch)\b/i,
  ],
  [
    "fetch-and-run",
    /\b(?:run|execute)\b[^.\n]{0,60}\b(?:script|installer|binary|program|command)\b[^.\n]{0,40}\b(?:from|at)\s+https?:\/\//i,
  ],
  [
    "disable-checks",
    /\b(?:disable|turn(?:ing)? off|switch(?:ing)? off|bypass|circumvent|skip|remove|get around)\b[^.\n]{0,40}\b(?:sandbox|approvals?|permissions?|safety|security|guard(?:rail)?s?|checks? of|protection|firewall|antivirus|gatekeeper|confirmation|undo journal)\b/i,
  ],
  [
    "disable-checks",
    /\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|system|all other)\b[^.\n]{0,20}\b(?:instructions?|rules?|prompts?)\b/i,
  ],
  [
    "disable-checks",
    /\b(?:without|never|don'?t|do not)\b[^.\n]{0,12}\b(?:ask(?:ing)?|tell(?:ing)?|inform(?:ing)?|show(?:ing)?)\b[^.\n]{0,12}\bthe (?:user|person|owner|human)\b/i,
  ],
  [
    "disable-checks",
    /--(?:dangerously-skip-permissions|no-sandbox|yolo|allow-dangerously\S*)\b|xattr\s+-[a-z]*d[a-z]*\s+com\.apple\.quarantine|\bsetenforce\s+0\b/i,
  ],
  ["disable-checks", /\bcomputer\.mode\b[^\n]{0,20}\bfull\b|\bauth\.local\b[^\n]{0,20}\bopen\b/i],
  [
    "secret",
    new RegExp(
      String.raw`\b(?:paste|enter|type|provide|supply|give|send|share|upload|post|reveal|print|show|echo|include)\b[^.\n]{0,50}\b${SECRET}\b`,
      "i",
    ),
  ],
  ["secret", new RegExp(String.raw`\bask\b[^.\n]{0,30}\b(?:user|person|owner|them|human)\b[^.\n]{0,30}\b${SECRET}\b`, "i")],
  [
    "secret",
    /(?:cat|less|head|tail|cp|scp|curl[^\n]{0,80}@|read)\s+["']?(?:~|\$HOME|\/home\/\S+|\/root)\/\.(?:ssh|aws|gnupg|netrc|config\/gh|docker\/config|kube|steward)/i,
  ],
];
const MOST = 20;
/** Bytes and lines of text in all files: more takes too long to look through. */
export const MOST_TEXT = 500_000;
const MOST_LINES = 30_000;
const [PIECE, OVERLAP] = [4000, 700];

/** In the order of the files; at most 20. */
export function scan(files: Files): Finding[] {
  const found: Finding[] = [];
  let [left, lines] = [MOST_TEXT, MOST_LINES];
  for (const [file, { bytes }] of files) {
    if (!isText(bytes)) continue;
    left -= bytes.byteLength;
    lines -= left < 0 ? 0 : bytes.reduce((count, byte) => (byte === 10 ? count + 1 : count), 0);
    if (left < 0 || lines < 0)
      return [...found, { rule: "too-long", file, line: 1, text: `${MOST_TEXT / 1000} KB or ${MOST_LINES} lines at most` }];
    const given = textOf(bytes);
    if (visible(given) !== given) found.push({ rule: "hidden", file, line: lineOfHidden(given), text: "characters that can't be seen" });
    found.push(...scanText(file, given));
    if (found.length >= MOST) break;
  }
  return found.slice(0, MOST);
}

function scanText(file: string, given: string): Finding[] {
  const lines = visible(given).normalize("NFKC").split(/\r?\n/);
  const found: Finding[] = [];
  for (const [index, line] of lines.entries())
    for (const { text, end } of piecesOf(line, lines[index + 1] ?? ""))
      for (const [rule, pattern] of RULES) {
        if (found.some((one) => one.rule === rule && index + 1 - one.line <= 1)) continue;
        const hit = pattern.exec(text);
        if (hit && hit.index < end) found.push({ rule, file, line: index + 1, text: oneLine(hit[0], 160) });
      }
  return found;
}

/** A line together with the beginning of the next one, which it may go on in; long ones in pieces that overlap. `end`: where the next line begins. */
function* piecesOf(line: string, next: string): Generator<{ text: string; end: number }> {
  const whole = `${line.replace(/\\$/, "")} ${next.slice(0, OVERLAP)}`;
  for (let at = 0; at === 0 || at < line.length; at += PIECE - OVERLAP) yield { text: whole.slice(at, at + PIECE), end: line.length - at };
}

const lineOfHidden = (text: string): number => text.split("\n").findIndex((line) => visible(line) !== line) + 1;

const WORDS: Record<Finding["rule"], string> = {
  "fetch-and-run": "it asks to fetch a program and run it",
  "disable-checks": "it asks to get around checks, or around you",
  secret: "it asks for a secret",
  hidden: "it has hidden characters",
  "too-long": "its files hold more text than can be looked through",
};

export const findingText = ({ rule, file, line, text }: Finding): string => `${file}:${line}: ${WORDS[rule]}: ${text}`;
