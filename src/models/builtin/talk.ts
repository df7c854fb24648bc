// What is answered without a tool: greetings, time, sums, what Steward can do, and what it did not understand.
import { oneLine } from "../../std/text.ts";
import type { Rule } from "./meaning.ts";
import { sum } from "./sums.ts";

const CONNECT =
  "For anything else, connect a language model: on the settings page, or with `steward config set model PROVIDER/NAME`. A running Ollama is found by itself (`ollama/qwen2.5`, say); a cloud model needs a key, which the settings page takes (or `KIMI_API_KEY` in the environment).";

/** What it can do: words that hint at it, and a request that works as it stands. */
const ABILITIES: [RegExp, string][] = [
  [/\b(?:list|files?|folders?|directory|desktop|downloads?|documents?|ls|dir|contents?)\b/gi, "list the files on my Desktop"],
  [
    /\b(?:create|make|new|write|save|note|notes|file|text|append|generate|compose|draft)\b/gi,
    "create a file called notes.txt with the content “buy milk”",
  ],
  [/\b(?:read|show|open|cat|view|print|display|pdf|contents?|source|code)\b/gi, "read notes.txt"],
  [/\b(?:find|search|look|locate|where|google|grep)\b/gi, "find files containing “budget” in Documents"],
  [/\b(?:move|rename|copy|organi[sz]e|sort|tidy|put|archive|backup)\b/gi, "move notes.txt to Documents"],
  [/\b(?:delete|remove|erase|trash|clean|rm|wipe)\b/gi, "delete notes.txt"],
  [/\b(?:replace|change|edit|fix|update|modify|correct)\b/gi, "replace “tea” with “coffee” in notes.txt"],
  [/\b(?:run|command|terminal|shell|install|brew|git|npm|script|execute|python|sudo)\b/gi, "run the command `uname -a`"],
  [/\b(?:disk|memory|ram|cpu|space|storage|slow|uptime|load|battery|performance|computer|system)\b/gi, "how much disk space is free?"],
  [/\b(?:apps?|applications?|programs?|launch|quit|close|exit|switch|start|running|safari|chrome|firefox)\b/gi, "what apps are running?"],
  [/\b(?:open|quit|launch|app|close|window)\b/gi, "open Firefox"],
  [/\b(?:time|date|day|clock|today|hour|week)\b/gi, "what time is it?"],
  [/\b(?:remember|forget|know|remind|recall|memory|name|birthday)\b/gi, "remember that my sister's name is Ada"],
  [/\b(?:web|page|site|url|internet|news|weather|http|https|browse|www|online|summari[sz]e)\b/gi, "summarise https://example.com"],
  [/\b(?:undo|revert|rollback|back|restore|mistake)\b/gi, "undo that"],
  [/\b(?:calculate|sum|math|number|percent|plus|how much)\b/gi, "what is 17*23?"],
];
const USUAL = ["list the files on my Desktop", "create a file called notes.txt with the content “buy milk”", "what apps are running?"];
const asList = (examples: string[]): string => examples.map((text) => `- ${text}`).join("\n");

export function unclear(words: string): { say: string; unclear: true } {
  const counted = ABILITIES.map(([hint, example]) => ({ example, hits: (words.slice(0, 1000).match(hint) ?? []).length }));
  const near = counted
    .filter(({ hits }) => hits > 0)
    .toSorted((a, b) => b.hits - a.hits)
    .slice(0, 3)
    .map(({ example }) => example);
  const said =
    words.trim() === "" ? "I see no words in that, so I did nothing." : `I did not understand “${oneLine(words, 100)}”, so I did nothing.`;
  return {
    say: `${said} I am the built-in model and follow plain requests by rules. ${near.length > 0 ? "The closest that I can do:" : "I can do this, for example:"}\n\n${asList(near.length > 0 ? near : USUAL)}\n\n${CONNECT}`,
    unclear: true,
  };
}

const HELP = `I am Steward, answering with its built-in model: plain requests, read by rules, with no network and no key. You can say:

${asList(ABILITIES.map(([, example]) => example))}

Join requests with “and then”. “It” and “there” mean the file or folder that was last handled. ${CONNECT}`;

const MODEL = `I answer with Steward's built-in model, \`builtin/rules\`: a small set of rules on this machine. It uses no API, no network and no key. ${CONNECT}`;

const SAYINGS: [RegExp, string][] = [
  [
    /^(?:hi|hello|hey|hiya|howdy|greetings|yo|good (?:morning|afternoon|evening|day))(?:,? (?:there|steward|again|everyone))?$/i,
    "Hello! What can I do for you? “Help” shows what I understand.",
  ],
  [
    /^(?:many )?(?:thanks?|thank you|thx|cheers)(?:,? (?:you|steward|so much|very much|a lot|for (?:that|your help|the help)|again))*$/i,
    "You are welcome.",
  ],
  [/^(?:bye|goodbye|good ?night|see you(?: later)?|cu)(?:,? steward)?$/i, "Goodbye."],
  [
    /^(?:who|what) are you$|^what(?:['’]s| is) your name$|^introduce yourself$|^tell me about yourself$|^are you (?:an? )?(?:ai|bot|robot|human|real)$/i,
    "I am Steward, a personal agent on your own machine. Just now I answer with the built-in model, which follows plain requests by rules. “Help” shows what I understand.",
  ],
  [/^how are you(?: doing)?(?: today)?$|^how(?:['’]s| is) it going$|^what(?:['’]s| is) up$/i, "All is well here. What can I do for you?"],
  [
    /^(?:help|\?|commands|examples|what (?:can|do) you(?: actually)? do(?: here| for me)?|what (?:can|could|should) i (?:ask|say|do)(?: you)?(?: here)?|what are you (?:able to do|capable of)|how (?:do|can) (?:i|you) (?:use you|work|help)(?: this| me)?|what you can do|show (?:me )?(?:help|what you can do)|(?:list|what are|show)(?: me)? (?:your|the) (?:abilities|capabilities|commands|features|skills|tools))$/i,
    HELP,
  ],
  [
    /^(?:which|what)(?: kind of)? (?:ai |language )?(?:api|model|llm|ai|engine|provider|version of gpt)(?: provider| model)? (?:do|are|is) (?:you|this|it)(?: (?:use|using|running(?: on)?|on|run on|based on))?$|^what(?:['’]s| is) your (?:ai |language )?(?:model|api|engine|provider)$|^are you (?:gpt|chatgpt|claude|kimi|gemini|llama)\S*$|^what (?:do you run on|are you running on|powers you)$/i,
    MODEL,
  ],
  [
    /^(?:(?:how (?:do|can) i|how to) )?(?:connect|add|set(?: up)?|change|switch(?: to)?|use|choose|configure)(?: an?| the| another| my| a different| a better)* (?:language )?(?:model|llm|api key|key|provider|ollama)$/i,
    CONNECT.replace("For anything else, connect", "Connect"),
  ],
  [
    /^(?:never ?mind|cancel(?: that)?|stop(?: it| that)?|nothing|no|nope|no thanks|no,? thank you|forget (?:about )?it)$/i,
    "All right, I did nothing.",
  ],
  [
    /^(?:ok|okay|yes|yeah|yep|sure|great|good|nice|cool|perfect|well done|good job|awesome|wow|got it|i see)$/i,
    "Good. What is next? “Help” shows what I understand.",
  ],
];

export const talk: Rule = ({ text, plain, typed }) => {
  const words = plain.replace(/[,!?. ]{1,9}$/, "") || text;
  const saying = SAYINGS.find(([pattern]) => pattern.test(words));
  if (saying) return { say: saying[1] };
  if (/^(?:don['’]?t|do not|never|you (?:must|should) not|no need to)\s(?!forget (?:that|to|about)\b|forget,?:)/i.test(text))
    return { say: `All right, I won't: “${oneLine(typed(plain), 100)}”. I did nothing.` };
  return undefined;
};

export const sums: Rule = ({ plain, value }) => {
  const words = plain
    .replace(
      /^(?:what(?:['’]s| is| does)|how much is|calculate|compute|work out|solve|evaluate|tell me|sum)(?: the)?(?: (?:result|value|answer) (?:of|to))? /i,
      "",
    )
    .replace(/ ?(?:equals?|=|make)$/i, "");
  const text = value(words).trim();
  const result = /\d/.test(text) ? sum(text) : undefined;
  if (result === undefined || /^\d{1,4}[-/]\d{1,2}[-/]\d{1,4}$/.test(text)) return undefined;
  return { say: Number.isNaN(result) ? `\`${text}\` has no value that I can give.` : `\`${text}\` = **${result}**` };
};

const TIME =
  /^(?:(?:do you (?:know|have)|tell me|give me|show(?: me)?|say) )?(?:what(?:['’]s| is)? ?)?(?:the )?(?:current |local )?(time|date|day|month|year|weekday)(?: is)?(?: ?(?:it(?: is)?|today|of (?:the )?(?:day|week)|and (?:date|time)))*(?: (?:now|right now|today))?(?: (?:in|for) (.+))?$|^what(?:['’]s| is) today(?:['’]s date)?$/i;

export const time: Rule = ({ plain }, known) => {
  const match = TIME.exec(plain.replace(/^which /i, "what "));
  if (!match || !/\s|^(?:time|date)$/i.test(plain)) return undefined;
  const zone = match[2] ? zoneOf(match[2]) : known.zone;
  if (zone === undefined) return undefined;
  const format = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(known.now);
  const day = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" }).replace(/^(\w+) (?=\d)/, "$1, ");
  return {
    say:
      match[1]?.toLowerCase() === "time"
        ? `It is **${format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" })}** on ${day} (${zone}).`
        : `Today is **${day}** (${zone}).`,
  };
};

const zoneOf = (place: string): string | undefined => {
  const wanted = place
    .toLowerCase()
    .replace(/^(?:the )?/, "")
    .replaceAll(" ", "_");
  return /^(?:utc|gmt)$/.test(wanted)
    ? "UTC"
    : Intl.supportedValuesOf("timeZone").find((zone) => zone.toLowerCase() === wanted || zone.toLowerCase().endsWith(`/${wanted}`));
};
