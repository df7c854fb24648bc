// What this browser remembers about how the page looks. Nothing here leaves the browser.
import { effect, signal } from "@preact/signals";

export type Theme = "dark" | "light" | "system";
const themes: readonly Theme[] = ["dark", "light", "system"];

/** Storage may be refused (private windows, policies); the page works without it. */
function recall(key: string): string | null {
  try {
    return localStorage.getItem(`steward.${key}`);
  } catch {
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`steward.${key}`, value);
  } catch {
    return;
  }
}

export const theme = signal<Theme>(themes.find((one) => one === recall("theme")) ?? "dark");
export const sidebarHidden = signal(recall("sidebar") === "hidden");
/** The drawer of narrow screens; not remembered. */
export const drawerOpen = signal(false);

export function keepPrefs(): void {
  const light = matchMedia("(prefers-color-scheme: light)");
  const apply = (): void => {
    const shown = theme.value === "system" ? (light.matches ? "light" : "dark") : theme.value;
    document.documentElement.dataset.theme = shown;
  };
  effect(() => {
    apply();
    remember("theme", theme.value);
  });
  effect(() => remember("sidebar", sidebarHidden.value ? "hidden" : "shown"));
  light.addEventListener("change", apply);
}
