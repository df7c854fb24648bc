// Where the page is: the path, and links that stay inside it. Query and fragment are never read as instructions.
import { computed, signal } from "@preact/signals";

const here = signal(location.pathname);
export const path = computed(() => here.value);
/** The session in the address, /s/<id>. */
export const sessionInPath = computed(() => /^\/s\/([\w-]{1,200})$/.exec(here.value)?.[1]);

export function go(to: string, how: { replace?: boolean } = {}): void {
  if (to !== location.pathname) history[how.replace ? "replaceState" : "pushState"](null, "", to);
  here.value = to;
}

export function listenToAddress(): void {
  addEventListener("popstate", () => (here.value = location.pathname));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin || link.pathname.startsWith("/api/"))
      return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname);
  });
}
