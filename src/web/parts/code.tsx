// A block of code: its language, a copy button, colours once they have been loaded.
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Piece } from "../highlight.ts";
import { toast } from "../notices.ts";
import { Icon } from "./icon.tsx";

export function CodeBlock({ text, lang, live }: { text: string; lang: string; live?: boolean | undefined }): VNode {
  const [pieces, setPieces] = useState<Piece[]>();
  useEffect(() => {
    if (!lang || live) return;
    let gone = false;
    void import("../highlight.ts").then((colours) => gone || setPieces(colours.pieces(text, lang.toLowerCase())));
    return () => void (gone = true);
  }, [text, lang, live]);
  return (
    <figure class="code">
      <figcaption>
        <span>{lang || "text"}</span>
        <CopyButton text={text} what="code" />
      </figcaption>
      <pre tabIndex={0} role="region" aria-label={`Code${lang ? `, ${lang}` : ""}`}>
        <code>
          {pieces && !live
            ? pieces.map((piece, index) =>
                piece.scope ? (
                  <span key={index} class={`hl-${piece.scope}`}>
                    {piece.text}
                  </span>
                ) : (
                  piece.text
                ),
              )
            : text}
        </code>
      </pre>
    </figure>
  );
}

export function CopyButton({ text, what }: { text: string; what: string }): VNode {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    if (!(await copied(text))) return toast("This browser does not let the page copy. Select the text instead.", { tone: "bad" });
    setDone(true);
    setTimeout(() => setDone(false), 1600);
  };
  return (
    <button type="button" class="ghost small" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      <Icon name={done ? "check" : "copy"} />
      <span aria-hidden="true">{done ? "Copied" : "Copy"}</span>
    </button>
  );
}

/** The clipboard is refused on plain-http addresses other than localhost; the old way works there. */
export async function copied(text: string): Promise<boolean> {
  const modern = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  if (modern) return true;
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
