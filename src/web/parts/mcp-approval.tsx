// What an MCP server or a tool of it is, to be looked at before it is approved; and the tools that are in use.
import type { VNode } from "preact";
import { type Change, callMcp, type ServerTool } from "../mcp-api.ts";
import { number } from "../words.ts";

interface Waits {
  name: string;
  wants: Change;
  why?: string | undefined;
}

/** What waits to be approved, whole or by what changed, above the button for it. */
export function ToApprove({ title: text, changes, children }: { title: string; changes: Waits[]; children: VNode }): VNode {
  return (
    <div class="to-approve">
      <h4>{text}</h4>
      {changes.map(({ name, wants, why }) =>
        changes.length === 1 ? (
          <Difference key={name} wants={wants} name={name} />
        ) : (
          <details key={name} open={changes.length < 4}>
            <summary>
              {name}
              {wants.before === undefined ? "" : " (changed)"}
              {why ? `: ${why}` : ""}
            </summary>
            <Difference wants={wants} name={name} />
          </details>
        ),
      )}
      <div class="actions">{children}</div>
    </div>
  );
}

const MARKS = { same: ["", ""], out: ["− ", "gone"], in: ["+ ", "new"] } as const;

/** All lines, for the whole is approved; those that are new or gone are marked. */
function Difference({ wants: { text, diff }, name }: { wants: Change; name: string }): VNode {
  const lines = diff ?? text.split("\n").map((line) => ({ kind: "same" as const, text: line }));
  return (
    <div class="change" role="region" aria-label={`What ${name} is`} tabIndex={0}>
      {lines.map(({ kind, text: line }, at) => (
        <span key={at} class={MARKS[kind][1]}>
          {MARKS[kind][0]}
          {line}
        </span>
      ))}
    </div>
  );
}

export interface ToolsProps {
  server: string;
  tools: ServerTool[];
  busy: boolean;
  doing(work: Promise<unknown>, said?: string): Promise<void>;
}

export function Tools({ server, tools, busy, doing }: ToolsProps): VNode {
  const waiting = tools.flatMap(({ name, wants, why }) => (wants ? [{ name, wants, why }] : []));
  const ready = tools.filter(({ state }) => state === "approved").length;
  const label = waiting.length === 1 ? "Approve the tool" : `Approve these ${waiting.length} tools`;
  const approve = (): Promise<void> =>
    doing(
      callMcp("mcp.approve", { id: server, body: { tools: waiting.map(({ name, wants }) => ({ name, hash: wants.hash })) } }),
      `The tools of ${server} may be used.`,
    );
  return (
    <>
      {waiting.length > 0 ? (
        <ToApprove
          title={waiting.length === 1 ? "A tool waits to be approved:" : `${waiting.length} tools wait to be approved:`}
          changes={waiting}
        >
          <button type="button" class="primary small" disabled={busy} onClick={() => void approve()} aria-label={`${label} of ${server}`}>
            {label}
          </button>
        </ToApprove>
      ) : null}
      {tools.length > 0 ? (
        <details class="server-tools">
          <summary>
            {ready} {ready === 1 ? "tool" : "tools"} in use
          </summary>
          <ul>
            {tools.map((tool) => (
              <li key={tool.name}>
                <code>{tool.called}</code>
                <small>
                  {tool.effect === "read" ? "reads" : "may change or send"} · {number(tool.tokens)} tokens
                  {tool.state === "approved" ? "" : ` · ${toolState[tool.state]}`}
                  {tool.why ? ` · ${tool.why}` : ""}
                </small>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
    </>
  );
}

const toolState: Record<Exclude<ServerTool["state"], "approved">, string> = {
  new: "to be approved",
  changed: "changed, to be approved",
  gone: "no longer there",
  unlisted: "not on its list in the settings",
  refused: "refused",
};
