// Data that a page shows: asked for once it is seen, asked again on demand.
import { useCallback, useEffect, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import { messageOf } from "../../std/error.ts";

export interface Loaded<T> {
  data: T | undefined;
  problem: string;
  again(): void;
  set(data: T): void;
}

/** With `everyMs` it is asked for again while the page is seen. */
export function useLoad<T>(ask: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [data, set] = useState<T>();
  const [problem, setProblem] = useState("");
  const again = useCallback(() => {
    ask().then(
      (got) => (set(() => got), setProblem("")),
      (error: unknown) => setProblem(messageOf(error)),
    );
  }, []);
  useEffect(() => {
    again();
    if (!everyMs) return;
    const timer = setInterval(() => document.hidden || again(), everyMs);
    return () => clearInterval(timer);
  }, []);
  return { data, problem, again, set: (value) => set(() => value) };
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
      {about ? <p class="about">{about}</p> : null}
      {children}
    </section>
  );
}

export const Waiting = ({ problem }: { problem: string }): VNode =>
  problem ? <p class="problem">{problem}</p> : <p class="quiet late">Loading…</p>;
