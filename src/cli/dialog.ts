// A conversation in the terminal: follows one session, tells what happens, takes what is typed as messages, answers, or commands.
import { type Client, connect } from "../client/client.ts";
import type { LiveEvent, Stored } from "../core/events.ts";
import { textOf } from "../core/history.ts";
import type { Ask } from "../core/types.ts";
import { failureOf, hasCode } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import type { CliHost } from "./cli.ts";
import type { Connection } from "./connect.ts";
import { localSlashes, runSlash, turnTo } from "./dialog-commands.ts";
import { openEditor, type Editor } from "./editor.ts";
import { DONE } from "./exit.ts";
import { bold, dim, red, yellow } from "./output.ts";
import { choices, questionLines, readAnswer } from "./question.ts";
import { openCompletion } from "./slash-completion.ts";
import { openTeller, type Teller } from "./tell.ts";
import { markOf } from "./words.ts";

export interface Dialog {
  host: CliHost;
  client: Client;
  session: string;
  editor: Editor;
  teller: Teller;
  /** Keys of what was said here. */
  mine: Set<string>;
  asks: Ask[];
  running: boolean;
  cancelling: boolean;
  /** When Ctrl-C was last pressed with nothing said since. */
  pressedAt: number;
  /** Ids as they were last listed, for /switch N. */
  listed: string[];
  /** Ends following the session, so that another is followed. */
  turnTo: AbortController;
  left: boolean;
  /** How far the log of which session has been told. */
  told: { session: string; seq: number };
  /** Key of the server that is talked to; absent in this process alone. */
  known?: string | undefined;
}

/** Resolves when the person leaves. */
export async function dialog(host: CliHost, { client, embedded }: Connection, session: string): Promise<number> {
  const editor = openEditor(host, {
    entered: (text) => void enter(talk, text),
    interrupted: () => void interrupt(talk),
    complete: openCompletion(() => talk.client, localSlashes()),
  });
  const talk: Dialog = {
    host,
    client,
    session,
    editor,
    teller: openTeller(editor.screen),
    mine: new Set(),
    asks: [],
    running: false,
    cancelling: false,
    pressedAt: 0,
    listed: [],
    turnTo: new AbortController(),
    left: false,
    told: { session: "", seq: 0 },
    known: (await host.running())?.token,
  };
  void editor.closed.then(() => {
    talk.left = true;
    talk.turnTo.abort();
  });
  const { model } = await client.call("status.get");
  editor.screen.note(
    `${bold("Steward")} ${dim(`${host.version} · ${model}${embedded ? " · in this terminal only" : ""} · /help lists commands, Ctrl-D leaves`)}`,
  );
  try {
    while (!talk.left) await attend(talk);
  } finally {
    editor.close();
  }
  if (talk.running)
    editor.screen.note(
      dim(embedded ? "What was not finished goes on when Steward runs again." : "The turn goes on; steward chat shows it."),
    );
  return DONE;
}

/** Shows where the session stands, then follows it until another is chosen or the person leaves. */
async function attend(talk: Dialog): Promise<void> {
  talk.turnTo = new AbortController();
  const { signal } = talk.turnTo;
  if (talk.left) return;
  try {
    if (talk.told.session !== talk.session) talk.told = { session: talk.session, seq: await catchUp(talk) };
    const { told } = talk;
    for await (const event of talk.client.follow(talk.session, { after: told.seq, signal, onState: (state) => void lost(talk, state) })) {
      if (!("event" in event)) onLive(talk, event);
      else {
        told.seq = event.seq;
        onStored(talk, event);
      }
    }
  } catch (error) {
    if (signal.aborted) return;
    if (await foundAgain(talk)) return;
    if (!hasCode(error, "not_found")) throw error;
    talk.editor.screen.note(red("This session is gone; a new one is open."));
    talk.session = (await talk.client.call("sessions.make", { body: {} })).id;
  }
}

/** The last exchange, and what is open. Returns the number to follow from. */
async function catchUp(talk: Dialog): Promise<number> {
  const {
    client,
    editor: { screen },
  } = talk;
  const params = { id: talk.session };
  const { title, running, asks } = await client.call("sessions.get", { params });
  const { events, seq } = await client.call("sessions.events", { params, query: { last: "40" } });
  const log = events as unknown as Stored[];
  const cleared = log.findLastIndex(({ event }) => event.type === "session.updated" && event.cleared);
  const from = Math.max(
    cleared,
    log.findLastIndex(({ event }) => event.type === "message.received" && !event.command),
  );
  if (title) screen.note(dim(`— ${title} —`));
  talk.running = running;
  talk.cancelling = false;
  talk.asks = [];
  for (const stored of from < 0 ? [] : log.slice(from)) onStored(talk, stored, true);
  if (asks > 0) for (const ask of (await client.call("asks.list")).asks) if (ask.session === talk.session) pose(talk, ask);
  talk.running = running;
  talk.editor.mode(talk.asks.length > 0 ? "ask" : "say");
  return seq;
}

function onStored(talk: Dialog, { event }: Stored, past = false): void {
  const {
    teller,
    editor: { screen },
  } = talk;
  switch (event.type) {
    case "message.received":
      if (past || !talk.mine.has(event.key ?? "")) screen.print(dim(`${markOf(event.source)}${textOf(event.parts)}`));
      return;
    case "turn.started":
      talk.running = true;
      return past ? undefined : screen.state(dim("… thinking"));
    case "item.started":
      return past ? undefined : teller.started(event.item);
    case "item.completed":
      if (event.turn === "" && event.item.kind === "text") return event.item.meta === undefined ? screen.print(event.item.text) : undefined;
      return teller.item(event.item);
    case "ask.opened":
      return past ? undefined : pose(talk, event.ask);
    case "ask.answered":
      return settle(talk, event.ask);
    case "turn.completed":
      Object.assign(talk, { running: false, cancelling: false });
      teller.ended(event);
      return screen.print("");
    default:
  }
}

function onLive({ teller }: Dialog, event: LiveEvent): void {
  if (event.type === "turn.waiting") teller.waiting(event);
  if (event.type !== "item.delta") return;
  if (event.kind === "text") teller.piece(event.item, event.text, event.at);
  if (event.kind === "tool") teller.output(event.text);
}

function pose(talk: Dialog, ask: Ask): void {
  if (talk.asks.some(({ id }) => id === ask.id)) return;
  talk.asks.push(ask);
  if (talk.asks.length > 1) return;
  show(talk, ask);
}

function show({ editor }: Dialog, ask: Ask): void {
  editor.screen.state("");
  for (const line of questionLines(ask)) editor.screen.note(line);
  editor.mode("ask");
}

/** Answered, here or elsewhere: the next question, or back to talking. */
function settle(talk: Dialog, id: string): void {
  const first = talk.asks[0]?.id === id;
  talk.asks = talk.asks.filter((ask) => ask.id !== id);
  if (!first) return;
  if (talk.asks[0]) show(talk, talk.asks[0]);
  else talk.editor.mode("say");
}

async function enter(talk: Dialog, text: string): Promise<void> {
  const { screen } = talk.editor;
  talk.pressedAt = 0;
  try {
    const [ask] = talk.asks;
    if (text === "") return;
    const slash = /^\/[a-z]/.test(text);
    if (slash && !text.includes("\n") && (await runSlash(talk, text))) return;
    if (ask && !slash) return await answer(talk, ask, text);
    const key = newId("cli");
    talk.mine.add(key);
    const body = { parts: [{ type: "text" as const, text }], key };
    const { reply } = await talk.client.call("sessions.say", { params: { id: talk.session }, body });
    if (reply?.session) turnTo(talk, reply.session);
  } catch (error) {
    const { message, hint } = failureOf(error);
    screen.note(red(`${message}${hint ? `\n${hint}` : ""}`));
  }
}

async function answer(talk: Dialog, ask: Ask, text: string): Promise<void> {
  const reply = readAnswer(ask, text, Date.now());
  if (!reply) return talk.editor.screen.note(yellow(`Answers: ${choices(ask)}`));
  await talk.client.call("asks.answer", { params: { id: ask.id }, body: reply }).catch((error: unknown) => {
    if (!hasCode(error, "conflict") && !hasCode(error, "not_found")) throw error;
    settle(talk, ask.id);
    talk.editor.screen.note(dim(failureOf(error).message));
  });
}

const TWICE_MS = 2000;

async function interrupt(talk: Dialog): Promise<void> {
  const again = Date.now() - talk.pressedAt < TWICE_MS;
  talk.pressedAt = Date.now();
  if (again || talk.cancelling) return talk.editor.close();
  if (!talk.running) return talk.editor.screen.note(dim("Ctrl-C again leaves."));
  talk.cancelling = true;
  talk.editor.screen.state(dim("… stopping"));
  await talk.client
    .call("sessions.cancel", { params: { id: talk.session } })
    .catch((error: unknown) => talk.editor.screen.note(red(failureOf(error).message)));
}

async function lost(talk: Dialog, state: { state: "open" } | { state: "waiting"; error: string }): Promise<void> {
  if (state.state === "open") return;
  talk.editor.screen.state(yellow(`… ${oneLine(state.error)}, trying again`));
  if (await foundAgain(talk)) talk.turnTo.abort();
}

/** Whether Steward was started anew, with another address or key; then the talk goes on with that one. */
async function foundAgain(talk: Dialog): Promise<boolean> {
  const running = await talk.host.running();
  if (!running || talk.known === running.token) return false;
  talk.known = running.token;
  talk.client = connect(running);
  talk.editor.screen.state("");
  return true;
}
