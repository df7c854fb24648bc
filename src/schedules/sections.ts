// The grammar of HEARTBEAT.md: a heading of the second level says when, the list below it what. Pure.
import { messageOf } from "../std/error.ts";
import { oneLine } from "../std/text.ts";
import type { Trigger } from "./trigger.ts";
import { type Clock, readWhen } from "./words.ts";

export interface Section {
  /** As it stands there. */
  heading: string;
  /** The list, joined. */
  prompt: string;
  trigger: Trigger;
}
const MOST = 100;

/** Comments, free text and other headings are left out. A section that can't be read is a problem and stops no other. */
export function sectionsOf(text: string, clock: Clock): { sections: Section[]; problems: string[] } {
  const sections: Section[] = [];
  const problems: string[] = [];
  for (const { heading, bullets, line } of headingsOf(text)) {
    const where = `HEARTBEAT.md, line ${line}, "${oneLine(heading, 60)}"`;
    try {
      const trigger = triggerOf(heading, clock);
      if ("at" in trigger) problems.push(`${where}: it comes only once. Say "every …", or schedule it: steward cron add.`);
      else if (bullets.length === 0) problems.push(`${where}: there is no list below it that says what to do.`);
      else if (sections.length >= MOST) problems.push(`${where}: there are more than ${MOST} sections.`);
      else sections.push({ heading, prompt: bullets.join("\n"), trigger });
    } catch (error) {
      problems.push(`${where}: ${messageOf(error)}. Such as: Every 30 minutes, Every morning (9:00 AM), Every weekday at 17:30.`);
    }
  }
  return { sections, problems };
}

/** What it is about may stand before a colon. */
function triggerOf(heading: string, clock: Clock): Trigger {
  const [, titled] = /^[^`]*?[:–—]\s+(every\b.+|`[^`]+`)$/i.exec(heading) ?? [];
  return readWhen(titled ?? heading, clock);
}

function headingsOf(text: string): { heading: string; bullets: string[]; line: number }[] {
  const found: { heading: string; bullets: string[]; line: number }[] = [];
  const plain = text.replace(/<!--[\s\S]*?(?:-->|$)/g, (comment) => comment.replace(/[^\n]/g, ""));
  let last: (typeof found)[number] | undefined;
  let fence = false;
  for (const [at, line] of plain.split(/\r?\n/).entries()) {
    if (/^\s*(?:```|~~~)/.test(line)) fence = !fence;
    if (fence) continue;
    const [, marks, heading] = /^(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line) ?? [];
    if (marks !== undefined) {
      last = marks === "##" ? { heading: heading!, bullets: [], line: at + 1 } : marks === "#" ? undefined : last;
      if (marks === "##") found.push(last!);
      continue;
    }
    const [, indent = "", bullet] = /^(\s*)[-*+]\s+(.*\S)\s*$/.exec(line) ?? [];
    if (bullet) last?.bullets.push(`${indent ? "  " : ""}- ${bullet}`);
    else if (/^\s+\S/.test(line) && last && last.bullets.length > 0) last.bullets.push(`${last.bullets.pop()!} ${line.trim()}`);
  }
  return found;
}
