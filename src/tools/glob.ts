// Matches paths against a glob (* ? [] {} **), without regular expressions: time grows with pattern × path, whatever they hold.

const MOST_CHOICES = 64;

/** `path` is relative, with `/`. A pattern without a slash matches the name at any depth, one with a slash the whole path, as in .gitignore. */
export function globMatcher(pattern: string): (path: string) => boolean {
  const forms = choices(pattern.replace(/^(?:\.\/)+/, "/")).map((form) =>
    form.includes("/") ? form.replace(/^\/+/, "").split("/") : ["**", form],
  );
  return (path) => {
    const names = path.split("/");
    return forms.some((form) => segments(form, names));
  };
}

/** `a{b,c}` becomes `ab` and `ac`; past a fixed number of choices the braces are plain characters. */
export function choices(pattern: string): string[] {
  let forms = [pattern];
  for (;;) {
    const next = forms.map(split);
    if (next.every((one) => one === undefined)) return forms;
    forms = [...new Set(next.flatMap((one, at) => one ?? [forms[at]!]))];
    if (forms.length > MOST_CHOICES) return [pattern];
  }
}

/** The innermost braces with a comma that end first, taken apart. */
function split(pattern: string): string[] | undefined {
  const open: number[] = [];
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === "{") open.push(at);
    const from = pattern[at] === "}" ? open.pop() : undefined;
    const parts = from === undefined ? [] : pattern.slice(from + 1, at).split(",");
    if (parts.length > 1) return parts.map((part) => pattern.slice(0, from) + part + pattern.slice(at + 1));
  }
  return undefined;
}

/** Which prefixes of `names` each segment of the form can reach: a table row per segment. */
function segments(form: string[], names: string[]): boolean {
  let reach = new Set([0]);
  for (const segment of form) {
    const next = new Set<number>();
    for (const at of reach) {
      if (segment === "**") for (let to = at; to <= names.length; to++) next.add(to);
      else if (at < names.length && nameMatches(segment, names[at]!)) next.add(at + 1);
    }
    reach = next;
  }
  return reach.has(names.length);
}

/** Goes back to the last star only, so at most pattern × name steps. */
function nameMatches(pattern: string, name: string): boolean {
  let [at, from] = [0, 0];
  let star: { pattern: number; name: number } | undefined;
  while (from < name.length) {
    const end = at < pattern.length && pattern[at] !== "*" ? one(pattern, at, name[from]!) : undefined;
    if (pattern[at] === "*") star = { pattern: ++at, name: from };
    else if (end !== undefined) [at, from] = [end, from + 1];
    else if (star) [at, from] = [star.pattern, ++star.name];
    else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Where the pattern goes on when its element at `at` matches `char`. */
function one(pattern: string, at: number, char: string): number | undefined {
  if (pattern[at] === "?") return at + 1;
  if (pattern[at] === "\\" && at + 1 < pattern.length) return pattern[at + 1] === char ? at + 2 : undefined;
  const close = pattern[at] === "[" ? pattern.indexOf("]", at + 2) : -1;
  if (close < 0) return pattern[at] === char ? at + 1 : undefined;
  const not = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  return inSet(pattern.slice(at + (not ? 2 : 1), close), char) === not ? undefined : close + 1;
}

function inSet(set: string, char: string): boolean {
  for (let at = 0; at < set.length; at++) {
    const range = set[at + 1] === "-" && at + 2 < set.length;
    if (range ? set[at]! <= char && char <= set[at + 2]! : set[at] === char) return true;
    if (range) at += 2;
  }
  return false;
}
