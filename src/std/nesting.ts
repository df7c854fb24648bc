// Where a page gets nested too deeply, by the rules of the parser that html-to-text uses (htmlparser2). Says nothing about whether it is right.

const words = (text: string): Set<string> => new Set(text.split(" "));
const VOID = words("area base basefont br col command embed frame hr img input isindex keygen link meta param source track wbr");
const RAW = words("script style title textarea xmp");
const P = words("p");
const FORM = words("input option optgroup select button datalist textarea");
/** Opening the key ends these when they are the innermost. */
const ENDS = new Map<string, Set<string>>([
  ...[
    ..."p h1 h2 h3 h4 h5 h6 address article aside blockquote details div dl fieldset figcaption figure footer form header hr main nav ol pre section table ul".split(
      " ",
    ),
  ].map((name) => [name, P] as const),
  ...[..."select input output button datalist textarea".split(" ")].map((name) => [name, FORM] as const),
  ...["dd", "dt"].map((name) => [name, words("dd dt")] as const),
  ...["rt", "rp"].map((name) => [name, words("rt rp")] as const),
  ...["tbody", "tfoot"].map((name) => [name, words("thead tbody")] as const),
  ["tr", words("tr th td")],
  ["th", words("th")],
  ["td", words("thead th td")],
  ["body", words("head link script")],
  ["li", words("li")],
  ["option", words("option")],
  ["optgroup", words("optgroup option")],
]);

/** The index of the first tag that is more than `limit` deep; undefined when there is none. */
export function deepAt(html: string, limit: number): number | undefined {
  const lower = html.toLowerCase();
  const open: string[] = [];
  for (let at = lower.indexOf("<"); at >= 0;) {
    const tag = tagAt(lower, at);
    if (tag.closes) close(open, tag.name);
    else if (tag.name !== "") {
      while (open.length > 0 && ENDS.get(tag.name)?.has(open.at(-1)!)) open.pop();
      if (!VOID.has(tag.name)) open.push(tag.name);
      if (open.length > limit) return at;
    }
    at = lower.indexOf("<", RAW.has(tag.name) && !tag.closes ? rawEnd(lower, tag.name, tag.end) : tag.end);
  }
  return undefined;
}

function close(open: string[], name: string): void {
  const at = open.lastIndexOf(name);
  if (at >= 0) open.length = at;
}

interface Tag {
  /** Empty for what is no tag: text, a comment, a declaration. */
  name: string;
  closes: boolean;
  end: number;
}

function tagAt(html: string, at: number): Tag {
  const next = html[at + 1] ?? "";
  if (html.startsWith("<!--", at)) return { name: "", closes: false, end: after(html, "-->", at + 2) };
  if (next === "!" || next === "?") return { name: "", closes: false, end: after(html, ">", at + 2) };
  const closes = next === "/";
  const from = at + (closes ? 2 : 1);
  if (!/[a-z]/.test(html[from] ?? ""))
    return {
      name: "",
      closes: false,
      end: closes && html[from] !== undefined && !/[\s>]/.test(html[from]) ? after(html, ">", from) : from,
    };
  const stop = closes ? /[\s>]/g : /[\s/>]/g;
  stop.lastIndex = from;
  const until = stop.exec(html)?.index ?? html.length;
  const end = closes ? after(html, ">", until) : attributesEnd(html, until);
  return { name: html.slice(from, until), closes, end };
}

const after = (html: string, mark: string, from: number): number => {
  const at = html.indexOf(mark, from);
  return at < 0 ? html.length : at + mark.length;
};

/** The `>` of an open tag, those inside of quoted values passed over. */
function attributesEnd(html: string, from: number): number {
  let named = false;
  for (let at = from; at < html.length; at++) {
    const char = html[at]!;
    if (char === ">") return at + 1;
    if (char === "=" && named) {
      while (/\s/.test(html[at + 1] ?? "")) at++;
      const quote = html[at + 1];
      if (quote === '"' || quote === "'") at = after(html, quote, at + 2) - 1;
      else while (at + 1 < html.length && !/[\s>]/.test(html[at + 1]!)) at++;
      named = false;
    } else if (char === "/") named = false;
    else if (!/\s/.test(char)) named = true;
  }
  return html.length;
}

function rawEnd(html: string, name: string, from: number): number {
  const mark = `</${name}`;
  for (let at = html.indexOf(mark, from); at >= 0; at = html.indexOf(mark, at + 2))
    if (/[\s>]/.test(html[at + mark.length] ?? "")) return at;
  return html.length;
}
