// Background tasks: the live tree of what is at work, starting one or a team, what was ready before, what subagents say to each other, and the teams.
import { useId, useState } from "preact/hooks";
import type { VNode } from "preact";
import { telling, toast } from "../notices.ts";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { isAtWork, Row } from "../parts/task-row.tsx";
import { Teams } from "../parts/team-list.tsx";
import { takeStyles } from "../sheet.ts";
import { callTasks, type Task, type Team } from "../tasks-api.ts";
import { count, shortDate } from "../words.ts";
import things from "../lazy/things.css";
import styles from "./tasks.css";

export const title = "Tasks";
export const icon: IconName = "app";

takeStyles(things);
takeStyles(styles);

const AGAIN_MS = 2000;
const MOST_OVER = 30;

export function Page(): VNode {
  const { data, problem, again } = useLoad(() => callTasks("tasks.list", { query: {} }), AGAIN_MS);
  const teams = useLoad(() => callTasks("teams.list")).data?.teams;
  const all = data?.tasks;
  const work = all && treesOf(all).filter(isBusy);
  const over = all && treesOf(all).filter((tree) => !isBusy(tree));
  return (
    <div class="cards">
      <Card id="tasks-work" title="At work" aside={all ? <Summary all={all} /> : null}>
        {!work ? (
          <Waiting problem={problem} />
        ) : work.length > 0 ? (
          <Tree trees={work} again={again} />
        ) : (
          <p class="quiet">
            Nothing works in the background. Start something below, or say “… in the background” in a conversation: each task is an agent in
            a session of its own, and its result comes back.
          </p>
        )}
      </Card>
      <Start again={again} teams={teams ?? []} />
      {over && over.length > 0 ? (
        <Card id="tasks-over" title="Before">
          <Tree trees={over.slice(-MOST_OVER).reverse()} again={again} />
        </Card>
      ) : null}
      <Channels />
      {teams ? <Teams teams={teams} /> : null}
    </div>
  );
}

interface Branch {
  task: Task;
  below: Branch[];
}

/** What was started stands under what started it. */
function treesOf(all: readonly Task[]): Branch[] {
  const known = new Set(all.map(({ id }) => id));
  const below = (parent: string | undefined): Branch[] =>
    all
      .filter((task) => (task.parent !== undefined && known.has(task.parent) ? task.parent : undefined) === parent)
      .map((task) => ({ task, below: below(task.id) }));
  return below(undefined);
}

const isBusy = ({ task, below }: Branch): boolean => isAtWork(task) || below.some(isBusy);

const Tree = ({ trees, again }: { trees: Branch[]; again(): void }): VNode => (
  <ul class="things tasks-tree">
    {trees.map(({ task, below }) => (
      <li key={task.id}>
        <Row task={task} again={again} />
        {below.length > 0 ? <Tree trees={below} again={again} /> : null}
      </li>
    ))}
  </ul>
);

function Summary({ all }: { all: readonly Task[] }): VNode {
  const work = all.filter(isAtWork).length;
  const asks = all.filter(({ asks: open }) => open > 0).length;
  return (
    <span class="quiet" role="status">
      {work === 0 ? "nothing" : count(work, "task")}
      {asks > 0 ? `, ${asks === 1 ? "one waits" : `${asks} wait`} for you` : ""}
    </span>
  );
}

function Start({ again, teams }: { again(): void; teams: readonly Team[] }): VNode {
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const [dollars, setDollars] = useState("");
  const [team, setTeam] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (text.trim() === "" || busy) return;
    setBusy(true);
    const budget = dollars === "" ? {} : { budget: { dollars: Number(dollars) } };
    const one = { text, ...(name.trim() ? { name: name.trim() } : {}), ...budget };
    const task = await telling(team ? callTasks("teams.run", { body: { team, goal: text } }) : callTasks("tasks.start", { body: one }));
    setBusy(false);
    if (!task) return;
    setText("");
    setName("");
    toast(`${task.name} is at work.`);
    again();
  };
  return (
    <Card id="tasks-start" title="Start a task">
      <form class="task-form" onSubmit={(event) => void submit(event)}>
        <label>
          <span>What shall be done</span>
          <textarea required value={text} maxLength={100_000} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="task-fields">
          {teams.length > 0 ? <ByWhom teams={teams} team={team} choose={setTeam} /> : null}
          {team ? null : (
            <>
              <label>
                <span>Name (if you like)</span>
                <input type="text" value={name} maxLength={60} onInput={(event) => setName(event.currentTarget.value)} />
              </label>
              <label>
                <span>Dollars at most (if you like)</span>
                <input type="number" min="0" step="0.01" value={dollars} onInput={(event) => setDollars(event.currentTarget.value)} />
              </label>
            </>
          )}
        </div>
        <div>
          <button type="submit" class="primary" disabled={busy || text.trim() === ""}>
            Start
          </button>
        </div>
      </form>
    </Card>
  );
}

const ByWhom = ({ teams, team, choose }: { teams: readonly Team[]; team: string; choose(team: string): void }): VNode => (
  <label>
    <span>By whom</span>
    <select value={team} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">One agent</option>
      {teams.map((one) => (
        <option key={one.name} value={one.name}>
          Team {one.name} ({one.roles.map((role) => role.name).join(", ")})
        </option>
      ))}
    </select>
  </label>
);

function Channels(): VNode | null {
  const { data } = useLoad(() => callTasks("bus.list"), AGAIN_MS * 3);
  const [open, setOpen] = useState("");
  if (!data || data.channels.length === 0) return null;
  return (
    <Card id="tasks-channels" title="Channels" about="What subagents say to all that listen. What you say there is read by each of them.">
      <ul class="things tasks-tree">
        {data.channels.map(({ name, messages, at }) => (
          <li key={name}>
            <div class="thing">
              <div class="thing-head">
                <h3>#{name}</h3>
                <span class="quiet">
                  {count(messages, "message")}, {shortDate(at)}
                </span>
                <div class="actions">
                  <button
                    type="button"
                    class="small"
                    aria-expanded={open === name}
                    aria-label={`${open === name ? "Close" : "Read"} #${name}`}
                    onClick={() => setOpen(open === name ? "" : name)}
                  >
                    {open === name ? "Close" : "Read"}
                  </button>
                </div>
              </div>
              {open === name ? <Channel key={name} name={name} /> : null}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Channel({ name }: { name: string }): VNode {
  const { data, problem, again } = useLoad(() => callTasks("bus.read", { id: name }), AGAIN_MS);
  const [text, setText] = useState("");
  const field = useId();
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (text.trim() === "") return;
    const sent = await telling(callTasks("tasks.send", { body: { to: `#${name}`, text } }));
    if (!sent) return;
    setText("");
    toast(sent.to.length === 0 ? "Nobody listens there now." : `Sent to ${sent.to.join(", ")}.`);
    again();
  };
  if (!data) return <Waiting problem={problem} />;
  return (
    <>
      <ul class="bus" aria-label={`Messages on #${name}`}>
        {data.messages.map(({ n, from, text: said, at }) => (
          <li key={n}>
            <b>{from}</b> <span class="quiet">{shortDate(at)}</span> {said}
          </li>
        ))}
      </ul>
      <form class="task-form" onSubmit={(event) => void send(event)}>
        <label for={field}>
          <span>Say something on #{name}</span>
          <input id={field} type="text" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
      </form>
    </>
  );
}
