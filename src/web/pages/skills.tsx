// Skills: which there are and in which state, looking at what is new, turning on and off. Adding one is parts/skill-add.tsx.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { bytes } from "../../std/text.ts";
import { confirm, telling, toast } from "../notices.ts";
import { Diff } from "../parts/diff.tsx";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { Add } from "../parts/skill-add.tsx";
import { callSkills, type Shown, type Skill } from "../skills-api.ts";
import { takeStyles } from "../sheet.ts";
import { shortDate } from "../words.ts";
import things from "../lazy/things.css";
import styles from "./skills.css";

export const title = "Skills";
export const icon: IconName = "spark";

takeStyles(things);
takeStyles(styles);

export function Page(): VNode {
  const { data, problem, again } = useLoad(() => callSkills("skills.list"), 10_000);
  const all = data?.skills;
  const waiting = all?.filter(waits) ?? [];
  const own = all?.filter((skill) => skill.source !== "bundled" && !waits(skill)) ?? [];
  return (
    <div class="cards">
      {waiting.length > 0 ? (
        <Card
          id="skills-waiting"
          title="Waiting for you"
          about="New, or changed since you accepted them. They are off until you turn them on."
        >
          <List skills={waiting} again={again} />
        </Card>
      ) : null}
      <Card
        id="skills-own"
        title="Yours"
        about="What Steward has learned from you. It reads a skill when a task is about it. Scripts of a skill run in your computer only."
      >
        {all ? (
          own.length > 0 ? (
            <List skills={own} again={again} />
          ) : (
            <p class="quiet">None yet. Add one below, or say “learn how to …” in a conversation.</p>
          )
        ) : (
          <Waiting problem={problem} />
        )}
      </Card>
      <Add again={again} />
      <Card id="skills-bundled" title="With Steward">
        {all ? <List skills={all.filter(({ source }) => source === "bundled")} again={again} /> : <Waiting problem={problem} />}
      </Card>
    </div>
  );
}

const waits = ({ state }: Skill): boolean => state === "new" || state === "changed";

const List = ({ skills, again }: { skills: Skill[]; again(): void }): VNode => (
  <ul class="things">
    {skills.map((skill) => (
      <One key={skill.id} skill={skill} again={again} />
    ))}
  </ul>
);

function One({ skill, again }: { skill: Skill; again(): void }): VNode {
  const { id, name, description, problems, source, hidden } = skill;
  const [shown, setShown] = useState<Shown>();
  const heading = `skill-${id.replace(":", "-")}`;
  const look = async (): Promise<void> => setShown(shown ? undefined : await telling(callSkills("skills.get", { id })));
  const done = (): void => (setShown(undefined), again());
  return (
    <li class="thing skill" aria-labelledby={heading}>
      <div class="thing-head">
        <h3 id={heading}>{name}</h3>
        <State skill={skill} />
        <div class="actions">
          <button
            type="button"
            class="small"
            aria-expanded={shown !== undefined}
            aria-label={`${shown ? "Close" : "Look at"} ${name}`}
            onClick={() => void look()}
          >
            {shown ? "Close" : "Look"}
          </button>
          <Doings skill={skill} shown={shown} again={done} />
        </div>
      </div>
      {description ? <p>{description}</p> : null}
      {problems.length > 0 ? (
        <ul class="problems">
          {problems.slice(0, 8).map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      ) : null}
      {source === "bundled" && !hidden ? null : <p class="quiet">{originOf(skill)}</p>}
      {shown ? <Whole shown={shown} /> : null}
    </li>
  );
}

function State({ skill: { state, hidden } }: { skill: Skill }): VNode {
  const tone = state === "new" || state === "changed" ? "waiting" : state === "blocked" || state === "invalid" ? "failed" : "";
  return <span class={`pill ${tone}`}>{hidden ? "not used" : state === "enabled" ? "on" : state === "disabled" ? "off" : state}</span>;
}

function originOf({ source, by, from, at, hidden, hash }: Skill): string {
  const maker = by === "agent" ? "written by the agent" : from === undefined ? "written by you" : `added from ${from}`;
  return [
    ...(source === "bundled" ? ["comes with Steward"] : [maker, ...(source === "workspace" ? ["in the workspace"] : [])]),
    ...(at === undefined ? [] : [shortDate(at)]),
    ...(hidden ? ["another of this name is used"] : []),
    ...(source === "bundled" ? [] : [hash.slice(7, 19)]),
  ].join(" · ");
}

function Doings({ skill, shown, again }: { skill: Skill; shown: Shown | undefined; again(): void }): VNode | null {
  const { id, name, state, source } = skill;
  const turn = async (enabled: boolean): Promise<void> => {
    const body = { enabled, ...(shown && waits(skill) ? { hash: shown.skill.hash } : {}) };
    if (!(await telling(callSkills("skills.change", { id, body })))) return;
    toast(`${name} is ${enabled ? "on" : "off"}.`);
    again();
  };
  const remove = async (): Promise<void> => {
    if (
      !(await confirm({
        title: `Remove ${name}?`,
        text: "It can be brought back by undo, on the page Identity.",
        action: "Remove",
        danger: true,
      }))
    )
      return;
    if (!(await telling(callSkills("skills.remove", { id })))) return;
    toast(`${name} is removed.`);
    again();
  };
  return (
    <>
      {state === "enabled" ? (
        <button type="button" class="small" aria-label={`Turn off ${name}`} onClick={() => void turn(false)}>
          Turn off
        </button>
      ) : state === "disabled" || (waits(skill) && shown) ? (
        <button type="button" class="small primary" aria-label={`Turn on ${name}`} onClick={() => void turn(true)}>
          Turn on
        </button>
      ) : null}
      {source === "bundled" ? null : (
        <button type="button" class="small danger" aria-label={`Remove ${name}`} onClick={() => void remove()}>
          Remove
        </button>
      )}
    </>
  );
}

function Whole({ shown: { skill, text, texts, diff, tools } }: { shown: Shown }): VNode {
  const changed = diff.some(({ kind }) => kind !== "same");
  const others = skill.files.filter(({ path }) => path !== "SKILL.md");
  return (
    <>
      {changed ? <Diff lines={diff} label={`What changed in ${skill.name}`} /> : <Text label={`Text of ${skill.name}`} text={text} />}
      {tools ? <p class="quiet">Names the tools {tools.join(", ")}. Others that act ask first while it is followed.</p> : null}
      {others.map((file) => (
        <Beside key={file.path} file={file} skill={skill} text={texts[file.path]} />
      ))}
    </>
  );
}

const Text = ({ label, text }: { label: string; text: string }): VNode => (
  <pre class="skill-text" tabIndex={0} role="region" aria-label={label}>
    {text}
  </pre>
);

/** What the person has not accepted as it is stands open. */
function Beside({ file, skill, text }: { file: Skill["files"][number]; skill: Skill; text: string | undefined }): VNode {
  const about = `${file.path} (${bytes(file.size)}${file.changed ? ", changed" : ""}${text === undefined ? ", no text" : ""})`;
  if (text === undefined) return <p class="quiet">{about}</p>;
  return (
    <details open={file.changed || skill.state === "new"}>
      <summary>{about}</summary>
      <Text label={`${file.path} of ${skill.name}`} text={text} />
    </details>
  );
}
