// The teams that the configuration declares: who is in them, what each does, and who may write to whom.
import type { VNode } from "preact";
import type { Team } from "../tasks-api.ts";
import { Card } from "./load.tsx";

const EXAMPLE = `steward config set tasks.teams.research '{
  "about": "two sides of a question",
  "roles": [
    {"name": "Lead", "brief": "Share out, compare, sum up."},
    {"name": "Finder", "brief": "Finds sources."},
    {"name": "Doubter", "brief": "Looks for what is wrong.", "may": ["Finder"]}
  ]
}'`;

export const Teams = ({ teams }: { teams: readonly Team[] }): VNode => (
  <Card
    id="tasks-teams"
    title="Teams"
    about="Agents that work on one goal and write to each other. The first of a team leads: it is given the goal, and what it says last is the result."
  >
    {teams.length > 0 ? (
      <ul class="things">
        {teams.map((team) => (
          <li key={team.name}>
            <Entry team={team} />
          </li>
        ))}
      </ul>
    ) : (
      <details>
        <summary>None yet: the configuration declares them, for example</summary>
        <pre class="task-result">{EXAMPLE}</pre>
      </details>
    )}
  </Card>
);

function Entry({ team: { name, about, roles } }: { team: Team }): VNode {
  const [lead] = roles;
  return (
    <section class="thing" aria-label={`Team ${name}`}>
      <div class="thing-head">
        <h3>{name}</h3>
        {about ? <span class="quiet">{about}</span> : null}
      </div>
      <dl class="roles">
        {roles.map(({ name: role, brief, engine, model, may }) => (
          <div key={role}>
            <dt>{role}</dt>
            <dd>
              {brief}
              <br />
              <span class="quiet">
                {[role === lead!.name ? "leads" : "", toWhom(may, lead!.name), engine, model].filter(Boolean).join(" · ")}
              </span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Everybody may write to the lead and on the team's channel. */
const toWhom = (may: readonly string[] | undefined, lead: string): string =>
  may ? `writes to ${[...new Set([lead, ...may])].join(", ")}, and on the team's channel` : "writes to all";
