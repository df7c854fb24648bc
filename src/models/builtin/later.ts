// Rules for what is to be done later: reminders, and requests with a time. What the words mean as a time is the tool's to read.
import { type Call, type Meaning, one, type Request, type Rule } from "./meaning.ts";

const TIME = String.raw`(?:\d{1,2}(?:[:.]\d{2})?(?: ?[ap]\.?m\.?| o'?clock)?|noon|midday|midnight)`;
const AT = String.raw`(?: (?:at|@) ${TIME}(?:(?:,| and) ${TIME})*| in the (?:morning|afternoon|evening))?`;
const DAY = String.raw`(?:mon|tues|wednes|thurs|fri|satur|sun)days?`;
const MONTH = "(?:january|february|march|april|may|june|july|august|september|october|november|december)";
const SPAN = String.raw`(?:\d+|an?|one|two|three|five|ten|half an) (?:seconds?|minutes?|mins?|hours?|days?|weeks?)`;
const ONCE = [
  `in ${SPAN}(?: and ${SPAN})?`,
  `(?:today|tomorrow|the day after tomorrow|tonight|this (?:morning|afternoon|evening))(?: (?:morning|noon|afternoon|evening|night))?${AT}`,
  `(?:on |next |this )?${DAY}(?: (?:morning|afternoon|evening))?${AT}`,
  `on (?:the )?\\d{1,2}(?:st|nd|rd|th)? (?:of )?${MONTH}(?: \\d{4})?${AT}`,
  `on ${MONTH} \\d{1,2}(?:st|nd|rd|th)?(?: \\d{4})?${AT}`,
  `(?:on )?\\d{4}-\\d{2}-\\d{2}${AT}`,
  `(?:at|@) ${TIME}(?: (?:today|tomorrow|tonight))?`,
].join("|");
const AGAIN = [
  `(?:every|each) (?:\\d+ |other |two |three )?(?:seconds?|minutes?|hours?|days?|weeks?|months?|weekdays?|weekends?|mornings?|noon|afternoons?|evenings?|nights?)${AT}`,
  `(?:every|each) ${DAY}(?:(?:,| and|, and) ${DAY})*(?: (?:morning|afternoon|evening))?${AT}`,
  `(?:every|each) (?:first|second|third|last|\\d{1,2}(?:st|nd|rd|th)?) (?:${DAY} |day )?of (?:the|each|every) month${AT}`,
  `(?:daily|hourly|weekly|monthly)${AT}`,
].join("|");
const WHEN = `(?:${AGAIN}|${ONCE})`;

const REMIND = /^(?:remind|ping|nudge) me(?: again)?,? (.+)$/is;
const FIRST = new RegExp(`^(${WHEN})(?: (?:to|that|about|of)|:|,)? (.+)$`, "is");
const LAST = new RegExp(`^(?:to|that|about|of) (.+?),? (${WHEN})$`, "is");
const DO_FIRST = new RegExp(`^(${WHEN}):?,? (?!(?:ago|before|after)\\b)(.+)$`, "is");
const DO_LAST = new RegExp(`^(.+?),? (${AGAIN})$`, "is");

export const reminder = (request: Request): Meaning | undefined => {
  const words = REMIND.exec(request.plain)?.[1];
  if (words === undefined)
    return /^(?:remind me|set (?:a|an) (?:reminder|alarm|timer))$/i.test(request.plain)
      ? {
          ask: "Of what, and when? Such as: at 9 to call Ada.",
          then: (answer) => reminder({ ...request, plain: `remind me ${answer}` }),
        }
      : undefined;
  const [, when, what] = FIRST.exec(words) ?? [];
  if (when && what) return one("schedule_task", { when, remind: request.value(what) });
  const [, thing, then] = LAST.exec(words) ?? [];
  if (thing && then) return one("schedule_task", { when: then, remind: request.value(thing) });
  const only = new RegExp(`^${WHEN}$`, "i").test(words) ? words : undefined;
  if (only)
    return {
      ask: `What should I remind you of ${only}?`,
      then: (answer) => one("schedule_task", { when: only, remind: request.value(answer) }),
      verbatim: true,
    };
  const about = /^(?:to|that|about|of) (.+)$/is.exec(words)?.[1];
  if (about)
    return {
      ask: "When? Such as: at 9, tomorrow at 17:00, in 20 minutes, every weekday at 8.",
      then: (answer) => one("schedule_task", { when: answer, remind: request.value(about) }),
      verbatim: true,
    };
  return undefined;
};

export const later: Rule = ({ plain, value }): Meaning | undefined => {
  const kept =
    /^(?:what(?:'s| is| are)?|which|list|show)(?: me)?(?: (?:my|all|the|of|all my|your))* (?:schedules?|scheduled(?: (?:tasks?|jobs?|things?))?|reminders?|cron jobs?)(?: (?:are there|do i have|have i set))?$|^what (?:is|have you) scheduled$/i;
  if (kept.test(plain)) return one("schedule_task", { action: "list" });
  const [, verb, id] =
    /^(cancel|remove|delete|pause|stop|resume|continue)(?: the| my)? (?:schedule|reminder|scheduled task|cron job) ([0-9a-f]{8})$/i.exec(
      plain,
    ) ?? [];
  const action = {
    cancel: "cancel",
    remove: "cancel",
    delete: "cancel",
    pause: "pause",
    stop: "pause",
    resume: "resume",
    continue: "resume",
  }[verb?.toLowerCase() ?? ""];
  if (action && id) return one("schedule_task", { action, id });
  const [, when, what] = DO_FIRST.exec(plain) ?? [];
  if (when && what) return one("schedule_task", { when, prompt: value(what) });
  const [, thing, then] = DO_LAST.exec(plain) ?? [];
  return thing && then ? one("schedule_task", { when: then, prompt: value(thing) }) : undefined;
};

/** What a request with a time begins with: the rest of the line belongs to it. */
export const BEGINS_LATER = /^(?:remind|ping|nudge|every |each |daily|hourly|weekly|monthly|tomorrow|tonight|in (?:\d|an? |half )|at \d)/i;

interface Told {
  id?: string;
  name?: string;
  when?: string;
  next?: string;
  paused?: boolean;
  finished?: boolean;
  held?: string;
  does?: string;
}

/** What came of it, in words. */
export function scheduled({ input }: Call, output: unknown): string {
  const told = (typeof output === "object" && output !== null ? output : {}) as Told & {
    schedules?: Told[];
    more?: number;
    cancelled?: string;
  };
  if (told.schedules) {
    const lines = told.schedules.map(
      (one) =>
        `- ${one.id} ${one.when}${one.paused ? ", paused" : one.finished ? ", finished" : one.next && one.next !== one.when ? `, next ${one.next}` : ""}: ${one.does ?? one.name}`,
    );
    return lines.length === 0 ? "Nothing is scheduled." : [...lines, ...(told.more ? [`- and ${told.more} more`] : [])].join("\n");
  }
  if (told.cancelled) return `I cancelled “${told.name}”.`;
  if (told.held) return `Scheduled, but not on yet. ${told.held}.`;
  if (input["action"] === "pause") return `“${told.name}” is paused.`;
  if (input["action"] === "resume") return `“${told.name}” goes on${told.next ? `: next ${told.next}` : ""}.`;
  const when = told.next && told.next !== told.when ? `${told.when}, next ${told.next}` : told.when;
  return typeof input["remind"] === "string" ? `I will remind you: ${told.name} (${when}).` : `Scheduled: ${told.name} (${when}).`;
}
