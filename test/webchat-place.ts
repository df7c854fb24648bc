// WebChat's listener in front of a real Steward. For its tests, with and without a browser.
import { openPlain, type PlainDoor } from "../src/gateway/plain/door.ts";
import { openPlace, type Place, raw } from "./gateway-place.ts";
import { builtPlain } from "./plain-place.ts";

export interface ChatPlace extends Place {
  door: PlainDoor;
  /** What a browser has after the link. */
  signIn(): Promise<{ cookie: string; "x-steward-proof": string; origin: string }>;
}

export async function openChatPlace(options: Parameters<typeof openPlace>[0] = {}): Promise<ChatPlace> {
  const place = await openPlace(options);
  // OS-Agent's socket is not used here.
  const socket = { host: "127.0.0.1", port: place.gateway.port };
  const door = await openPlain(place.gateway.gate, { host: "127.0.0.1", port: 0, socket, web: builtPlain(), page: "chat" });
  return {
    ...place,
    door,
    async signIn() {
      const body = JSON.stringify({ code: (await door.claimLink()).split("#")[1] });
      const headers = { "content-type": "application/json", origin: door.url };
      const answer = await raw(door.url, { method: "POST", path: "/api/claim", headers, body });
      return {
        cookie: String(answer.headers["set-cookie"]).split(";")[0]!,
        "x-steward-proof": answer.json().proof,
        origin: door.url,
      };
    },
    async close() {
      await door.close();
      await place.close();
    },
  };
}
