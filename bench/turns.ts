// What a turn costs: alone, many at once, with tools, with a long history; and what is sent to the model.
import { type Endpoint, median, newConversation, quantile, type Server, type Talker, talker, type Timed } from "./server.ts";

export interface TurnCost {
  toModelMs: number;
  firstTokenMs: number;
  doneMs: number;
  cpuMs: number;
}

/** Medians over `count` turns of one conversation, one after the other. */
export async function oneAfterAnother(
  server: Server,
  endpoint: Endpoint,
  { conversation, count, text = "hi" }: { conversation?: string; count: number; text?: string },
): Promise<TurnCost> {
  const talk = await talker(server, conversation ?? (await newConversation(server)));
  await talk.say(text);
  await endpoint.asked();
  const before = server.cpu();
  const times: Timed[] = [];
  for (let at = 0; at < count; at++) times.push(await talk.say(text));
  const cpuMs = ((server.cpu() - before) * 1000) / count;
  talk.close();
  const asked = (await endpoint.asked()).filter(({ body }) => !body.includes('"role":"tool"') || text !== "hi");
  return {
    toModelMs: median(times.map(({ sentAt }, at) => (asked[at * (asked.length / count)]?.at ?? Number.NaN) - sentAt)),
    firstTokenMs: median(times.map(({ sentAt, firstAt }) => firstAt - sentAt)),
    doneMs: median(times.map(({ sentAt, doneAt }) => doneAt - sentAt)),
    cpuMs,
  };
}

/** Milliseconds from the tool call's last byte at the endpoint to the request that carries its result. */
export async function toolOverhead(server: Server, endpoint: Endpoint, count: number): Promise<number> {
  const talk = await talker(server, await newConversation(server));
  await talk.say("use a tool");
  await endpoint.asked();
  const gaps: number[] = [];
  for (let at = 0; at < count; at++) {
    await talk.say("use a tool");
    const [call, result] = await endpoint.asked();
    if (call && result) gaps.push(result.at - call.answeredAt);
  }
  talk.close();
  return median(gaps);
}

export interface Crowd {
  sessions: number;
  turnsPerSecond: number;
  p50Ms: number;
  p95Ms: number;
  cpuMs: number;
  residentMb: number;
}

/** All sessions say something at once, `rounds` times. */
export async function together(
  server: Server,
  endpoint: Endpoint,
  { sessions, rounds }: { sessions: number; rounds: number },
): Promise<Crowd> {
  const talkers: Talker[] = [];
  for (let at = 0; at < sessions; at++) talkers.push(await talker(server, await newConversation(server)));
  await Promise.all(talkers.map((talk) => talk.say("hi")));
  const before = server.cpu();
  const begun = performance.now();
  const times: Timed[] = [];
  for (let round = 0; round < rounds; round++) times.push(...(await Promise.all(talkers.map((talk) => talk.say("hi")))));
  const seconds = (performance.now() - begun) / 1000;
  const done = times.map(({ sentAt, doneAt }) => doneAt - sentAt);
  const residentMb = server.resident() / 1e6;
  for (const talk of talkers) talk.close();
  await endpoint.asked();
  return {
    sessions,
    turnsPerSecond: times.length / seconds,
    p50Ms: median(done),
    p95Ms: quantile(done, 0.95),
    cpuMs: ((server.cpu() - before) * 1000) / times.length,
    residentMb,
  };
}

export interface Sizes {
  firstBytes: number;
  firstTokens: number;
  twentiethBytes: number;
  /** Part of the request before that the request after begins with, messages only, 0 to 1. */
  identical: number;
}

/** Bytes and tokens (four characters each) of the first and the 20th request of a session. */
export async function requestSizes(server: Server, endpoint: Endpoint): Promise<Sizes> {
  const talk = await talker(server, await newConversation(server));
  await endpoint.asked();
  const bodies: string[] = [];
  for (let at = 0; at < 20; at++) {
    await talk.say("hi");
    bodies.push(...(await endpoint.asked()).map(({ body }) => body));
  }
  talk.close();
  const shares = bodies.slice(1).map((body, at) => sameStart(prefixOf(bodies[at]!), prefixOf(body)));
  return {
    firstBytes: Buffer.byteLength(bodies[0]!),
    firstTokens: Math.ceil(bodies[0]!.length / 4),
    twentiethBytes: Buffer.byteLength(bodies.at(-1)!),
    identical: Math.min(...shares),
  };
}

/** What a prompt cache sees: tools, then messages, without the closing bracket. */
function prefixOf(body: string): string {
  const { tools, messages } = JSON.parse(body) as { tools: unknown; messages: unknown[] };
  return `${JSON.stringify(tools)}${JSON.stringify(messages).slice(0, -1)}`;
}

function sameStart(before: string, after: string): number {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at++;
  return at / before.length;
}
