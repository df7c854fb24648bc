// Rules for the machine itself, commands, apps, web pages and what Steward remembers.
import { shellPath } from "./files.ts";
import { type Call, type Meaning, one, type Request, type Result, type Rule } from "./meaning.ts";
import { place } from "./places.ts";
import { isToken, TOKEN } from "./request.ts";

const MEMINFO =
  "if [ -r /proc/meminfo ]; then grep -E '^(MemTotal|MemAvailable|SwapTotal|SwapFree):' /proc/meminfo; else sysctl hw.memsize; vm_stat; fi";
const MINE = "(?:the |my |this |our )?(?:computer|machine|system|pc|mac|laptop|server|host)(?:['’]s)?";
const FACTS: [RegExp, string, string][] = [
  [
    /^(?:(?:show|check|tell|give|get)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my |our )?(?:disk|storage|hard (?:disk|drive))(?: (?:space|usage|use|free|status|capacity))?(?: (?:left|free|available|used|like))?$/i,
    "df -Pk ~",
    "disk",
  ],
  [
    /^how (?:much|full)\b.*\b(?:disk|storage|space|drive)\b|^(?:(?:show|check|tell|give|get)(?: me)? )?(?:the |my )?(?:free|available|remaining) (?:disk )?(?:space|storage)|^is there (?:enough|any|still) (?:free )?(?:disk )?space\b|^(?:is (?:the|my) (?:disk|drive)|(?:am i|are we) running out of (?:disk )?space)\b/i,
    "df -Pk ~",
    "disk",
  ],
  [
    /^how much (?:free |available )?(?:memory|ram)\b|^(?:(?:show|check|tell|give|get)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my |our |free )?(?:memory|ram)(?: (?:usage|use|status|left|free))?$/i,
    MEMINFO,
    "memory",
  ],
  [
    /^(?:(?:show|check|tell|give|get)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my |our )?(?:current )?(?:cpu|processor|load|system load)(?: (?:usage|use|load|average|status))?$|^how busy is\b|^how (?:much|many) cpus?\b/i,
    "uptime; getconf _NPROCESSORS_ONLN",
    "load",
  ],
  [
    new RegExp(
      `^(?:(?:show|check|tell|get)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my )?(?:system )?uptime$|^how long (?:has|have) (?:${MINE}|it|you) been (?:up|on|running)|^when did ${MINE} (?:start|boot)`,
      "i",
    ),
    "uptime",
    "uptime",
  ],
  [
    /^(?:(?:show|tell|get|give)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my |our |this (?:computer|machine)['’]s )?(?:local )?ip(?: address(?:es)?)?$/i,
    "hostname -I 2>/dev/null || ipconfig getifaddr en0",
    "ip",
  ],
  [
    new RegExp(
      `^(?:(?:show|tell|get)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my )?(?:host ?name|computer name|machine name|name of ${MINE})$`,
      "i",
    ),
    "uname -n",
    "hostname",
  ],
  [
    new RegExp(
      `^(?:(?:show|tell|get|give)(?: me)? )?(?:what|which) (?:(?:operating )?system|os|kernel|linux|version of \\w+)\\b|^(?:(?:show|tell|get|give)(?: me)? )?(?:what(?:['’]s| is) )?(?:the |my )?(?:system|os) (?:info(?:rmation)?|version)$|^what(?:['’]s| is| kind of) ${MINE} (?:is this|am i on|running)`,
      "i",
    ),
    'uname -srm; if [ -r /etc/os-release ]; then . /etc/os-release; echo "$PRETTY_NAME"; else sw_vers; fi',
    "system",
  ],
  [
    /^(?:(?:show|list|what|which|get)(?: me)? )?(?:are )?(?:all )?(?:the )?(?:running |top |active |current )?processes(?: (?:are )?(?:running|active))?$|^what(?:['’]s| is) (?:using|eating|hogging) (?:up )?(?:all )?(?:the |my )?(?:cpu|memory|ram|resources)$/i,
    "ps -Ao pid,pcpu,pmem,comm | sort -k2 -nr | head -n 10",
    "processes",
  ],
  [/^who am i(?: logged in as)?$|^what(?:['’]s| is) my user ?name$/i, "whoami", "user"],
  [
    /^(?:pwd|where am i|(?:what|which) (?:folder|directory) (?:am i|are we|is this)(?: in)?|what(?:['’]s| is) the (?:current|working) (?:folder|directory))$/i,
    "pwd",
    "pwd",
  ],
];

export const facts: Rule = (request, known) => {
  const size =
    /^how much (?:disk )?space (?:does|do) (.+?) (?:use|take(?: up)?|occupy)$|^disk usage (?:of|for|in) (.+)$|^how big (?:is|are) (.+)$/i.exec(
      request.plain,
    );
  const target = size ? place(size[1] ?? size[2] ?? size[3] ?? "", request, known) : undefined;
  if (target?.folder || (target?.sure && !size?.[3]))
    return one("execute_terminal_command", { command: `du -sk ${shellPath(target.path)}` }, "size");
  const fact = FACTS.find(([pattern]) => pattern.test(request.plain));
  return fact ? one("execute_terminal_command", { command: fact[1] }, fact[2]) : undefined;
};

const NOT_COMMANDS =
  /^(?:away|for|to|it|out|over|from|into|around|through|along|after|like|and|off|on|up|down|an?|the|my|your|our|some|this|that|these|all|every|faster|late|me|us|him|them|something|anything|as|if|when|again|in|with|errands)\b/i;

export const run: Rule = (request) => {
  const match =
    /^(?:run|execute|exec)(?: (?:the|this|that|following|a))*(?: (?:shell|terminal|bash))?( (?:command|cmd)s?)?(?: (?:in|on) (?:the |a )?(?:terminal|shell|command line))?:?(?: (.+))?$/is.exec(
      request.text,
    );
  if (!match) return undefined;
  const ask = (answer: string): Meaning =>
    one("execute_terminal_command", { command: isToken(answer) ? request.value(answer) : request.typed(answer) });
  const words = match[2]?.replace(/,? (?:please|for me)[.!]?$/i, "").trim();
  if (words === undefined) return { ask: "Which command should I run?", then: ask, verbatim: true };
  const quoted = new RegExp(`^(${TOKEN})(?: (?:command|in (?:the |a )?(?:terminal|shell)))?[.!?]?$`, "i").exec(words);
  if (quoted?.[1]) return ask(quoted[1]);
  if (/^[A-Z][A-Za-z]+$/.test(words) && !match[1]) return one("launch_application", { app_name: words });
  const the = /^(?:run|execute|exec) (?:the|that|this|a) /i.test(request.text) && !match[1];
  return the || NOT_COMMANDS.test(words)
    ? undefined
    : ask(words.replace(/ in (?:the|a) (?:terminal|shell)[.!]?$/i, "").replace(/(?<=\w)[.!?]$/, ""));
};

const NOT_APPS =
  /^(?:an?|your|our|his|her|to|up|over|again|now|from|with|for|by|of|talking|thinking|doing|being|it|that|this|them|me|us|you|all|every|everything|something|anything|apps|applications|programs|process(?:es)?|pid|\d+$|computer|machine|system|pc|mac|laptop|server|files?|folders?|reasons?|windows?|tabs?|new|please|in|on|at|my)\b|\b(?:to|with|for|of|when|if|that|which|because|mode|theme|model|tab|window|door|file|folder|language|quitting|after|before|unless|until|and|or|not|in|at)\b|[/\\:<>|=?*]/i;

/** One or more apps; undefined when the words are not surely names. */
function apps(words: string, request: Request): string[] | undefined {
  const names = words
    .split(/, and |,? and |, /i)
    .map((word) =>
      word
        .replace(
          /^(?:the|my) (?=.+ (?:app|application|program)$)|^(?:the )?(?:app|application|program) (?:called |named )?|^the (?=\S+$)/i,
          "",
        )
        .replace(/ (?:app|application|program)$/i, ""),
    );
  const certain = names.every(
    (name) => isToken(name) || (!NOT_APPS.test(name) && !/^[a-z]+ing$/.test(name) && /^\w[\w.+&'’-]*(?: [\w.+&'’-]+){0,3}$/.test(name)),
  );
  return certain ? names.map((name) => request.value(name)) : undefined;
}

function named(
  tool: string,
  words: string,
  { request, extra }: { request: Request; extra: Record<string, unknown> | undefined },
): Meaning | undefined {
  const calls = apps(words, request)?.map((name): Call => ({ tool, input: { app_name: name, ...extra } }));
  return calls && { calls };
}

const RUNNING =
  /^(?:(?:list|show|see|tell|get|give)(?: me)? )?(?:what|which|all)?(?: of)?(?: ?the| ?my)? ?(?:(?:running|open|active) (?:apps?|applications?|programs?)|(?:apps?|applications?|programs?) (?:are |is |that are |do i have )?(?:currently |now )?(?:running|open|active)(?: right now| currently)?)$|^what(?:['’]s| is) (?:currently )?(?:running|open)$/i;

export const running: Rule = (request) => {
  if (RUNNING.test(request.plain)) return one("list_running_apps", {});
  const asked = /^is (?:the )?(.+?)(?: app)? (?:running|open)$/i.exec(request.plain);
  return asked?.[1] && apps(asked[1], request) ? one("list_running_apps", {}, `is ${request.value(asked[1])}`) : undefined;
};

export const applications: Rule = (request) => {
  const { plain } = request;
  const rules: [RegExp, string, string, Record<string, unknown>?][] = [
    [/^(?:force[- ]?(?:quit|close|kill|stop))(?: (.+))?$/i, "quit_application", "force quit", { force: true }],
    [/^(?:quit|close|exit|kill|terminate|shut)(?: down)?(?: (.+))?$/i, "quit_application", "quit"],
    [/^(?:switch(?: over)? to|activate|focus(?: on)?|go to)(?: (.+))?$/i, "activate_application", "switch to"],
    [/^bring(?: up)? (.+?)(?: (?:to the front|to front|forward|into focus|into view))$/i, "activate_application", "switch to"],
    [/^(?:open(?: up)?|launch|start(?: up)?|fire up)(?: (.+))?$/i, "launch_application", "open"],
  ];
  for (const [pattern, tool, verb, extra] of rules) {
    const match = pattern.exec(plain);
    if (!match) continue;
    const name = match[1];
    if (name === undefined) return { ask: `Which app should I ${verb}?`, then: (answer) => named(tool, answer, { request, extra }) };
    return /^go to [^A-Z]/.test(plain) ? undefined : named(tool, name, { request, extra });
  }
  return undefined;
};

const DOMAIN =
  /^(?:www\.[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:com|org|net|io|dev|edu|gov|co|uk|de|fr|eu|ch|nl|info|wiki))(?::\d+)?(?:\/\S*)?$/i;

export const web: Rule = ({ plain, value }) => {
  const match =
    /^(?:(?:fetch|open(?: up)?|visit|go to|browse(?: to)?|summari[sz]e|read|get|load|check|show(?: me)?|what does|what(?:['’]s| is) (?:on|at))(?: (?:the|this))?(?: (?:web ?)?(?:page|site|website|url|address|link))?(?: (?:at|of))? )?(\S+)(?: say| about)?$/i.exec(
      plain,
    );
  const word = match?.[1] ? value(match[1]) : "";
  const sent = word === plain || word === value(plain);
  const url = /^https?:\/\/[^\s]+$/i.test(word)
    ? word
    : DOMAIN.test(word) && !sent && /^(?:fetch|open|visit|go|browse|summ|load|check|read|what)/i.test(plain)
      ? `https://${word}`
      : undefined;
  return url && URL.canParse(url) ? one("fetch_page", { url }) : undefined;
};

export const memory: Rule = (request) => {
  const { text, plain } = request;
  const value = (words: string) => request.value(words).trim();
  const fact = /^(?:remember|don['’]?t forget|note|keep in mind|memori[sz]e)(?: down)?(?:(?: that|:|,) | )(?!to\b)(\S.*)$/is.exec(
    text,
  )?.[1];
  if (/^(?:remember|memori[sz]e)(?: (?:this|that|something))?$/i.test(plain))
    return { ask: "What should I remember?", then: (answer) => one("remember", { text: value(answer) }), verbatim: true };
  if (fact) return one("remember", { text: value(fact.replace(/^that /i, "")).replace(/[.!]$/, "") });
  if (
    /^(?:what|which things) (?:do|did|have) (?:you|i) (?:know|remember|remembered|tell you|told you|ask(?:ed)? you to remember|learned)(?: (?:about|of) me)?(?: so far)?$|^what you (?:know|remember)(?: about me)?$|^(?:show|list|tell)(?: me)? (?:what you (?:know|remember)(?: about me)?|(?:your|my) (?:memory|memories|facts))$|^do you (?:know|remember) (?:anything about )?me$/i.test(
      plain,
    )
  )
    return one("recall", {});
  const about =
    /^(?:(?:what|do) (?:do )?you (?:know|remember) (?:about|of)|do you remember|recall|what did (?:i|we) (?:say|tell you|talk) about|what did i tell you about) (?:my |the )?(\S.*)$/i.exec(
      plain,
    )?.[1];
  if (about) return one("recall", { words: value(about) });
  const gone = /^forget(?: (?:about|that))?(?: (\S.*))?$/i.exec(plain);
  if (!gone) return undefined;
  if (gone[1] === undefined || /^(?:it|this|everything|all|me|what)\b/i.test(gone[1]))
    return {
      ask: "What should I forget? Say a few words of it; “what do you know about me” shows all that I keep.",
      then: (answer) => forget(value(answer)),
    };
  return forget(value(gone[1]));
};

const forget = (words: string): Meaning =>
  /^[a-z]+_\w+$/i.test(words)
    ? one("forget", { id: words })
    : { calls: [{ tool: "recall", input: { words }, then: (result) => forgetFound(words, result) }] };

/** The facts in what `recall` answered, in whichever of its lists they stand. */
export function factsOf(output: unknown): { id: string; text: string }[] {
  const lists = Array.isArray(output) ? [output] : output && typeof output === "object" ? Object.values(output).filter(Array.isArray) : [];
  return lists
    .flat()
    .filter((item): item is { id: string; text: string } => typeof item?.id === "string" && typeof item?.text === "string");
}

function forgetFound(words: string, result: Result): Meaning | undefined {
  if (!result.success) return undefined;
  const wanted = words.toLowerCase().split(/\s+/);
  const matches = factsOf(result.output).filter(({ text }) => wanted.every((word) => text.toLowerCase().includes(word)));
  const [first] = matches;
  if (first && matches.length === 1) return one("forget", { id: first.id }, `forget ${first.text}`);
  if (!first) return { say: `I keep nothing about “${words}”.` };
  return {
    say: `That fits several things. Say “forget” with the id of one:\n\n${matches
      .slice(0, 20)
      .map(({ id, text }) => `- \`${id}\`: ${text}`)
      .join("\n")}`,
    unclear: true,
  };
}
