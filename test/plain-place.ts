// The plain page's listener beside OS-Agent's door, in front of a real Steward. For the tests of both.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openPlain, type PlainDoor } from "../src/gateway/plain/door.ts";
import { builtPage } from "./built-page.ts";
import { raw } from "./gateway-place.ts";
import { openOsPlace, type OsPlace } from "./os-agent-place.ts";

export interface PlainPlace extends OsPlace {
  plain: PlainDoor;
  /** What a browser has after the plain page's link. */
  signIn(code?: string): Promise<{ cookie: string; "x-steward-proof": string }>;
}

/** The built plain page. */
export function builtPlain(): string {
  const folder = join(builtPage(), "..", "plain");
  if (!existsSync(join(folder, "index.html"))) throw new Error("the plain page is not built: npm run build");
  return folder;
}

export async function openPlainPlace(options: Parameters<typeof openOsPlace>[0] = {}): Promise<PlainPlace> {
  const place = await openOsPlace({ ...options, config: { "auth.local": "off", ...options.config } });
  const socket = { host: "127.0.0.1", port: place.osAgent.port };
  const plain = await openPlain(place.gateway.gate, { host: "127.0.0.1", port: 0, socket, web: builtPlain() });
  return {
    ...place,
    plain,
    async signIn(code) {
      const given = code ?? (await plain.claimLink()).split("#")[1]!;
      const headers = { "content-type": "application/json", origin: plain.url };
      const answer = await raw(plain.url, { method: "POST", path: "/api/claim", headers, body: JSON.stringify({ code: given }) });
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
      return { cookie: String(answer.headers["set-cookie"]).split(";")[0]!, "x-steward-proof": answer.json().proof };
    },
    async close() {
      await plain.close();
      await place.close();
    },
  };
}
