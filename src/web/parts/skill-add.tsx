// Ways to a new skill: an archive, a folder, a repository, or written here.
import { useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { confirm, sayFailure, toast } from "../notices.ts";
import { isOwner } from "../people.ts";
import { callSkills, sendSkill } from "../skills-api.ts";
import { Card } from "./load.tsx";

export function Add({ again }: { again(): void }): VNode {
  const [busy, setBusy] = useState(false);
  const [way, setWay] = useState<Way>();
  const added = (name: string): void => (toast(`${name} is added and on.`), setWay(undefined), again());
  const working = async (work: () => Promise<string>): Promise<void> => {
    setBusy(true);
    await work().then(added, sayFailure);
    setBusy(false);
  };
  const toggle = (one: Way, label: string): VNode => (
    <button type="button" disabled={busy} aria-expanded={way === one} onClick={() => setWay(way === one ? undefined : one)}>
      {label}
    </button>
  );
  return (
    <Card
      id="skills-add"
      title="Add a skill"
      about="Pinned by a hash of all its files. Nothing of it is run when it is added; a text that asks for what no skill may is refused."
    >
      <div class="skill-ways">
        <Pick label="Archive" busy={busy} working={working} />
        <Pick label="Folder" busy={busy} working={working} />
        {isOwner.value ? toggle("address", "Repository") : null}
        {toggle("new", "Write one")}
        {busy ? <span class="quiet">Adding…</span> : null}
      </div>
      {way === "address" ? <Repository busy={busy} working={working} /> : null}
      {way === "new" ? <Write busy={busy} working={working} /> : null}
    </Card>
  );
}

type Way = "address" | "new";

/** A button that opens the browser's choice of a file or a folder. */
function Pick({ label, busy, working }: Form & { label: "Archive" | "Folder" }): VNode {
  const input = useRef<HTMLInputElement | null>(null);
  const send = (field: HTMLInputElement): void => {
    const files = [...(field.files ?? [])];
    field.value = "";
    if (files.length > 0) void working(async () => sendSkill(files, false).then(({ name }) => name, replacing(files)));
  };
  return (
    <>
      <input
        ref={(element) => {
          input.current = element;
          if (label === "Folder") element?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        {...(label === "Archive" ? { accept: ".zip,.tar,.gz,.tgz" } : {})}
        hidden
        aria-label={`${label} of a skill`}
        onChange={(event) => send(event.currentTarget)}
      />
      <button type="button" disabled={busy} onClick={() => input.current?.click()}>
        {label}…
      </button>
    </>
  );
}

const replacing =
  (files: File[]) =>
  async (error: { code?: string }): Promise<string> => {
    const title = "Put it in the place of the one that is there?";
    const asked = { title, text: "The one of now can be brought back by undo.", action: "Replace" };
    if (error.code !== "conflict" || !(await confirm(asked))) throw error;
    return (await sendSkill(files, true)).name;
  };

interface Form {
  busy: boolean;
  working(work: () => Promise<string>): Promise<void>;
}

function Repository({ busy, working }: Form): VNode {
  const [url, setUrl] = useState("");
  const [name, setName] = useState("");
  const add = (): void =>
    void working(async () => {
      const body = { url: url.trim(), ...(name.trim() === "" ? {} : { name: name.trim() }) };
      return (await callSkills("skills.fetch", { body })).skill.name;
    });
  return (
    <form class="skill-form" onSubmit={(event) => (event.preventDefault(), add())}>
      <div class="field">
        <label for="skill-url">Address of a git repository, or its path on this machine</label>
        <input
          id="skill-url"
          value={url}
          placeholder="https://example.org/skills.git"
          autocomplete="off"
          onInput={(event) => setUrl(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for="skill-which">Which skill, where there are several</label>
        <input id="skill-which" value={name} autocomplete="off" onInput={(event) => setName(event.currentTarget.value)} />
      </div>
      <div class="actions end">
        <button class="primary" disabled={busy || url.trim() === ""}>
          Add
        </button>
      </div>
    </form>
  );
}

function Write({ busy, working }: Form): VNode {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [body, setBody] = useState("");
  const make = (): void =>
    void working(async () => {
      const wish = { name: name.trim(), description: description.trim(), ...(body.trim() === "" ? {} : { body }) };
      return (await callSkills("skills.make", { body: wish })).skill.name;
    });
  return (
    <form class="skill-form" onSubmit={(event) => (event.preventDefault(), make())}>
      <div class="field">
        <label for="skill-name">Name: a–z, 0–9 and single hyphens</label>
        <input id="skill-name" value={name} maxLength={64} autocomplete="off" onInput={(event) => setName(event.currentTarget.value)} />
      </div>
      <div class="field">
        <label for="skill-description">What it does, then when to use it</label>
        <input
          id="skill-description"
          value={description}
          maxLength={1024}
          autocomplete="off"
          onInput={(event) => setDescription(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for="skill-body">How it is done, step by step</label>
        <textarea id="skill-body" class="identity-text" value={body} onInput={(event) => setBody(event.currentTarget.value)} />
      </div>
      <div class="actions end">
        <button class="primary" disabled={busy || name.trim() === "" || description.trim() === ""}>
          Make it
        </button>
      </div>
    </form>
  );
}
