// Rules for looking at files and folders: list, read, find, information. What changes files is in edits.ts.
import { type Known, type Meaning, one, type Request, type Rule } from "./meaning.ts";
import { folder, looksLikeFile, nameOf, place, places } from "./places.ts";
import { hasToken, isToken } from "./request.ts";

const SHOW = "(?:list|show|display|see|view|give|tell|get|print|check|look at)(?: me)?";
const LIST = new RegExp(
  `^(?:${SHOW}|what are)?(?: ?(?:a )?list of)? ?(?:all)?(?: of)? ?(?:the|my)? ?(hidden)? ?(files|contents?|things|items|documents|folders|subfolders|directories|files and folders|stuff|everything)(?: (?:that )?(?:are|is)(?: there)?)?(?: (?:in|on|of|from|inside|at|under|within) (.+)| (here|there))?$`,
  "i",
);
const BEGINS = new RegExp(`^(?:${SHOW}|what are|all(?: the| my)?|hidden) `, "i");
const WHATS =
  /^(?:what(?:['’]s| is| are)|which|what)(?: (files|folders|things|documents)(?: are)?)?(?: there| stored| saved)? (?:in|on|inside|under) (.+)$/i;
const HAVE = /^(?:what|which)(?: (files|folders|things))? (?:do i have|have i got|are there|is there) (?:in|on|inside) (.+)$/i;
const COUNT =
  /^(?:how many (?:files|things|items|documents|folders)(?: (?:are|do i have|have i got))?(?: there)?|count (?:all )?(?:the |my )?(?:files|things|items))(?: (?:in|on|inside) (.+)| (here|there))?$/i;
const TYPED =
  /^(?:list|show|find|search for|look for|locate|get)(?: me)?(?: all)?(?: of)?(?: the| my| any)? \*?\.?([a-z][a-z0-9]{1,4})(?: files|(?<=pdf|png|jpg|mp3|mp4|csv)s)(?: (?:in|on|under|inside|from) (.+))?$/i;

export const list: Rule = (request, known) => {
  const { plain } = request;
  if (/^(?:ls|dir)$/i.test(plain)) return one("list_directory", { path: "." });
  const count = COUNT.exec(plain);
  if (count) return at(count[1] ?? count[2], "count", { request, known });
  const typed = TYPED.exec(plain);
  if (typed?.[1] && !/^(?:all|the|my|any|some|text|open|new|old|big|these|those|which)$/i.test(typed[1]))
    return found(`*.${typed[1].toLowerCase()}`, typed[2], { request, known });
  const listed = LIST.exec(plain);
  if (listed && /^contents?$/i.test(listed[2] ?? "") && /\.\w+$/.test(listed[3] ?? ""))
    return inside(listed[3] ?? "", undefined, { request, known });
  if (listed && (listed[3] ?? listed[4] ?? BEGINS.exec(plain)) && !/ my (?:documents|pictures)$/i.test(plain))
    return at(
      listed[3] ?? listed[4],
      listed[1] ? "hidden" : /folders$|direct/i.test(listed[2] ?? "") && !/files/i.test(listed[2] ?? "") ? "folders" : undefined,
      { request, known },
    );
  const whats = WHATS.exec(plain) ?? HAVE.exec(plain);
  if (whats?.[2]) return inside(whats[2], whats[1], { request, known });
  const direct = /^(?:list|ls|look (?:in|inside|into|at)|show(?: me)?|open|go to|browse) (.+)$/i.exec(plain);
  const target = direct?.[1] ? place(direct[1], request, known) : undefined;
  if (!target || !direct || /^open (?:Music|Photos|Home)$/.test(plain)) return undefined;
  const said = /^(?:list|ls|look)/i.test(direct[0])
    ? target.sure && !(looksLikeFile(target.path) && /\.\w+$/.test(target.path))
    : target.folder;
  return said && !/^it$/i.test(direct[1] ?? "") ? one("list_directory", { path: target.path }) : undefined;
};

interface Where {
  request: Request;
  known: Known;
}

function at(words: string | undefined, view: string | undefined, { request, known }: Where): Meaning | undefined {
  const path = words === undefined ? "." : folder(words, request, known);
  if (path !== undefined) return one("list_directory", { path }, view);
  if (words !== undefined && !/^(?:it|there)$/i.test(words)) return undefined;
  return {
    ask: "Which folder do you mean?",
    then: (answer) => list({ ...request, plain: `list ${answer}` }, known) ?? at(answer, view, { request, known }),
  };
}

function inside(words: string, kind: string | undefined, { request, known }: Where): Meaning | undefined {
  const target = place(words, request, known);
  if (!target?.sure) return undefined;
  if (kind === undefined && !target.folder && /\.\w+$/.test(nameOf(target.path))) return one("read_file", { path: target.path });
  return one("list_directory", { path: target.path }, kind === "folders" ? "folders" : undefined);
}

const READ =
  /^(?:read|cat|look at|show|display|print|view|open|see|type out|read out|output)(?: me)?(?: the (?:contents?|text|inside) of| what(?:['’]s| is) (?:in|inside))?(?: (.+))?$/i;

export const read: Rule = (request, known) => {
  const { plain } = request;
  const says = /^what(?: does| is written in|['’]s written in)(?: the)? (.+?)(?: (?:say|contain|hold|look like))?$/i.exec(plain);
  const target = says?.[1] ? place(says[1], request, known) : undefined;
  if (target?.sure && /^what (?:does .* (?:say|contain|hold)|is written)/i.test(plain)) return one("read_file", { path: target.path });
  const match = READ.exec(plain);
  if (!match) return undefined;
  const wanted = match[1];
  if (wanted === undefined)
    return /^(?:read|cat|print)/i.test(plain)
      ? { ask: "Which file should I read?", then: (answer) => readAll(answer, { request, known }, true) }
      : undefined;
  return readAll(wanted, { request, known }, /^(?:read|cat)/i.test(plain));
};

/** `any`: a bare word counts as a file; else it must look like one. */
function readAll(words: string, { request, known }: Where, any: boolean): Meaning | undefined {
  const found = places(words, request, known);
  if (!found)
    return /^(?:it|that|this)(?: file)?$/i.test(words) && any
      ? { ask: "Which file do you mean?", then: (answer) => readAll(answer, { request, known }, true) }
      : undefined;
  if (/^open \S+ (?:in|with|using) \w+$/i.test(request.plain) && !found[0]?.path.startsWith("~")) return undefined;
  if (!found.every(({ path, sure, folder: is }) => !is && sure && (any || looksLikeFile(path) || / file$|^(?:the )?file /i.test(words))))
    return undefined;
  return { calls: found.map(({ path }) => ({ tool: "read_file", input: { path } })) };
}

const NAMED =
  /^(?:find|locate|search for|look for|search)(?: me)?(?: all| every| any)?(?: of)?(?: the| my| a)? ?(?:files?|documents?|folders?|anything)(?: (?:called|named|with the name|whose names? (?:has|have|contains?|is|are|includes?)|with(?= \S+ in (?:the|its|their) name)|matching|like)) (.+?)(?: in (?:the|its|their) names?)?(?: (?:in|on|under|inside) (.+))?$/i;
const FIND =
  /^(?:find|locate|search for|look for|where(?:['’]s| is| are| did i put| can i find)|whereabouts is)(?: me)?(?: the| my| a)?(?: file| folder)?(?: (?:called|named))? (\S+)(?: (?:in|on|under|inside) (.+))?$/i;
const TEXT = [
  /^(?:find|list|show|get|search(?: for| in| through)?|look for|which|what)(?: me)?(?: all)?(?: the| my)? ?(?:files?|documents?|everything)(?: (?:in|on|under) (.+?))? (?:that )?(?:containing|contains?|mention(?:ing|s)?|including|for|with)(?: the)?(?: text| words?| phrase| string)? (.+)$/i,
  /^(?:search|grep|look)(?: in| inside| through)?(?: (.+?))? for(?: the)?(?: text| words?| phrase| string)? (.+)$/i,
];
const GREP = /^(?:grep|search for|find|look for)(?: the)?(?: (text|word|phrase|string))? (.+?) in(?:side)? (.+)$/i;

export const find: Rule = (request, known) => {
  const { plain } = request;
  if (/\b(?:web|internet|online|google)\b/i.test(plain)) return undefined;
  const named = NAMED.exec(plain);
  if (named?.[1]) return found(glob(request.value(named[1])), named[2], { request, known });
  for (const pattern of TEXT) {
    const match = pattern.exec(plain);
    const said =
      pattern === TEXT[0] || /^grep/i.test(plain) || match?.[1] || hasToken(match?.[2] ?? "") || / in \S/i.test(match?.[2] ?? "");
    if (match?.[2] && said) return text(match[2], match[1], { request, known });
  }
  const grep = GREP.exec(plain);
  if (grep?.[2] && grep[3] && (grep[1] || /^grep/i.test(plain) || isToken(grep[2])) && !looksLikeFile(request.value(grep[2])))
    return text(grep[2], grep[3], { request, known });
  const name = FIND.exec(plain);
  const word = name?.[1] ? request.value(name[1]) : "";
  const quoted = name?.[1] !== word;
  if (word && (looksLikeFile(word) || /[*?]/.test(word) || (quoted && /file|folder/i.test(plain))))
    return found(looksLikeFile(word) ? word : glob(word), name?.[2], { request, known });
  if (/^(?:find|search|grep|locate)(?: (?:a |for |the |my )?(?:files?|something|for))?$/i.test(plain))
    return {
      ask: "What should I look for? Say a file name, or “files containing” and the words.",
      then: (answer) =>
        find({ ...request, plain: `find ${answer}` }, known) ?? found(glob(request.value(answer)), undefined, { request, known }),
    };
  return undefined;
};

const glob = (word: string): string => (/[*?]/.test(word) || looksLikeFile(word) ? word : `*${word}*`);

function found(pattern: string, where: string | undefined, { request, known }: Where): Meaning | undefined {
  const path = where === undefined ? undefined : folder(where, request, known);
  if (where !== undefined && path === undefined) return undefined;
  return one("find_files", { pattern, ...(path === undefined ? {} : { path }) });
}

function text(words: string, where: string | undefined, { request, known }: Where): Meaning | undefined {
  const tail = where === undefined ? / (?:in|on|under|inside) (.+)$/i.exec(words) : null;
  const path = folder(where ?? tail?.[1] ?? ".", request, known);
  const wanted = request.value(tail ? words.slice(0, tail.index) : words).trim();
  if (path === undefined || wanted === "") return undefined;
  return one("search_files", { text: wanted, ...(where === undefined && !tail ? {} : { path }) });
}

const INFO =
  /^(?:(?:get|give|show|tell)(?: me)? )?(?:(?:some |more |the )?(?:info(?:rmation)?|details?|properties|metadata|size|permissions|stat)|file info|stat)(?: (?:about|on|of|for))?(?: the)? (.+)$/i;
const ASKED =
  /^(?:how (?:big|large|old) is|what(?:['’]s| is) the (?:size|date|age) of|when was|what (?:size|kind of file) is|who owns) (.+?)(?: (?:last )?(?:changed|modified|created|edited|made|updated))?$/i;

export const info: Rule = (request, known) => {
  const app =
    /^(?:(?:get|show|give|tell)(?: me)? )?(?:app(?:lication)? )?info(?:rmation)?(?: (?:about|on|for))? (?:the )?(?:(?:app|application) (\S.*)|(\S.*) app(?:lication)?)$/i.exec(
      request.plain,
    );
  const name = app?.[1] ?? app?.[2];
  if (name) return one("get_app_info", { app_name: request.value(name) });
  const match = INFO.exec(request.plain) ?? ASKED.exec(request.plain);
  const target = match?.[1] ? place(match[1], request, known) : undefined;
  if (!target?.sure || !(looksLikeFile(target.path) || target.folder || hasToken(match?.[1] ?? "") || /file|^it$/i.test(match?.[1] ?? "")))
    return undefined;
  if (target.folder && /^(?:how (?:big|large)|(?:what.*)?size)|size of/i.test(request.plain))
    return one("execute_terminal_command", { command: `du -sk ${shellPath(target.path)}` }, "size");
  return one("file_info", { path: target.path });
};

/** A path as one shell word; `~` stays open to the shell. */
export function shellPath(path: string): string {
  const quote = (word: string) => (/^[\w./@%+,:=-]+$/.test(word) && !word.startsWith("-") ? word : `'${word.replaceAll("'", "'\\''")}'`);
  if (path === "~") return "~";
  if (path.startsWith("~/")) return `~/${quote(path.slice(2))}`;
  return quote(path.startsWith("-") ? `./${path}` : path);
}
