// Markdown as elements. No HTML text is ever made: raw HTML stays visible text, so there is nothing to sanitize.
import type { Token, Tokens } from "marked";
import type { ComponentChildren, VNode } from "preact";
import { namesHost, parse, safeAddress, words } from "./blocks.ts";
import { CodeBlock } from "./parts/code.tsx";

/** `id` names the text while it grows. `live`: more may come. */
export function Markdown({ id, text, live }: { id: string; text: string; live?: boolean }): VNode {
  const { closed, open } = parse(id, text);
  return (
    <div class="md">
      {closed.map(drawnBlock)}
      {open.map((token, index) => block(token, closed.length + index, live))}
    </div>
  );
}

const drawn = new WeakMap<Token, VNode | null>();

/** The same block is the same element, so it is not even compared again. */
function drawnBlock(token: Token, index: number): VNode | null {
  const known = drawn.get(token);
  if (known !== undefined) return known;
  const made = block(token, index);
  drawn.set(token, made);
  return made;
}

function block(token: Token, key: number, live?: boolean): VNode | null {
  const one = token as Tokens.Generic;
  switch (one.type) {
    case "heading": {
      // The page itself has the first two levels.
      const Tag = `h${Math.min(6, one.depth + 2)}` as "h3";
      return (
        <Tag key={key} class={`h${one.depth}`}>
          {inline(one.tokens)}
        </Tag>
      );
    }
    case "paragraph":
      return <p key={key}>{inline(one.tokens)}</p>;
    case "text":
      return (
        <p key={key} class="tight">
          {one.tokens ? inline(one.tokens) : words(one.text)}
        </p>
      );
    case "list":
      return list(one as Tokens.List, key);
    case "code":
      return <CodeBlock key={key} text={one.text} lang={one.lang?.split(/\s/)[0] ?? ""} live={live} />;
    case "blockquote":
      return <blockquote key={key}>{one.tokens?.map((inner, index) => block(inner, index))}</blockquote>;
    case "table":
      return table(one as Tokens.Table, key);
    case "hr":
      return <hr key={key} />;
    case "plain":
      return (
        <div key={key}>
          {one.note ? <p class="quiet">{one.note}</p> : null}
          <p class="raw">{one.raw.trimEnd()}</p>
        </div>
      );
    case "html":
      return one.raw.trim() ? (
        <p key={key} class="raw">
          {one.raw.trimEnd()}
        </p>
      ) : null;
    default:
      return null;
  }
}

function list(token: Tokens.List, key: number): VNode {
  const items = token.items.map((item, index) => (
    <li key={index} class={item.task ? "task" : undefined}>
      {item.tokens.map((inner, at) =>
        inner.type === "checkbox" ? (
          <Box key={at} checked={item.checked === true} />
        ) : item.loose || inner.type !== "text" ? (
          block(inner, at)
        ) : (
          <span key={at}>{inline((inner as Tokens.Text).tokens)}</span>
        ),
      )}
    </li>
  ));
  return token.ordered ? (
    <ol key={key} start={token.start === "" ? 1 : token.start}>
      {items}
    </ol>
  ) : (
    <ul key={key}>{items}</ul>
  );
}

const Box = ({ checked }: { checked: boolean }): VNode => (
  <span class="box" role="img" aria-label={checked ? "Done" : "To do"} data-checked={checked} />
);

function table(token: Tokens.Table, key: number): VNode {
  const side = (index: number): string | undefined => (token.align[index] ? `to-${token.align[index]}` : undefined);
  return (
    <div key={key} class="wide" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {token.header.map((cell, index) => (
              <th key={index} scope="col" class={side(index)}>
                {inline(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {token.rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, index) => (
                <td key={index} class={side(index)}>
                  {inline(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export const inline = (tokens: Token[] | undefined): ComponentChildren => tokens?.map(span);

function span(token: Token, key: number): ComponentChildren {
  const one = token as Tokens.Generic;
  switch (one.type) {
    case "text":
    case "escape":
      return one.tokens ? inline(one.tokens) : words(one.text);
    case "strong":
      return <strong key={key}>{inline(one.tokens)}</strong>;
    case "em":
      return <em key={key}>{inline(one.tokens)}</em>;
    case "del":
      return <del key={key}>{inline(one.tokens)}</del>;
    case "codespan":
      return <code key={key}>{one.text}</code>;
    case "br":
      return <br key={key} />;
    case "link":
      return (
        <Link key={key} href={one.href} text={one.text}>
          {inline(one.tokens)}
        </Link>
      );
    case "image":
      return (
        <Link
          key={key}
          href={one.href}
          text=""
          title="Pictures from elsewhere are not loaded"
        >{`Picture: ${words(one.text) || "untitled"}`}</Link>
      );
    case "html":
      return /^<br\s*\/?>$/i.test(one.raw) ? <br key={key} /> : one.raw;
    default:
      return one.raw;
  }
}

function Link({ href, text, title, children }: { href: string; text: string; title?: string; children: ComponentChildren }): VNode {
  const url = safeAddress(href);
  if (!url)
    return (
      <span title={title}>
        {children}{" "}
        <span class="host">
          ({href.slice(0, 80)}
          {href.length > 80 ? "…" : ""})
        </span>
      </span>
    );
  const host = url.protocol === "mailto:" ? url.pathname : url.host;
  return (
    <a href={url.href} target="_blank" rel="noopener noreferrer nofollow" title={title ?? url.href}>
      {children}
      {namesHost(text, host) ? null : <span class="host"> {host}</span>}
    </a>
  );
}
