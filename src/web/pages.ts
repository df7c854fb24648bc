// The pages beside the conversation: path, title and icon for the menu, and the page itself when it is wanted.
import type { ComponentType } from "preact";
import type { IconName } from "./parts/icon.tsx";

export interface PageModule {
  title: string;
  icon: IconName;
  Page: ComponentType;
}
export interface PageEntry {
  name: string;
  title: string;
  icon: IconName;
  load(): Promise<PageModule>;
}

export const pages: readonly PageEntry[] = [
  { name: "settings", title: "Settings", icon: "sliders", load: () => import("./pages/settings.tsx") },
  { name: "health", title: "Health", icon: "pulse", load: () => import("./pages/health.tsx") },
];
