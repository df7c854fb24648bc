// Requests to the server of this home by plain node:http, for commands that have to be quick. The typed client is connect.ts.
import { request } from "node:http";
import { StewardError } from "../std/error.ts";

export interface Running {
  url: string;
  token: string;
  pid: number;
}
interface Asked {
  method?: "GET" | "POST";
  body?: unknown;
  timeoutMs?: number;
}

/** Throws the server's own error, and `unavailable` when it does not answer in time. */
export async function ask<T>({ url, token }: Running, path: string, { method = "GET", body, timeoutMs = 15_000 }: Asked = {}): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const sent = request(new URL(path, url), { method, headers, agent: false, timeout: timeoutMs }, (response) => {
    let answer = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => (answer += piece));
    response.on("end", () => resolve({ status: response.statusCode ?? 0, text: answer }));
    response.on("error", reject);
  });
  sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  sent.on("error", reject);
  sent.end(text);
  const answer = await promise.catch((error: unknown) => {
    throw new StewardError("unavailable", `Steward at ${url} can't be reached`, {
      hint: "steward status shows whether it runs; steward start starts it.",
      cause: error,
    });
  });
  if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as T;
  const { failureOf } = await import("../client/failure.ts");
  throw await failureOf(new Response(answer.text, { status: answer.status }));
}
