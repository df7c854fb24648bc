// Notifications: what Steward told this person beside conversations, what is unread, and how they want to be told.
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { callNotices, type Notice, type Told } from "../notices-api.ts";
import { telling, toast } from "../notices.ts";
import { Icon, type IconName } from "../parts/icon.tsx";
import { Card, useLoad, Waiting } from "../parts/load.tsx";
import { PreferencesCard } from "../parts/notice-preferences.tsx";
import { takeStyles } from "../sheet.ts";
import { shortDate, timeOf, wholeTime } from "../words.ts";
import things from "../lazy/things.css";
import styles from "./notifications.css";

export const title = "Notifications";
export const icon: IconName = "bell";

takeStyles(things);
takeStyles(styles);

const AGAIN_MS = 15_000;
const SOON_MS = 1500;
const PAGE = 50;
const LONG = 320;

export function Page(): VNode {
  const { data, problem, again } = useLoad(() => callNotices("notices.list"), AGAIN_MS);
  useEffect(() => {
    const seen = (): void => void (document.hidden || again());
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, []);
  return (
    <div class="cards">
      <Card
        id="notices-all"
        title="Notifications"
        about="What schedules, tasks, channels and programs told you beside conversations."
        aside={data ? <Unread notices={data.notices} /> : null}
      >
        {data ? <All told={data} again={again} /> : <Waiting problem={problem} />}
      </Card>
      {data ? <PreferencesCard told={data} again={again} /> : null}
    </div>
  );
}

function Unread({ notices }: Pick<Told, "notices">): VNode {
  const unread = notices.filter(({ readAt }) => readAt === undefined).length;
  return (
    <span class="quiet" role="status">
      {notices.length === 0 ? "" : unread === 0 ? "all read" : `${unread} unread`}
    </span>
  );
}

function All({ told, again }: { told: Told; again(): void }): VNode {
  const [shown, setShown] = useState(PAGE);
  const { notices } = told;
  const first = useRef<HTMLUListElement>(null);
  const readAll = async (): Promise<void> => {
    if (!(await telling(callNotices("notices.readAll")))) return;
    toast("All are read.");
    again();
    first.current?.focus();
  };
  return (
    <>
      <div class="note-actions">
        <TestButton told={told} again={again} />
        {notices.some(({ readAt }) => readAt === undefined) ? (
          <button type="button" class="small" onClick={() => void readAll()}>
            <Icon name="check" /> Read all
          </button>
        ) : null}
      </div>
      {notices.length === 0 ? (
        <p class="quiet">
          Nothing was told yet. Reminders, results of schedules, channels that fall silent and <code>steward notify --me "…"</code> stand
          here.
        </p>
      ) : (
        <ul class="things" aria-label="Notifications" ref={first} tabIndex={-1}>
          {notices.slice(0, shown).map((notice) => (
            <Row key={notice.id} notice={notice} again={again} />
          ))}
        </ul>
      )}
      {notices.length > shown ? (
        <div class="actions">
          <button type="button" class="small" onClick={() => setShown(shown + PAGE)}>
            Older
          </button>
        </div>
      ) : null}
    </>
  );
}

function TestButton({ told: { reachable, preferences }, again }: { told: Told; again(): void }): VNode {
  const test = async (): Promise<void> => {
    const text = "This is a test: notifications reach you here.";
    if (!(await telling(callNotices("notices.tell", { body: { text } })))) return;
    const [first] = reachable;
    const way = `It goes out by ${first}${preferences.quiet ? ", in quiet hours when they end" : ""}.`;
    toast(first === undefined ? "It stands here only: no channel reaches you." : way);
    again();
    setTimeout(again, SOON_MS);
  };
  return (
    <button type="button" class="small" onClick={() => void test()}>
      <Icon name="bell" /> Send me a test
    </button>
  );
}

function Row({ notice, again }: { notice: Notice; again(): void }): VNode {
  const { id, text, from, at, urgent, session, readAt } = notice;
  const [whole, setWhole] = useState(text.length <= LONG);
  const head = useRef<HTMLHeadingElement>(null);
  const unread = readAt === undefined;
  const read = async (): Promise<void> => {
    if (!(await telling(callNotices("notices.read", { id })))) return;
    head.current?.focus(); // the button goes
    again();
  };
  return (
    <li class={`thing note ${unread ? "unread" : ""}`} aria-labelledby={`note-${id}`}>
      <div class="thing-head">
        {urgent ? (
          <span class="pill urgent">
            <Icon name="warning" /> urgent
          </span>
        ) : null}
        <h3 id={`note-${id}`} ref={head} tabIndex={-1}>
          {from}
        </h3>
        {unread ? <span class="pill new">unread</span> : null}
        <time class="quiet" dateTime={new Date(at).toISOString()} title={wholeTime(at)}>
          {moment(at)}
        </time>
        <div class="actions">
          {session === undefined ? null : (
            <a class="button" href={`/s/${session}`} aria-label={`Session of ${from}, ${wholeTime(at)}`}>
              Session
            </a>
          )}
          {unread ? (
            <button type="button" class="small" aria-label={`Read: ${from}, ${wholeTime(at)}`} onClick={() => void read()}>
              Read
            </button>
          ) : null}
        </div>
      </div>
      <p class="note-text">{whole ? text : `${text.slice(0, LONG)}…`}</p>
      {whole ? null : (
        <div class="actions">
          <button type="button" class="small" onClick={() => setWhole(true)}>
            Show all of it
          </button>
        </div>
      )}
      <p class="quiet">{ways(notice)}</p>
    </li>
  );
}

function moment(at: number): string {
  const date = shortDate(at);
  const time = timeOf(at);
  return date === time ? time : `${date}, ${time}`;
}

/** An urgent one goes round: each channel once, and how often in all. */
function ways({ sent, readAt }: Notice): string {
  if (sent.length === 0) return readAt === undefined ? "here only, so far" : "here only";
  const once = [...new Set(sent)];
  return `by ${once.join(", then ")}${sent.length > once.length ? `, ${sent.length} times in all` : ""}`;
}
