// Rules that change files: create, write, append, replace, move, copy, delete, undo. They act on named targets only, never on a guess.
import { looksLikeFile, nameOf, parentOf, type Place, place, places, within } from "./places.ts";
import { shellPath } from "./files.ts";
import { type Call, type Known, type Meaning, one, type Request, type Rule } from "./meaning.ts";
import { hasToken, isToken, TOKEN } from "./request.ts";

interface Where {
  request: Request;
  known: Known;
}
const UNCLEAR = "Name one file or folder exactly, and put a name with spaces in quotes.";
const CREATE =
  /^(?:create|make|start|write|generate|add|save|touch|new)(?: me)?(?: an?| the| one)?(?: (?:new|empty|blank|plain|simple|text|markdown|short))*(?: (?:file|document|note|text file))(?![\w.])\s?(.*)$/is;
const FOLDER =
  /^(?:create|make|add|new|mkdir(?: -p)?)(?: me)?(?: an?| the)?(?: (?:new|empty))*(?: (?:folder|directory|subfolder|dir))(?![\w.])\s?(.*)$/i;
const MARK =
  /,? (?:and )?(?:with (?:(?:the |this |these )?(?:following )?(?:contents?|text|words?|lines?|body)(?: of)?)|that (?:says|reads|contains|has)|which (?:says|reads|contains)|saying|containing|and (?:write|put|add)|(?:the )?contents?(?: is| being)?|with):?(?= |$)|:(?= |$)/i;

export const createFolder: Rule = (request, known) => {
  const words = FOLDER.exec(request.plain)?.[1] ?? /^mkdir (.+)$/i.exec(request.plain)?.[1];
  if (words === undefined) return undefined;
  const name = named(words);
  const target = name === "" ? undefined : place(name, request, known);
  if (target) return one("create_directory", { path: target.path });
  if (name === "")
    return {
      ask: "What should the folder be called?",
      then: (answer) => createFolder({ ...request, plain: `make a folder ${answer}` }, known),
    };
  return { say: `I could not tell what to call the folder. ${UNCLEAR}`, unclear: true };
};

/** "on my Desktop called x" → "x on my Desktop". */
function named(words: string): string {
  const turned = /^(in|on|inside) (.+?) (?:called|named) (\S+)(.*)$/i.exec(words);
  if (turned) return `${turned[3]} ${turned[1]} ${turned[2]}${turned[4]}`;
  return words.replace(/^(?:called|named|with the name|as) /i, "");
}

export const create: Rule = (request, known) => {
  const words =
    CREATE.exec(request.text)?.[1] ??
    /^(?:(?:create|make|touch) (?=\S)|(?:write|save) (?=\S+\.\w))((?:\S+\.\w{1,8}(?!\w)|\ufdd0\d+\ufdd1)(?: .*|:.*)?)$/is.exec(
      request.text,
    )?.[1];
  if (words === undefined || / (?:to|into) \S+$/.test(words)) return undefined;
  const rest = named(words);
  const mark = MARK.exec(` ${rest}`);
  const name = (mark ? rest.slice(0, Math.max(0, mark.index - 1)) : tidy(rest)).trim();
  const after = mark ? rest.slice(mark.index - 1 + mark[0].length).trim() : undefined;
  return created(name, after, { request, known });
};

const tidy = (text: string): string => text.replace(/(?:,? (?:please|thanks|thank you|for me))?[.!?]?$/i, "");

function created(name: string, after: string | undefined, where: Where): Meaning {
  if (name === "") return { ask: "What should the file be called?", then: (answer) => created(answer, after, where) };
  const moved = after === undefined ? null : new RegExp(`^(${TOKEN}) (?:in it )?(?:in|on|inside) (?!it$)(.+)$`, "i").exec(tidy(after));
  const target = place(moved?.[2] ? `${name} in ${moved[2]}` : name, where.request, where.known);
  if (!target || target.folder)
    return { say: `I could not tell which file you mean by “${where.request.typed(name)}”. ${UNCLEAR}`, unclear: true };
  if (after === undefined) return onlyNew(target.path);
  const text = content(moved?.[1] ?? after, where.request);
  const write = (value: string): Meaning => one("write_file", { path: target.path, content: value });
  return text === undefined
    ? { ask: `What should \`${nameOf(target.path)}\` contain?`, then: (answer) => write(where.request.value(answer)), verbatim: true }
    : write(text);
}

/** An empty file is only made where nothing is yet. */
const onlyNew = (path: string): Meaning => ({
  calls: [
    {
      tool: "file_info",
      input: { path },
      then: (result) =>
        result.success
          ? { say: `\`${path}\` is there already, so I left it as it is.`, unclear: true }
          : absent(result.error)
            ? one("write_file", { path, content: "" })
            : undefined,
    },
  ],
});
const absent = (error: string | null): boolean => /not exist|not found|no such|nothing (?:is )?there|ENOENT|there is no/i.test(error ?? "");

/** The text to write; undefined when the words only describe it ("my meeting notes"). */
function content(words: string, request: Request): string | undefined {
  const text = words
    .replace(/ (?:in it|inside(?: it)?|into it)$/i, "")
    .replace(/^(?:the (?:text|content|words?)|text)(?: of)?:? (?=\S)/i, "");
  if (isToken(text.replace(/[.!]$/, ""))) return request.value(text.replace(/[.!]$/, ""));
  if (text === "" || (/^(?:my|our|your|some|the|all|a list of|an?) \w+/i.test(text) && text.split(" ").length < 6)) return undefined;
  return request.value(text.replace(/^(["'])(.*)\1\.?$/s, "$2"));
}

const INTO =
  /^(write|save|put|store|add|append|insert|jot)(?: down)?(?: the)?(?: (?:text|words?|line|contents?))? (.+?) (?:to|in|into|as|at the end of|onto)(?: the end of)?(?: an?)?(?: new)?((?: the)?(?: file)?(?: (?:called|named))? \S+(?: (?:in|on) .+)?)$/is;

const AHEAD =
  /^(write|save|put|store|add|append|insert)(?: down)?(?: (?:this|the following|these|the))?(?: (?:text|words?|lines?|contents?))? (?:to|in|into|as)(?: the end of)? ([^\s:]+|the file [^\s:]+|an? (?:new )?file (?:called |named )?[^\s:]+): ?(\S.*)$/is;

export const write: Rule = (request, known) => {
  const first = AHEAD.exec(request.text);
  const match = first ? [first[0], first[1], first[3], first[2]] : INTO.exec(tidy(request.text));
  const [, verb = "", words = "", name = ""] = match ?? [];
  const target = match ? place(name, request, known) : undefined;
  if (!target?.sure || target.folder || /^(?:it|that|this)$/i.test(words))
    return /^(?:write|save|append)$/i.test(request.plain)
      ? { ask: "What should I write, and to which file?", then: (answer) => write({ ...request, text: `write ${answer}` }, known) }
      : undefined;
  if (!looksLikeFile(target.path) && !hasToken(name) && !/file|\b(?:it|that)\b/i.test(name)) return undefined;
  if (looksLikeFile(words) && verb.toLowerCase() === "put") return undefined;
  const text = content(words, request);
  const store = (value: string) =>
    /^(?:add|append|insert)$/i.test(verb) ? append(target.path, value) : one("write_file", { path: target.path, content: value });
  return text === undefined
    ? { ask: `What exactly should I write to \`${nameOf(target.path)}\`?`, then: (answer) => store(request.value(answer)), verbatim: true }
    : store(text);
};

/** Adds a line at the end by an edit, which can be undone and never rewrites what it has not seen; writes the file when there is none. */
const append = (path: string, text: string): Meaning => ({
  calls: [
    {
      tool: "read_file",
      input: { path },
      then: ({ success, output, error }) => {
        if (!success && !absent(error)) return undefined;
        const old = success && typeof output === "string" ? lastLines(output) : "";
        const added = `${old}${old === "" || old.endsWith("\n") ? "" : "\n"}${text}\n`;
        return old === ""
          ? one("write_file", { path, content: added }, "append")
          : one("edit_file", { path, old_text: old, new_text: added }, "append");
      },
    },
  ],
});

/** As many of the last lines as it takes to be found once only. */
function lastLines(text: string): string {
  let from = text.length;
  for (let lines = 0; from > 0 && lines < 200; lines++) {
    from = from < 2 ? 0 : text.lastIndexOf("\n", from - 2) + 1;
    if (text.indexOf(text.slice(from)) === from) return text.slice(from);
  }
  return text;
}

export const replace: Rule = (request, known) => {
  const swap =
    /^(?:replace|change|swap|substitute)( all| every| each)?(?: (?:the )?(?:words?|text|occurrences? of|instances? of))? (.+?) (?:with|to|by|for) (.+?)(?: (?:in|inside|of) (.+?))?( everywhere)?$/i;
  const front = /^in (\S+),? (replace .+)$/i.exec(request.plain);
  const match = swap.exec(front?.[2] ?? request.plain);
  if (!match?.[2] || !match[3] || /^(?:my|your|the|our) /i.test(match[2])) return undefined;
  const file = front?.[1]?.replace(/,$/, "") ?? match[4];
  const texts = { old_text: request.value(match[2]), new_text: request.value(match[3]), ...(match[1] || match[5] ? { all: true } : {}) };
  const edit = (words: string): Meaning | undefined => {
    const target = place(words, request, known);
    return target?.sure && !target.folder ? one("edit_file", { path: target.path, ...texts }) : undefined;
  };
  if (file === undefined && !/^replace/i.test(match[0]) && !hasToken(match[2])) return undefined;
  return file === undefined ? { ask: "In which file?", then: edit } : edit(file);
};

const MOVE = /^(move|rename|copy|duplicate|put|mv|cp)(?: (?!to )(.+?))?(?: (to|into|in|onto|as|over to|inside|there)(?: (.+))?)?$/i;

export const move: Rule = (request, known) => {
  const match = MOVE.exec(request.plain.replace(/^((?:move|rename|copy|mv|cp) \S+) (\S+)$/i, "$1 to $2"));
  if (!match?.[1]) return undefined;
  const verb = match[1].toLowerCase();
  const sources = match[2] === undefined ? undefined : places(match[2], request, known);
  const source = sources?.[0];
  if (verb === "put" && (!sources?.every(({ sure }) => sure) || match[4] === undefined)) return undefined;
  const word = { mv: "move", cp: "copy", duplicate: "copy" }[verb] ?? verb;
  if (match[2] === undefined)
    return {
      ask: `What should I ${word}? Name a file or folder.`,
      then: (answer) => move({ ...request, plain: `${word} ${answer}${match[4] ? ` ${match[3]} ${match[4]}` : ""}` }, known),
    };
  if (!source || !sources) return { say: `I could not tell what to ${word}: “${request.typed(match[2])}”. ${UNCLEAR}`, unclear: true };
  const to = match[3] === "there" ? "there" : match[4];
  const go = (words: string): Meaning | undefined => {
    const into = /^(?:in|into|inside|onto)$/i.test(match[3] ?? "");
    const target = place(words, request, known);
    return target && !(word === "rename" && sources.length > 1)
      ? { calls: sources.map(({ path }) => moved(word, path, { ...target, folder: target.folder || into || sources.length > 1 })) }
      : undefined;
  };
  if (to === undefined)
    return {
      ask: word === "rename" ? `What should \`${nameOf(source.path)}\` be called?` : `Where should I ${word} \`${nameOf(source.path)}\`?`,
      then: go,
    };
  return go(to) ?? { say: `I could not tell where to ${word} it: “${request.typed(to)}”. ${UNCLEAR}`, unclear: true };
};

function moved(verb: string, source: string, target: Place): Call {
  const extension = /\.\w+$/;
  const into =
    target.folder ||
    target.path.endsWith("/") ||
    (verb !== "rename" && extension.test(source) && !extension.test(target.path) && target.path !== source);
  const beside =
    verb === "rename" && !target.path.includes("/") && source.includes("/") ? within(parentOf(source), target.path) : target.path;
  const destination = into && verb !== "rename" ? within(target.path, nameOf(source)) : beside;
  if (verb !== "copy") return { tool: "move_file", input: { source, destination } };
  const [from, to] = [shellPath(source), shellPath(destination)];
  return {
    tool: "execute_terminal_command",
    input: { command: `if [ -e ${to} ]; then echo 'Already exists' >&2; exit 1; fi; cp -R ${from} ${to}` },
    view: `copy ${source}\n${destination}`,
  };
}

const DELETE = /^(?:delete|remove|erase|trash|get rid of|rm|throw away|bin|unlink)(?: (.+))?$/i;

export const remove: Rule = (request, known) => {
  const match = DELETE.exec(request.plain);
  if (!match || /^(?:the )?(?:app|application|program) /i.test(match[1] ?? "")) return undefined;
  const again = (answer: string) => remove({ ...request, plain: `delete ${answer}` }, known);
  if (match[1] === undefined) return { ask: "What should I delete? Name a file or folder.", then: again };
  const deep =
    / (?:and|with|including) (?:everything|all(?: of)?(?: its| the)? (?:contents?|files)|its contents?)(?: (?:in|inside)(?: of)? it)?$| recursively$/i.exec(
      match[1],
    );
  const targets = places(deep ? match[1].slice(0, deep.index) : match[1], request, known);
  if (!targets?.every(({ sure, path }) => sure && !/^(?:\.{1,2}|~|\/)\/?$/.test(path)))
    return {
      ask: `I delete only what is named exactly, and “${request.typed(match[1])}” could mean several things. What should I delete? Put a name with spaces in quotes.`,
      then: again,
    };
  return { calls: targets.map(({ path }): Call => ({ tool: "delete_file", input: { path, ...(deep ? { recursive: true } : {}) } })) };
};

export const undo: Rule = ({ plain }) => {
  const id = /^undo (?:change |entry |number )?([a-z]+_\w+)$/i.exec(plain)?.[1];
  if (id) return one("undo", { id });
  const last =
    /^(?:undo|revert|reverse|take back)(?: (?:that|it|this|the last (?:change|thing|action|edit|one)|what you (?:just )?did|your last (?:change|action)|last))?$|^(?:put|take|bring|change|get) (?:it|that|them) back$|^restore (?:it|that)$|^undo the (?:delete|deletion|move|rename|change)$/i;
  return last.test(plain) ? one("undo", {}) : undefined;
};
