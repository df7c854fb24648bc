// MCP servers that want to know who is there: each person signs in and out by themselves. What comes back from a sign-in is the page's.
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import { callMcp, type Mine } from "../mcp-api.ts";
import { telling, toast } from "../notices.ts";
import { Card, Waiting } from "./load.tsx";

interface SignInProps {
  list: Mine[] | undefined;
  problem: string;
  again(): void;
  owner: boolean;
}

export function SignIns({ list, problem, again, owner }: SignInProps): VNode | null {
  if (owner && list?.length === 0) return null;
  return (
    <Card id="mcp-mine" title="Signing in" about="Servers at an address may want to know who you are. Each person signs in by themselves.">
      {list === undefined ? (
        <Waiting problem={problem} />
      ) : list.length === 0 ? (
        <p class="quiet">There is no server here that you could sign in to.</p>
      ) : (
        <ul class="things">
          {list.map((server) => (
            <One key={server.name} server={server} again={again} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function One({ server: { name, what, signedIn }, again }: { server: Mine; again(): void }): VNode {
  const [url, setUrl] = useState<URL>();
  const begin = async (): Promise<void> => {
    const begun = await telling(callMcp("mcp.signIn", { id: name }));
    const to = begun?.url === undefined ? null : URL.parse(begun.url);
    if (to && (to.protocol === "https:" || to.hostname === "localhost" || to.hostname === "127.0.0.1")) setUrl(to);
    else if (begun?.signedIn) toast(`${name} lets you in.`);
    again();
  };
  const out = async (): Promise<void> => {
    if (await telling(callMcp("mcp.signOut", { id: name }))) again();
  };
  return (
    <li class="thing server">
      <div class="thing-head">
        <h3>{name}</h3>
        {signedIn ? <span class="pill">signed in</span> : null}
        <div class="actions">
          {url ? (
            <a href={url.href} rel="noreferrer">
              Go to {url.host}
            </a>
          ) : (
            <button type="button" class="small" onClick={() => void begin()} aria-label={`Sign in to ${name}`}>
              {signedIn ? "Sign in again" : "Sign in"}
            </button>
          )}
          {signedIn ? (
            <button type="button" class="small" onClick={() => void out()} aria-label={`Sign out of ${name}`}>
              Sign out
            </button>
          ) : null}
        </div>
      </div>
      <p>
        <code>{what}</code>
      </p>
    </li>
  );
}
