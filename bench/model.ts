// A model endpoint in a process of its own that answers at once, and tells its parent when each request came and how it looked.
import { createServer } from "node:http";

export interface Asked {
  /** Epoch milliseconds with fractions. */
  at: number;
  answeredAt: number;
  body: string;
}

const now = (): number => performance.timeOrigin + performance.now();
const asked: Asked[] = [];

/** Says "ok"; when the last message says "use a tool" it first asks for one cheap call. */
const server = createServer((request, response) => {
  if (request.url === "/asked") {
    response.end(JSON.stringify(asked.splice(0)));
    return;
  }
  if (request.method !== "POST") return void response.end(JSON.stringify({ object: "list", data: [{ id: "bench", object: "model" }] }));
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const at = now();
    const body = Buffer.concat(chunks).toString("utf8");
    const { messages } = JSON.parse(body) as { messages: { role: string; content: unknown }[] };
    const last = messages.at(-1);
    const tool = last?.role === "user" && JSON.stringify(last.content).includes("use a tool");
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(tool ? toolCall() : text());
    asked.push({ at, answeredAt: now(), body });
  });
});

const frame = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "bench", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const usage = `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "bench", choices: [], usage: { prompt_tokens: 100, completion_tokens: 2, total_tokens: 102 } })}\n\ndata: [DONE]\n\n`;
const text = (): string => frame({ role: "assistant", content: "ok" }) + frame({}, "stop") + usage;
const toolCall = (): string =>
  frame({
    role: "assistant",
    tool_calls: [{ index: 0, id: "t", type: "function", function: { name: "file_info", arguments: '{"path":"."}' } }],
  }) +
  frame({}, "tool_calls") +
  usage;

server.listen(0, "127.0.0.1", () => process.send?.((server.address() as { port: number }).port));
process.on("disconnect", () => process.exit(0));
