// The form that defines an MCP server: a program with its arguments and variables, or an address.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { hasCode } from "../../std/error.ts";
import { callMcp } from "../mcp-api.ts";
import { confirm, telling } from "../notices.ts";

export function Define({ close, added }: { close(): void; added(): void }): VNode {
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"program" | "address">("program");
  const [command, setCommand] = useState("");
  const [args, setArgs] = useState("");
  const [variables, setVariables] = useState("");
  const [url, setUrl] = useState("");
  const ready = name.trim() !== "" && (kind === "program" ? command : url).trim() !== "";
  const add = async (): Promise<void> => {
    const server =
      kind === "program"
        ? { command: command.trim(), args: linesOf(args), env: Object.fromEntries(linesOf(variables).map(variable)) }
        : { url: url.trim() };
    if (await telling(defined(name.trim(), server))) added();
  };
  return (
    <form class="define" onSubmit={(event) => (event.preventDefault(), void add())}>
      <Field id="mcp-name" label="Name" value={name} set={setName} hint="notes" />
      <fieldset>
        <legend class="quiet">What it is</legend>
        {(["program", "address"] as const).map((one) => (
          <label key={one}>
            <input type="radio" name="mcp-kind" checked={kind === one} onChange={() => setKind(one)} />{" "}
            {one === "program" ? "A program" : "An address"}
          </label>
        ))}
      </fieldset>
      {kind === "program" ? (
        <>
          <Field id="mcp-command" label="Command" value={command} set={setCommand} hint="npx" />
          <Lines id="mcp-args" label="Arguments, one a line" value={args} set={setArgs} />
          <Lines id="mcp-env" label="Variables, NAME=value or NAME=secret:NAME, one a line" value={variables} set={setVariables} />
        </>
      ) : (
        <Field id="mcp-url" label="Address" value={url} set={setUrl} hint="https://mcp.example.org/mcp" />
      )}
      <div class="actions">
        <button class="primary" disabled={!ready}>
          Add
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
    </form>
  );
}

/** What has the name already is replaced only when that is said. */
async function defined(name: string, server: object): Promise<boolean> {
  try {
    await callMcp("mcp.add", { body: { name, server } });
  } catch (error) {
    if (!hasCode(error, "conflict")) throw error;
    const text = "It is approved anew before anything of it runs.";
    if (!(await confirm({ title: `There is a server ${name} already. Replace it?`, text, action: "Replace", danger: true }))) return false;
    await callMcp("mcp.add", { body: { name, server, replace: true } });
  }
  return true;
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");
const variable = (line: string): [string, string | { secret: string }] => {
  const [name = "", ...rest] = line.split("=");
  const value = rest.join("=");
  return [name.trim(), value.startsWith("secret:") ? { secret: value.slice(7).trim() } : value];
};

interface FieldProps {
  id: string;
  label: string;
  value: string;
  set(value: string): void;
  hint?: string;
}
const Field = ({ id, label, value, set, hint }: FieldProps): VNode => (
  <div class="field">
    <label for={id}>{label}</label>
    <input
      id={id}
      value={value}
      placeholder={hint}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => set(event.currentTarget.value)}
    />
  </div>
);
const Lines = ({ id, label, value, set }: FieldProps): VNode => (
  <div class="field">
    <label for={id}>{label}</label>
    <textarea id={id} rows={3} value={value} spellcheck={false} onInput={(event) => set(event.currentTarget.value)} />
  </div>
);
