// A scripted endpoint on loopback for voices that hear: OpenAI's audio/transcriptions, a form in, JSON out, with the faults that a wire can have.
import type { IncomingMessage, ServerResponse } from "node:http";
import { localServer } from "./local-server.ts";

export type Reply =
  /** What such an endpoint hears, in its own words. */
  | { do: "hear"; text: string }
  /** An error answer as OpenAI gives it. */
  | { do: "status"; status: number; message?: string; headers?: Record<string, string> }
  /** Any bytes with status 200. */
  | { do: "body"; body: string }
  | { do: "cut" }
  /** Nothing, ever; the socket stays open. */
  | { do: "hang" };
/** A request whose form is as the endpoint wants it; anything else is refused with 400 and not kept. */
export interface Heard {
  key: string | undefined;
  file: { name: string; type: string; bytes: Uint8Array };
  fields: Record<string, string>;
}
export interface VoiceServer {
  /** Up to and with the version. */
  url: string;
  heard: Heard[];
  /** Requests of any kind, also to other paths. */
  requests: string[];
  script(reply: (heard: Heard, index: number) => Reply | Promise<Reply>): void;
  close(): Promise<void>;
}

export async function voiceServer(text = "Hello from the tape."): Promise<VoiceServer> {
  const state: { reply: Parameters<VoiceServer["script"]>[0] } = { reply: () => ({ do: "hear", text }) };
  const web = await localServer((request, response) => answer(request, response));
  const server: VoiceServer = {
    url: `${web.url}/v1`,
    heard: [],
    requests: [],
    script: (reply) => void (state.reply = reply),
    close: () => web.close(),
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    server.requests.push(`${request.method} ${request.url}`);
    const heard = await formOf(request);
    if (typeof heard === "string") return send(response, 400, { error: { message: heard, type: "invalid_request_error" } });
    const reply = await state.reply(heard, server.heard.push(heard) - 1);
    if (reply.do === "hear") return send(response, 200, { text: reply.text, usage: { type: "duration", seconds: 1 } });
    if (reply.do === "body") return void response.end(reply.body);
    if (reply.do === "cut") return void request.socket.destroy();
    if (reply.do === "hang") return;
    const error = { message: reply.message ?? "", type: "some_error", param: null, code: null };
    send(response, reply.status, reply.message === undefined ? {} : { error }, reply.headers);
  };
  return server;
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** As strict as the endpoint: a file whose name ends as a known format does, a model, nothing unknown. */
async function formOf(request: IncomingMessage): Promise<Heard | string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (`${request.method} ${request.url}` !== "POST /v1/audio/transcriptions")
    return `Unknown request URL: ${request.method} ${request.url}`;
  const headers = { "content-type": request.headers["content-type"] ?? "" };
  const form = await new Response(Buffer.concat(chunks), { headers }).formData().catch(() => undefined);
  const file = form?.get("file");
  if (!form || !file || typeof file === "string") return "file: field required";
  if (!/\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/.test(file.name)) return "Unrecognized file format.";
  const fields = Object.fromEntries([...form].flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])));
  const unknown = Object.keys(fields).find((name) => !["model", "language", "response_format", "prompt", "temperature"].includes(name));
  if (unknown !== undefined) return `Unknown parameter: '${unknown}'.`;
  if (!fields["model"]) return "model: field required";
  const key = request.headers.authorization?.replace(/^Bearer /, "");
  return { key, fields, file: { name: file.name, type: file.type, bytes: new Uint8Array(await file.arrayBuffer()) } };
}

/** A WAV file of silence, or of this many bytes. */
export function wav(size = 3244): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(size);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(size - 8, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  for (const [value, at] of [
    [16, 16],
    [16_000, 24],
    [32_000, 28],
    [size - 44, 40],
  ] as const)
    bytes.writeUInt32LE(value, at);
  for (const [value, at] of [
    [1, 20],
    [1, 22],
    [2, 32],
    [16, 34],
  ] as const)
    bytes.writeUInt16LE(value, at);
  bytes.write("data", 36, "latin1");
  return new Uint8Array(bytes);
}
