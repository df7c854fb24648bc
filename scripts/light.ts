// What keeps an idle Steward small: Node's own modules are taken without all that they would bring along, and sources are one byte a character.
import type { Plugin } from "rolldown";

/**
 * `import … from "node:http"` makes Node read each property of it, WebSocket too, which loads the whole of its fetch (8 MB, 12 ms);
 * HTTP/2, which no listener of ours speaks, is only there to be compared with.
 */
const STAND_INS: Record<string, string> = {
  http: `const http = process.getBuiltinModule("node:http");
export const { Agent, ClientRequest, IncomingMessage, METHODS, OutgoingMessage, STATUS_CODES, Server, ServerResponse, createServer, get, globalAgent, maxHeaderSize, request, validateHeaderName, validateHeaderValue } = http;
export default http;`,
  http2: `export class Http2ServerRequest {}
export const constants = { NGHTTP2_NO_ERROR: 0 };`,
};
const STAND_IN = "\0stand-in:";

export const light: Plugin = {
  name: "light",
  resolveId: {
    filter: { id: /^node:http2?$/ },
    handler: (id, _importer, { kind }) => (kind === "import-statement" ? `${STAND_IN}${id.slice(5)}` : undefined),
  },
  load: {
    filter: { id: /^\0stand-in:/ },
    handler: (id) => ({ code: STAND_INS[id.slice(STAND_IN.length)]!, moduleType: "js" }),
  },
};

/** V8 keeps a source with a single character above U+00FF in two bytes a character. The escape means the same in strings, expressions, names and comments. */
export function oneByte(code: string): string {
  if (/\braw`[^`]*[\u0100-\uFFFF]/.test(code)) throw new Error("String.raw with a character above U+00FF: write it as an escape");
  return code.replace(/[\u0100-\uFFFF]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
