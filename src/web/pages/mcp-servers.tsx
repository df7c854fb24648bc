// MCP servers: for the owner those that there are, in which state; for everybody to sign in to those that want it. Forms and lists of tools are parts.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { messageOf } from "../../std/error.ts";
import { type Change, callMcp, type Server } from "../mcp-api.ts";
import { confirm, telling, toast } from "../notices.ts";
import type { IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { ToApprove, Tools, type ToolsProps } from "../parts/mcp-approval.tsx";
import { Define } from "../parts/mcp-define.tsx";
import { SignIns } from "../parts/mcp-sign-ins.tsx";
import { isOwner } from "../people.ts";
import { takeStyles } from "../sheet.ts";
import { number, wholeTime } from "../words.ts";
import things from "../lazy/things.css";
import styles from "./mcp-servers.css";

export const title = "MCP servers";
export const icon: IconName = "tool";

takeStyles(things);
takeStyles(styles);

export function Page(): VNode {
  const mine = useLoad(() => callMcp("mcp.mine"));
  const back = useReturn(mine.again);
  return (
    <div class="cards">
      {back ? <p class="notice">{back}</p> : null}
      {isOwner.value ? <All changed={mine.again} /> : null}
      <SignIns list={mine.data?.servers} problem={mine.problem} again={mine.again} owner={isOwner.value} />
    </div>
  );
}

/** A server's own page has sent the person back. What stands in the address is handed over once, and means something only to the browser that began. */
function useReturn(again: () => void): string {
  const [said, say] = useState("");
  useEffect(() => {
    const { state, code, iss, error } = Object.fromEntries(new URLSearchParams(typeof history.state === "string" ? history.state : ""));
    if (!state) return;
    history.replaceState(null, "", "/mcp-servers");
    const body = { state, ...(code ? { code } : {}), ...(iss ? { iss } : {}), ...(error ? { error: "refused" } : {}) };
    callMcp("mcp.signedIn", { body }).then(
      ({ server }) => (say(`You are signed in to ${server}.`), again()),
      (problem: unknown) => say(messageOf(problem)),
    );
  }, []);
  return said;
}

function All({ changed }: { changed(): void }): VNode {
  const list = useLoad(() => callMcp("mcp.list"), 5000);
  const [adding, setAdding] = useState(false);
  const again = (): void => (list.again(), changed());
  const { data } = list;
  return (
    <Card
      id="mcp-all"
      title="MCP servers"
      about="Programs and addresses that give the agent more tools. Nothing of one runs before you have approved exactly what it is."
      aside={
        adding ? null : (
          <button type="button" class="primary small" onClick={() => setAdding(true)}>
            Add a server
          </button>
        )
      }
    >
      {adding ? <Define close={() => setAdding(false)} added={() => (setAdding(false), again())} /> : null}
      {data === undefined ? (
        <Waiting problem={list.problem} />
      ) : data.servers.length === 0 ? (
        <p class="quiet">There are none yet.</p>
      ) : (
        <>
          <ul class="things">
            {data.servers.map((server) => (
              <One key={server.name} server={server} again={again} />
            ))}
          </ul>
          <p class="quiet">
            Their tools take {number(data.tokens)} tokens; up to {number(data.limit)} they are in each request.
            {data.found ? " These are found by words instead, so that a request holds two small tools for them." : ""}
          </p>
        </>
      )}
    </Card>
  );
}

const stateWords: Record<Server["state"], string> = {
  off: "off",
  unapproved: "to be approved",
  idle: "ready",
  starting: "starting",
  running: "running",
  failed: "failed",
  "sign-in": "wants a sign-in",
};
const stateTone = ({ state }: Server): string =>
  state === "failed" ? "pill failed" : state === "unapproved" || state === "sign-in" ? "pill asking" : "pill";

function One({ server, again }: { server: Server; again(): void }): VNode {
  const { name, what, wants, note, retryAt, tools, people } = server;
  const [busy, setBusy] = useState(false);
  const doing = async (work: Promise<unknown>, said?: string): Promise<void> => {
    setBusy(true);
    const done = await telling(work);
    setBusy(false);
    if (done !== undefined && said) toast(said);
    again();
  };
  return (
    <li class="thing server" aria-labelledby={`server-${name}`}>
      <Head server={server} busy={busy} doing={doing} />
      <p>
        <code>{what}</code>
      </p>
      {people.length === 1 && people[0] === "owner" ? null : <p class="quiet">For {people.join(", ")}</p>}
      {note && server.state === "failed" ? (
        <p class="problem">
          {note}
          {retryAt ? ` Tried again from ${wholeTime(retryAt)}.` : ""}
        </p>
      ) : null}
      {wants ? (
        <ToApprove title="This runs when you approve it:" changes={[{ name, wants }]}>
          <button
            type="button"
            class="primary small"
            disabled={busy}
            aria-label={`Approve ${name}`}
            onClick={() => void doing(approveAndTest(name, wants))}
          >
            Approve
          </button>
        </ToApprove>
      ) : (
        <Tools server={name} tools={tools} busy={busy} doing={doing} />
      )}
    </li>
  );
}

interface HeadProps {
  server: Server;
  busy: boolean;
  doing: ToolsProps["doing"];
}

function Head({ server, busy, doing }: HeadProps): VNode {
  const { name, wants, state } = server;
  const remove = async (): Promise<void> => {
    const text = "Its approvals and your tokens for it are forgotten.";
    if (await confirm({ title: `Remove ${name}?`, text, action: "Remove", danger: true }))
      await doing(callMcp("mcp.remove", { id: name }), `${name} is gone.`);
  };
  const test = (): Promise<void> => doing(callMcp("mcp.test", { id: name }), `${name} answers.`);
  return (
    <div class="thing-head">
      <h3 id={`server-${name}`}>{name}</h3>
      <span class={stateTone(server)}>{stateWords[state]}</span>
      <div class="actions">
        {wants || state === "off" ? null : (
          <button type="button" class="small" disabled={busy} onClick={() => void test()} aria-label={`Test ${name}`}>
            Test
          </button>
        )}
        <button type="button" class="small danger" disabled={busy} onClick={() => void remove()} aria-label={`Remove ${name}`}>
          Remove
        </button>
      </div>
    </div>
  );
}

/** What it may be is approved; then it is asked for its tools, which are approved one by one or together. */
async function approveAndTest(id: string, { hash }: Change): Promise<unknown> {
  await callMcp("mcp.approve", { id, body: { definition: hash } });
  return callMcp("mcp.test", { id });
}
