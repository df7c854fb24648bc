// The six switches of permissions.json with their lists, and the lasting answers in force.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Answered } from "../../core/api.ts";
import { call } from "../api.ts";
import { telling, toast } from "../notices.ts";
import { scopeWords, wholeTime } from "../words.ts";
import { Scope } from "./ask.tsx";
import { Icon } from "./icon.tsx";
import { Card, useLoad, useTurns, Waiting } from "./load.tsx";
import { Fold } from "./fold.tsx";

type Capability = Answered<"permissions.get">["capabilities"][string];
type Restrictions = Capability["restrictions"];
/** Made of what holds when it is sent: what was blocked elsewhere meanwhile stays blocked. */
type Change = (now: Restrictions) => Partial<Restrictions>;
type ListName = "blocked_commands" | "blocked_paths" | "allowed_paths" | "allowed_apps" | "blocked_apps";

const named: Record<string, { label: string; about: string; lists: ListName[]; sudo?: boolean }> = {
  terminal: { label: "Terminal", about: "Run commands in a shell.", lists: ["blocked_commands"], sudo: true },
  filesystem: { label: "Files", about: "Read, write, move and delete files and folders.", lists: ["blocked_paths", "allowed_paths"] },
  applications: {
    label: "Applications",
    about: "Open, quit and switch between apps, and see which run.",
    lists: ["allowed_apps", "blocked_apps"],
  },
  browser: { label: "Browser", about: "Visit web pages and act on them in a browser.", lists: [] },
  system: { label: "System", about: "Look at and change settings of this computer.", lists: [] },
  ui_control: { label: "Screen control", about: "See the screen, move the mouse, type keys.", lists: [] },
};

const listed: Record<ListName, { label: string; about: string; example: string }> = {
  blocked_commands: {
    label: "Blocked commands",
    about: "Never run, also inside longer commands. A seat belt; the sandbox is the wall.",
    example: "shutdown",
  },
  blocked_paths: { label: "Blocked paths", about: "Neither read nor written, by files and by commands.", example: "~/private" },
  allowed_paths: { label: "Allowed paths", about: "When there are any, only these.", example: "~/projects" },
  allowed_apps: { label: "Allowed apps", about: "Names; * stands for any.", example: "*" },
  blocked_apps: { label: "Blocked apps", about: "Never opened, even when allowed above.", example: "Mail" },
};

export function PermissionsCard(): VNode {
  const { data, problem, set, again } = useLoad(() => call("permissions.get"));
  const inTurn = useTurns();
  const toggle = async (name: string, enabled: boolean): Promise<void> => {
    if (!data) return;
    set(withPart(data, name, { enabled }));
    if (!(await telling(call("permissions.toggle", { body: { capability: name, enabled } })))) set(data);
  };
  const restrict = async (name: string, change: Change): Promise<void> => {
    if (!data) return;
    const shown = data.capabilities[name]!.restrictions;
    set(withPart(data, name, { restrictions: { ...shown, ...change(shown) } }));
    const kept = await inTurn(async () => {
      const now = (await telling(call("permissions.get")))?.capabilities[name]?.restrictions;
      const body = now && { capabilities: { [name]: { restrictions: change(now) } } };
      return body && telling(call("permissions.put", { body }));
    });
    if (!kept) set(data);
    again();
  };
  return (
    <Card id="set-may" title="What it may do" about="Switches hold at once and in every mode.">
      {data ? (
        Object.entries(data.capabilities).map(([name, one]) => (
          <Row key={name} name={name} one={one} toggle={(on) => void toggle(name, on)} restrict={(change) => void restrict(name, change)} />
        ))
      ) : (
        <Waiting problem={problem} />
      )}
    </Card>
  );
}

const withPart = (data: Answered<"permissions.get">, name: string, part: Partial<Capability>): Answered<"permissions.get"> => ({
  capabilities: { ...data.capabilities, [name]: { ...data.capabilities[name]!, ...part } },
});

interface Given {
  name: string;
  one: Capability;
  toggle(on: boolean): void;
  restrict(change: Change): void;
}

function Row({ name, one, toggle, restrict }: Given): VNode {
  const about = named[name] ?? { label: name, about: "", lists: [] };
  const id = `may-${name}`;
  return (
    <div class="switch-row">
      <div class="switch-head">
        <span>
          <label for={id}>{about.label}</label>
          <span class="about" id={`${id}-about`}>
            {about.about}
          </span>
        </span>
        <input
          id={id}
          type="checkbox"
          role="switch"
          class="switch"
          checked={one.enabled}
          aria-describedby={`${id}-about`}
          onChange={(event) => toggle(event.currentTarget.checked)}
        />
      </div>
      {about.lists.length > 0 ? (
        <Fold id={`lists/${name}`} title="Limits" class="limits">
          {() => (
            <>
              {about.sudo ? (
                <label class="check">
                  <input
                    type="checkbox"
                    checked={one.restrictions.allow_sudo}
                    onChange={({ currentTarget: { checked } }) => restrict(() => ({ allow_sudo: checked }))}
                  />{" "}
                  <span>
                    Allow <code>sudo</code>
                  </span>
                </label>
              ) : null}
              {about.lists.map((list) => (
                <Lines
                  key={list}
                  id={`${id}-${list}`}
                  list={list}
                  values={one.restrictions[list]}
                  change={(make) => restrict((now) => ({ [list]: make(now[list]) }))}
                />
              ))}
            </>
          )}
        </Fold>
      ) : null}
    </div>
  );
}

function Lines({
  id,
  list,
  values,
  change,
}: {
  id: string;
  list: ListName;
  values: readonly string[];
  change(make: (values: readonly string[]) => string[]): void;
}): VNode {
  const [text, setText] = useState("");
  const about = listed[list];
  const add = (): void => {
    const value = text.trim();
    if (value && !values.includes(value)) change((now) => [...now.filter((one) => one !== value), value]);
    setText("");
  };
  return (
    <form class="lines" onSubmit={(event) => (event.preventDefault(), add())}>
      <label for={id}>
        {about.label} <span class="about">{about.about}</span>
      </label>
      <ul class="tags">
        {values.map((value) => (
          <li key={value}>
            <code>{value}</code>
            <button
              type="button"
              class="ghost tiny"
              aria-label={`Remove ${value} from ${about.label.toLowerCase()}`}
              onClick={() => change((now) => now.filter((one) => one !== value))}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
        {values.length === 0 ? <li class="quiet none">none</li> : null}
      </ul>
      <div class="field-row">
        <input
          id={id}
          value={text}
          placeholder={about.example}
          onInput={(event) => setText(event.currentTarget.value)}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
        />
        <button disabled={!text.trim()} aria-label={`Add to ${about.label.toLowerCase()}`}>
          Add
        </button>
      </div>
    </form>
  );
}

export function GrantsCard(): VNode {
  const { data, problem, again } = useLoad(() => call("grants.list"));
  const revoke = async (id: string): Promise<void> => {
    if (await telling(call("grants.remove", { params: { id } }))) {
      toast("Taken back. It asks again from now on.");
      again();
    }
  };
  return (
    <Card id="set-grants" title="Lasting answers" about="What you allowed for longer than one task.">
      {!data ? (
        <Waiting problem={problem} />
      ) : data.grants.length === 0 ? (
        <p class="quiet">None in force.</p>
      ) : (
        <ul class="lines-list">
          {data.grants.map(({ id, scope, until }) => (
            <li key={id}>
              <span>
                <Scope scope={scope} />
                <small>until {wholeTime(until)}</small>
              </span>
              <button
                type="button"
                class="small"
                onClick={() => void revoke(id)}
                aria-label={`Take back: ${Object.values(scopeWords(scope)).join(" ").trim()}`}
              >
                Take back
              </button>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
