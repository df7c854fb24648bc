// Colours for code, loaded when the first block of code is shown. Gives pieces of text with a class, never HTML.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

export interface Piece {
  text: string;
  scope?: string;
}

for (const [name, language] of Object.entries({
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  markdown,
  php,
  python,
  ruby,
  rust,
  sql,
  typescript,
  xml,
  yaml,
}))
  hljs.registerLanguage(name, language);
hljs.registerAliases(["console", "shell", "sh", "zsh", "terminal"], { languageName: "bash" });

interface Node {
  scope?: string;
  children: (Node | string)[];
}

/** Undefined when the language is not known. */
export function pieces(text: string, lang: string): Piece[] | undefined {
  if (!hljs.getLanguage(lang) || text.length > 50_000) return undefined;
  const root = (hljs.highlight(text, { language: lang, ignoreIllegals: true }) as unknown as { _emitter: { rootNode: Node } })._emitter
    .rootNode;
  const list: Piece[] = [];
  const walk = (node: Node, scope: string | undefined): void => {
    for (const child of node.children) {
      if (typeof child === "string") list.push({ text: child, ...(scope ? { scope } : {}) });
      else walk(child, child.scope ? (child.scope.split(".")[0] ?? scope) : scope);
    }
  };
  walk(root, undefined);
  return list;
}
