// The doors of engines' programs: a key for each turn, and what lies behind which path. The model is flow.ts, Steward's tools are tools.ts.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Wire } from "../core/workplace.ts";
import { DOORS_HOST, type Doors, type DoorsOrder, type OpenDoors } from "../run/doors.ts";
import type { Steward } from "../run/steward.ts";
import { messageOf, StewardError } from "../std/error.ts";
import { once } from "../std/once.ts";
import { ask } from "./flow.ts";
import { type Front, openFront } from "./front.ts";
import { listed, refuse, sendJson } from "./replies.ts";
import { answerTools } from "./turn-tools.ts";
import { openTurns, type OpenTurn, type Turns, type Way } from "./turns.ts";

/** A program's turn may have helpers of its own: so many times a turn's rounds are a loop. */
const ROUNDS = 20;

export function openDoors(steward: () => Steward): Doors {
  const turns = openTurns(() => ({ now: steward().now, most: steward().settings.config().limits.rounds * ROUNDS }));
  const held: { front?: Promise<Front>; closed?: boolean } = {};
  const take = (way: Way, req: IncomingMessage, res: ServerResponse): void => {
    res.on("error", () => undefined);
    route(steward(), turns, { way, req, res }).catch((error: unknown) => {
      steward().log("error", "A door failed", { error: messageOf(error) });
      res.destroy();
    });
  };
  const front = once(() => (held.front = openFront((req, res) => take({ reach: "direct" }, req, res))));
  return {
    async open(order) {
      if (held.closed) throw new StewardError("unavailable", "Steward is being stopped");
      const origin = order.reach === "direct" ? `http://127.0.0.1:${(await front()).port}` : `http://${DOORS_HOST}`;
      return opened(turns, order, origin);
    },
    answer: (person, req, res) => take({ reach: "proxy", person }, req, res),
    async close() {
      held.closed = true;
      turns.close();
      await (await held.front?.catch(() => undefined))?.close();
    },
  };
}

function opened(turns: Turns, order: DoorsOrder, origin: string): OpenDoors {
  const { key, turn, close } = turns.open(order);
  const near = "127.0.0.1,localhost,::1";
  return {
    env: order.reach === "direct" ? { NO_PROXY: near, no_proxy: near } : { NODE_USE_ENV_PROXY: "1" },
    key,
    models: { anthropic: origin, openai: `${origin}/v1` },
    tools: { url: `${origin}/mcp`, headers: { authorization: `Bearer ${key}` } },
    used: () => turn.watch.used(),
    fault: () => turn.watch.fault(),
    close: async () => close(),
  };
}

interface Arrived {
  way: Way;
  req: IncomingMessage;
  res: ServerResponse;
}

const ASKED: Record<string, Wire> = {
  "/v1/messages": "anthropic",
  "/v1/messages/count_tokens": "anthropic",
  "/v1/chat/completions": "openai",
  "/v1/responses": "openai",
};
/** Of the query nothing else is known here. */
const QUERIES = new Set(["", "?beta=true"]);

/** The path is taken as it is spelled: what is spelled otherwise is nothing here. */
async function route(steward: Steward, turns: Turns, { way, req, res }: Arrived): Promise<void> {
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?$/.exec(req.url ?? "") ?? [];
  const wire: Wire = ASKED[path] ?? (req.headers["anthropic-version"] === undefined ? "openai" : "anthropic");
  const turn = turns.find(keyOf(req), way);
  if (turn === undefined) {
    req.resume();
    res.setHeader("connection", "close"); // whatever else would come
    steward.log("warning", "a door was asked without a key that is good there", way.reach === "proxy" ? { person: way.person } : {});
    return refuse(res, wire, { status: 401, text: "This key is not good here, or its turn is over.", code: "invalid_api_key" });
  }
  const end = (): void => void res.destroy();
  turn.over.addEventListener("abort", end, { once: true });
  res.once("close", () => turn.over.removeEventListener("abort", end));
  if (path === "/mcp") return answerTools(steward, turn, { req, res });
  if (ASKED[path] !== undefined && req.method === "POST")
    return ask(steward, turn, { wire, path: path.slice(3), query: QUERIES.has(query) ? query : "", req, res });
  req.resume();
  const list =
    req.method === "GET" && /^\/v1\/models(\/[\w.:@-]{1,200})?$/.test(path) ? listed(wire, nameOf(turn), path.slice(3)) : undefined;
  if (list) return sendJson(res, 200, list);
  refuse(res, wire, { status: 404, text: `Steward's door has no ${req.method} here.` });
}

const nameOf = ({ order }: OpenTurn): string => order.model.slice(order.model.indexOf("/") + 1);

/** Both wires' ways of showing a key; two different ones are none. */
function keyOf({ headers }: IncomingMessage): string | undefined {
  const own = headers["x-api-key"];
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (own !== undefined && bearer !== undefined && own !== bearer) return undefined;
  return typeof own === "string" ? own : bearer;
}
