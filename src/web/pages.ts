// The pages beside the conversation: path, title and icon for the menu, and the page itself when it is wanted. The build fills the table from pages/.
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

/** All of pages/ but the conversation itself, by file name, which is the path. */
export const pages: readonly PageEntry[] = [];
