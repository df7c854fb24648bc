// Data that a page shows: asked for once it is seen, asked again on demand. What is changed is made of what holds then, not of what was shown.
import { signal } from "@preact/signals";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import { messageOf } from "../../std/error.ts";
import lists from "../lazy/page-lists.css";
import { spoken } from "../notices.ts";
import { takeStyles } from "../sheet.ts";

takeStyles(lists);

export interface Loaded<T> {
  data: T | undefined;
  problem: string;
  again(): void;
  set(data: T): void;
}

/** An answer for which nothing else is asked by itself, unless it never comes. */
const PATIENCE_MS = 20_000;
const RETRY_MS = 5000;

/** Why what is shown may be old, of each that was answered once and could not be asked again. */
const stale = signal<ReadonlyMap<object, string>>(new Map());

/** With `everyMs` it is asked for again while the page is seen, and so is what failed; also when `since` is another. */
export function useLoad<T>(ask: () => Promise<T>, everyMs?: number, since?: unknown): Loaded<T> {
  const [data, set] = useState<T>();
  const [problem, setProblem] = useState("");
  const held = useRef({ ask, asked: 0, answered: 0, at: 0 }).current;
  held.ask = ask;
  const again = useCallback(() => {
    const mine = ++held.asked;
    held.at = Date.now();
    // What was asked earlier and is answered late knows less than what is shown.
    const settle = (work: () => void): void => {
      if (mine < held.answered) return;
      held.answered = mine;
      work();
    };
    held.ask().then(
      (got) => settle(() => (set(() => got), setProblem(""))),
      (error: unknown) => settle(() => setProblem(messageOf(error))),
    );
  }, []);
  useEffect(again, [since]);
  const often = everyMs ?? (problem ? RETRY_MS : 0);
  useEffect(() => {
    if (!often) return;
    const waits = (): boolean => held.answered < held.asked && Date.now() - held.at < PATIENCE_MS;
    const timer = setInterval(() => document.hidden || waits() || again(), often);
    return () => clearInterval(timer);
  }, [often]);
  const old = data !== undefined && problem;
  useEffect(() => {
    if (!old) return;
    mark(held, old);
    return () => mark(held, "");
  }, [old]);
  const put = (value: T): void => {
    held.answered = ++held.asked;
    set(() => value);
  };
  return { data, problem, again, set: put };
}

function mark(one: object, problem: string): void {
  const left = [...stale.peek()].filter(([other]) => other !== one);
  if (problem && left.length === 0) spoken.value = oldWords(problem);
  stale.value = new Map(problem ? [...left, [one, problem]] : left);
}

const oldWords = (problem: string): string => `This may be old: ${problem}`;

/** Runs changes one after the other, so that each is made of what the one before it left. */
export function useTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  const last = useRef<Promise<unknown>>(Promise.resolve());
  return useCallback((work) => {
    const run = last.current.then(work);
    last.current = run.catch(() => {});
    return run;
  }, []);
}

/** On top of the first card of a page only: it holds for the whole page. */
function Old(): VNode | null {
  const [problem] = stale.value.values();
  return problem === undefined ? null : (
    <p class="notice warning stale">
      <span>{oldWords(problem)}</span>
    </p>
  );
}

export function Card({
  id,
  title,
  about,
  children,
  aside,
}: {
  id: string;
  title: string;
  about?: ComponentChildren;
  children: ComponentChildren;
  aside?: ComponentChildren;
}): VNode {
  return (
    <section class="card" aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      <Old />
      {about ? <p class="about">{about}</p> : null}
      {children}
    </section>
  );
}

export const Waiting = ({ problem }: { problem: string }): VNode =>
  problem ? <p class="problem">{problem}</p> : <p class="quiet late">Loading…</p>;
