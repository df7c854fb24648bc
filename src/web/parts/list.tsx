// A list that draws only what is near the window: rows of any height, kept in place while rows above change, stuck to its end until the person scrolls up.
import { useEffect, useLayoutEffect, useReducer, useRef } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import { Icon } from "./icon.tsx";

interface Rows<R> {
  rows: readonly R[];
  draw(row: R): ComponentChildren;
  /** Pixels, before a row was measured. */
  guess(row: R, width: number): number;
  /** The person comes near the first row. */
  nearTop(): void;
  label: string;
}

/** Where each row stands: heights by key, offsets by index. */
class Layout<R extends { key: string }> {
  rows: readonly R[] = [];
  offsets = new Float64Array(1);
  readonly heights = new Map<string, number>();
  private readonly guessed = new WeakMap<R, number>();
  width = 700;

  height(row: R, guess: Rows<R>["guess"]): number {
    const measured = this.heights.get(row.key);
    if (measured !== undefined) return measured;
    const known = this.guessed.get(row) ?? guess(row, this.width);
    this.guessed.set(row, known);
    return known;
  }

  place(rows: readonly R[], guess: Rows<R>["guess"]): void {
    this.rows = rows;
    const offsets = new Float64Array(rows.length + 1);
    for (let index = 0; index < rows.length; index++) offsets[index + 1] = offsets[index]! + this.height(rows[index]!, guess);
    this.offsets = offsets;
  }

  get total(): number {
    return this.offsets[this.rows.length] ?? 0;
  }

  /** The row that holds this offset. */
  at(offset: number): number {
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offsets[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}

const OVERSCAN = 700;

interface Place<R extends { key: string }> {
  layout: Layout<R>;
  stuck: boolean;
  top: number;
  view: number;
  first: number;
  last: number;
  /** The newest row that the person has seen the end of. */
  seen: string;
  observer?: ResizeObserver;
}

export function List<R extends { key: string }>({ rows, draw, guess, nearTop, label }: Rows<R>): VNode {
  const scroller = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const place = (useRef<Place<R>>(null).current ??= {
    layout: new Layout<R>(),
    stuck: true,
    top: 0,
    view: 800,
    first: 0,
    last: 0,
    seen: "",
  });
  const { layout } = place;

  if (layout.rows !== rows) keepingAnchor(place, () => layout.place(rows, guess));
  spanOf(place);

  useLayoutEffect(() => settle(scroller.current, place));
  useEffect(() => {
    if (place.top < 1500 || layout.total < place.view) nearTop();
  }, [rows]);
  useLayoutEffect(() => watch(scroller.current!, place, { redraw: () => redraw(0), guess, nearTop: () => nearTop() }), []);

  const newest = rows.at(-1)?.key ?? "";
  if (place.stuck) place.seen = newest;
  const toEnd = (): void => {
    place.stuck = true;
    redraw(0);
  };
  return (
    <div class="list-frame">
      <div class="list" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label={label}>
        <div
          class="rows"
          style={{
            paddingTop: `${layout.offsets[place.first] ?? 0}px`,
            paddingBottom: `${Math.max(0, layout.total - (layout.offsets[place.last] ?? 0))}px`,
          }}
        >
          {rows.slice(place.first, place.last).map((row) => (
            <Slot key={row.key} row={row} place={place}>
              {draw(row)}
            </Slot>
          ))}
        </div>
      </div>
      {place.stuck ? null : (
        <button type="button" class="to-end" onClick={toEnd}>
          <Icon name="down" />
          {place.seen === newest ? "To the newest" : "New messages"}
        </button>
      )}
    </div>
  );
}

function Slot<R extends { key: string }>({ row, place, children }: { row: R; place: Place<R>; children: ComponentChildren }): VNode {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const here = element.current!;
    place.observer?.observe(here);
    return () => place.observer?.unobserve(here);
  }, []);
  return (
    <div class="slot" ref={element} data-key={row.key}>
      {children}
    </div>
  );
}

/** Lays out anew; the first visible row stays where it is on the screen. */
function keepingAnchor<R extends { key: string }>(place: Place<R>, change: () => void): void {
  const { layout } = place;
  const index = layout.at(place.top);
  const anchor = layout.rows[index];
  const before = place.top - (layout.offsets[index] ?? 0);
  change();
  if (place.stuck || !anchor) return;
  const now = layout.rows[index] === anchor ? index : layout.rows.findIndex(({ key }) => key === anchor.key);
  if (now >= 0) place.top = (layout.offsets[now] ?? 0) + before;
}

function spanOf<R extends { key: string }>(place: Place<R>): boolean {
  const { layout, first, last } = place;
  if (place.stuck) place.top = Math.max(0, layout.total - place.view);
  place.first = layout.at(place.top - OVERSCAN);
  place.last = Math.min(layout.rows.length, layout.at(place.top + place.view + OVERSCAN) + 1);
  return place.first !== first || place.last !== last;
}

/** After drawing: the scroll position that the layout means. */
function settle<R extends { key: string }>(element: HTMLDivElement | null, place: Place<R>): void {
  if (!element) return;
  const to = place.stuck ? element.scrollHeight - element.clientHeight : place.top;
  if (Math.abs(element.scrollTop - to) >= 1) element.scrollTop = to;
  place.top = element.scrollTop;
}

interface Watched<R> {
  redraw(): void;
  guess: Rows<R>["guess"];
  nearTop(): void;
}

function watch<R extends { key: string }>(element: HTMLDivElement, place: Place<R>, { redraw, guess, nearTop }: Watched<R>): () => void {
  const { layout } = place;
  const scrolled = (): void => {
    const top = element.scrollTop;
    const end = element.scrollHeight - element.clientHeight - top;
    const stuck = top < place.top - 1 ? end < 8 : place.stuck || end < 8;
    const changed = stuck !== place.stuck;
    place.stuck = stuck;
    place.top = top;
    if (spanOf(place) || changed) redraw();
    if (top < 1500) nearTop();
  };
  const measured = (changes: ResizeObserverEntry[]): void => {
    let changed = false;
    keepingAnchor(place, () => {
      for (const { target, borderBoxSize } of changes) {
        const size = borderBoxSize[0]?.blockSize ?? 0;
        const key = (target as HTMLElement).dataset.key;
        if (target === element) place.view = size;
        else if (key && size > 0 && layout.heights.get(key) !== size) layout.heights.set(key, size);
        else continue;
        changed = true;
      }
      layout.width = Math.min(736, element.clientWidth - 32);
      if (changed) layout.place(layout.rows, guess);
    });
    if (!changed) return;
    spanOf(place);
    redraw();
  };
  const observer = new ResizeObserver(measured);
  place.observer = observer;
  observer.observe(element);
  for (const slot of element.querySelectorAll(".slot")) observer.observe(slot);
  element.addEventListener("scroll", scrolled, { passive: true });
  return () => {
    observer.disconnect();
    element.removeEventListener("scroll", scrolled);
  };
}
