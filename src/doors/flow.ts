// One request of a program to its model, from the reservation to the settlement: the turn's model, the turn's money, the turn's patience.
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { OpenModel } from "../core/ports.ts";
import type { Usage } from "../core/types.ts";
import type { Wire } from "../core/workplace.ts";
import { breach, choiceOf } from "../run/choice.ts";
import type { Steward } from "../run/steward.ts";
import { failureOf, hasCode, StewardError } from "../std/error.ts";
import { once } from "../std/once.ts";
import { type Json, parseObject, readBody } from "./body.ts";
import { forward } from "./forward.ts";
import { most } from "./parts.ts";
import { COUNTS, estimate, isWork, longest, permitted, searchesOf } from "./policy.ts";
import { giveUp, refuseRequest, sendJson } from "./replies.ts";
import { openSilence, type Silence } from "./silence.ts";
import type { OpenTurn } from "./turns.ts";
import type { Asked, Watch } from "./watch.ts";

export interface Question {
  wire: Wire;
  /** Below the version, such as `/messages`. */
  path: string;
  /** With its question mark, or "". */
  query: string;
  req: IncomingMessage;
  res: ServerResponse;
}
export interface Flow extends Question {
  body: Json;
  stream: boolean;
  /** "provider/name". */
  model: string;
  opened: OpenModel;
  turn: OpenTurn;
  watch: Watch;
  asked: Asked;
  /** Tokens of the request, estimated. */
  input: number;
  /** That the provider may make. */
  searches: number;
  /** Aborts when the program has gone or the turn is over. */
  signal: AbortSignal;
  /** Where a ceiling holds: tokens that the answer may have, as was reserved. */
  limit?: number;
  /** Tokens that the answer has at most. */
  most: number;
  silence: Silence;
  /** Ends the reservation; only the first call counts. "unknown": it may have used all that was reserved. */
  settle(usage: Usage | "unknown" | undefined): Promise<void>;
}

const MOST_AT_ONCE = 16;

/** Never throws. */
export async function ask(steward: Steward, turn: OpenTurn, question: Question): Promise<void> {
  const { res, wire } = question;
  if (turn.running >= MOST_AT_ONCE) {
    question.req.resume();
    return refuseRequest(res, wire, new StewardError("invalid", `More than ${MOST_AT_ONCE} requests at once are not taken.`));
  }
  turn.running++;
  try {
    await pass(steward, turn, question);
  } catch (error) {
    if (!(error instanceof StewardError)) steward.log("error", "A door's request failed", { turn: turn.order.turn, error: String(error) });
    refuseRequest(res, wire, error);
  } finally {
    turn.running--;
  }
}

async function pass(steward: Steward, turn: OpenTurn, question: Question): Promise<void> {
  const { req, res, wire, path } = question;
  const raw = await readBody(req);
  if (turn.over.aborted) throw new StewardError("denied", "This turn has ended");
  const { search } = steward.settings.config().doors;
  const body = permitted(parseObject(raw), { path, search });
  const input = estimate(raw.length, body);
  const model = await modelFor(steward, turn, body["model"]);
  const searches = searchesOf(body);
  const other = model !== turn.order.model;
  const asked: Asked = {
    model,
    digest: createHash("sha1").update(path).update(raw).digest("base64"),
    work: isWork(body) && !other,
    ...(other ? { other } : {}),
  };
  const counts = path === COUNTS;
  const watch = counts ? { ...turn.watch, failed: () => {}, answered: () => {} } : turn.watch;
  try {
    const opened = await steward.models.open(model);
    const endpoint = opened.endpoint?.(wire);
    const there = endpoint?.paths.includes(path) === true;
    if (counts && !there) return sendJson(res, 200, { input_tokens: input });
    if (!counts) watch.begin(asked);
    const gone = new AbortController();
    res.once("close", () => gone.abort());
    const flow: Flow = {
      ...question,
      ...{ body, model, opened, turn, watch, asked, input, searches },
      stream: body["stream"] === true,
      signal: AbortSignal.any([gone.signal, turn.over]),
      ...(await reserved(turn, {
        model,
        input,
        searches: there ? searches : 0,
        output: there ? longest(body) : most(longest(body)).maxOutputTokens,
        free: counts,
      })),
      silence: openSilence(steward.now),
    };
    try {
      if (endpoint && there) return await forward(flow, endpoint);
      const { translate } = await import("./translate.ts");
      await translate(flow);
    } finally {
      await flow.settle({ input, output: 0 }); // whatever went wrong on the way: it may have been asked
    }
  } catch (error) {
    if (hasCode(error, "stale") || res.headersSent) return void res.destroy();
    if (counts) return sendJson(res, 200, { input_tokens: input });
    const failure = failureOf(error);
    watch.failed(failure.code === "invalid" ? asked : { ...asked, work: !other }, failure);
    giveUp(res, wire, failure);
  }
}

interface Wanted {
  model: string;
  input: number;
  searches: number;
  output: number | undefined;
  /** Costs nothing: only counted, not asked. */
  free: boolean;
}

/** Some texts have more tokens than most. */
const DENSE = 1.75;
/** Tokens of what a search finds, which the model reads. */
const A_SEARCH = 20_000;

async function reserved(
  turn: OpenTurn,
  { model, input, searches, output, free }: Wanted,
): Promise<Pick<Flow, "settle" | "limit" | "most">> {
  if (free) return { settle: async () => {}, most: 0 };
  const { order, watch } = turn;
  const reservation = await order.meter({
    model,
    input: Math.ceil(input * DENSE) + searches * A_SEARCH,
    ...(output === undefined ? {} : { output }),
    ...(searches > 0 ? { searches } : {}),
  });
  const { most = { input, output: output ?? 0 }, output: limit } = reservation;
  const first: { done?: () => Promise<void> } = {};
  const settle: Flow["settle"] = (given) => {
    first.done ??= once(async () => {
      const usage = given === "unknown" ? most : given;
      if (usage) watch.spend(usage);
      await (given === "unknown" ? reservation.settle(usage, { assumed: true }) : reservation.settle(usage));
    });
    return first.done();
  };
  return { settle, most: most.output, ...(limit === undefined ? {} : { limit }) };
}

/** Programs ask for models of their own choice, small ones beside the work: the turn's answers, unless the owner has named another, which no pin forbids. */
async function modelFor(steward: Steward, { order }: OpenTurn, name: unknown): Promise<string> {
  const { engine, model, principal, session } = order;
  const { models } = steward.settings.config().doors;
  const found = Object.entries(models).find(([pattern]) => fits(pattern, String(name)))?.[1];
  if (found === undefined || found === model) return model;
  const refused = await breach(steward, await choiceOf(steward, principal, session), { engine, model: found });
  return refused ? model : found;
}

/** With a star for anything at either end. */
function fits(pattern: string, name: string): boolean {
  const core = pattern.replace(/^\*|\*$/g, "");
  if (pattern.startsWith("*") && pattern.endsWith("*")) return name.includes(core);
  if (pattern.startsWith("*")) return name.endsWith(core);
  return pattern.endsWith("*") ? name.startsWith(core) : name === core;
}
