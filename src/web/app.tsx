// The shell: sidebar, the page that the path names, banner, shortcuts.
import { useEffect, useState } from "preact/hooks";
import type { ComponentType, VNode } from "preact";
import { ask } from "./api.ts";
import { Page as Chat } from "./pages/chat.tsx";
import { toast } from "./notices.ts";
import { pages } from "./pages.ts";
import { composerId, escapePressed, focusComposer } from "./parts/composer.tsx";
import { Icon } from "./parts/icon.tsx";
import { SideButton, Who } from "./parts/header.tsx";
import { Over } from "./parts/say.tsx";
import { newChat, searchId, Sidebar } from "./parts/sidebar.tsx";
import { Unreachable, Welcome } from "./parts/welcome.tsx";
import { isOwner, me, refreshHealth, unreachable, warnings } from "./people.ts";
import { drawerOpen, sidebarHidden } from "./prefs.ts";
import { go, path, sessionInPath } from "./router.ts";
import { view } from "./session.ts";
import { refreshSessions } from "./sessions.ts";

export function App({ code }: { code?: string | undefined }): VNode | null {
  if (code && me.value === undefined && !unreachable.value)
    return (
      <>
        <Welcome code={code} />
        <Over />
      </>
    );
  if (me.value === null)
    return (
      <>
        <Welcome />
        <Over />
      </>
    );
  if (me.value === undefined) return unreachable.value ? <Unreachable /> : null;
  return <Shell />;
}

function Shell(): VNode {
  useEffect(keepFresh, []);
  useEffect(() => {
    document.addEventListener("keydown", shortcuts);
    return () => document.removeEventListener("keydown", shortcuts);
  }, []);
  const page = pages.find(({ name }) => path.value === `/${name}`);
  useEffect(() => {
    document.title = page ? `${page.title} · Steward` : view.value?.title ? `${view.value.title} · Steward` : "Steward";
  }, [page, view.value?.title]);
  return (
    <div class={`shell${sidebarHidden.value ? " no-side" : ""}${drawerOpen.value ? " drawer" : ""}`}>
      <a class="skip" href={`#${page ? "main" : composerId}`}>
        {page ? "Skip to the page" : "Skip to the message field"}
      </a>
      <Sidebar />
      <div class="veil" onClick={() => (drawerOpen.value = false)} />
      <main id="main" tabIndex={-1}>
        <Banner />
        {page ? <Lazy key={page.name} name={page.name} /> : <Chat />}
      </main>
      <Over />
    </div>
  );
}

function Banner(): VNode | null {
  if (warnings.value.length === 0) return null;
  return (
    <div class="banners">
      {warnings.value.map((text) => (
        <p key={text} class="banner" role="status">
          <Icon name="warning" /> <span>{text}</span> <a href="/health">Health</a>
        </p>
      ))}
    </div>
  );
}

function Lazy({ name }: { name: string }): VNode {
  const [Page, setPage] = useState<ComponentType>();
  const [failed, setFailed] = useState(false);
  const entry = pages.find((page) => page.name === name)!;
  useEffect(() => {
    entry.load().then(
      (module) => setPage(() => module.Page),
      () => setFailed(true),
    );
  }, []);
  return (
    <div class="page">
      <header class="header">
        <SideButton />
        <div class="header-title">
          <h1>{entry.title}</h1>
        </div>
        <Who />
      </header>
      <div class="page-body" tabIndex={0} role="region" aria-label={entry.title}>
        {Page ? (
          <Page />
        ) : failed ? (
          <p class="problem">This page could not be loaded. Reload to get the current version.</p>
        ) : (
          <p class="quiet late">Opening…</p>
        )}
      </div>
    </div>
  );
}

/** Other sessions change without this window's stream: ask again when the page is seen, and now and then. */
function keepFresh(): () => void {
  const look = (): void => {
    if (document.hidden) return;
    void refreshSessions();
    void refreshHealth();
    if (isOwner.value) import("./lazy/asking.ts").then(({ tellAsking }) => tellAsking({ ask, toast, go })).catch(() => {});
  };
  look();
  const timer = setInterval(look, 15_000);
  document.addEventListener("visibilitychange", look);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

const focusSearch = (): void => document.getElementById(searchId)?.focus();

function shortcuts(event: KeyboardEvent): void {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const { key } = event;
  if (key === "Escape") {
    if (drawerOpen.value) drawerOpen.value = false;
    else escapePressed(sessionInPath.value);
    return;
  }
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (key === "k") {
    if (innerWidth < 820) drawerOpen.value = true;
    else sidebarHidden.value = false;
    focusSearch();
    if (document.activeElement?.id !== searchId) requestAnimationFrame(focusSearch); // it was hidden until now
  } else if (key === "n") newChat();
  else if (key === "/") focusComposer();
  else return;
  event.preventDefault();
}
