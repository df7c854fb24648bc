// An MCP server at an address that wants a sign-in, and its authorization server: two real HTTP servers, PKCE checked, tokens that end and are renewed.
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SignInServer {
  url: string;
  issuer: string;
  /** What was asked of the authorization server. */
  asked: string[];
  /** Access tokens that were given stop working. */
  expire(): void;
  /** From now on, tokens are given when this is over. */
  hold(until: Promise<void>): void;
  /** Whom it has registered, it does not know any more. */
  forgetClients(): void;
  close(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
};

const listening = async (server: Server): Promise<string> => {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
};

const random = (): string => randomBytes(16).toString("hex");

export async function signInServer(
  other: { token?: string; authorize?: string; register?: string; issuer?: string; moved?: string } = {},
): Promise<SignInServer> {
  const state = {
    issuer: "",
    url: "",
    asked: [] as string[],
    codes: new Map<string, string>(),
    good: new Set<string>(),
    refresh: new Set<string>(),
    clients: new Set<string>(),
    held: Promise.resolve(),
  };
  const issue = (response: ServerResponse): void => {
    const [access, refresh] = [random(), random()];
    state.good.add(access);
    state.refresh.add(refresh);
    json(response, 200, { access_token: access, token_type: "Bearer", expires_in: 3600, refresh_token: refresh });
  };
  const authorization = createServer(async (request, response) => {
    const at = new URL(request.url!, state.issuer);
    state.asked.push(`${request.method} ${at.pathname}`);
    if (at.pathname.startsWith("/.well-known/oauth-authorization-server"))
      return json(response, 200, {
        issuer: other.issuer ?? state.issuer,
        authorization_endpoint: other.authorize ?? `${state.issuer}/authorize`,
        token_endpoint: other.token ?? `${state.issuer}/token`,
        registration_endpoint: other.register ?? `${state.issuer}/register`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
      });
    if (at.pathname === "/register") {
      const wanted = JSON.parse(await bodyOf(request)) as object;
      const id = random();
      state.clients.add(id);
      return json(response, 201, { ...wanted, client_id: id });
    }
    if (at.pathname === "/authorize") {
      const code = random();
      state.codes.set(code, at.searchParams.get("code_challenge")!);
      const back = new URL(at.searchParams.get("redirect_uri")!);
      back.search = new URLSearchParams({ code, state: at.searchParams.get("state")! }).toString();
      return response.writeHead(302, { location: back.href }).end();
    }
    if (at.pathname !== "/token") return json(response, 404, {});
    const given = new URLSearchParams(await bodyOf(request));
    await state.held;
    if (!state.clients.has(given.get("client_id") ?? "")) return json(response, 401, { error: "invalid_client" });
    if (given.get("grant_type") === "refresh_token" && state.refresh.delete(given.get("refresh_token")!)) return issue(response);
    const challenge = state.codes.get(given.get("code") ?? "");
    const proof = createHash("sha256")
      .update(given.get("code_verifier") ?? "")
      .digest("base64url");
    if (challenge === undefined || challenge !== proof) return json(response, 400, { error: "invalid_grant" });
    state.codes.delete(given.get("code")!);
    issue(response);
  });
  state.issuer = await listening(authorization);
  const server = createServer(async (request, response) => {
    const origin = new URL(state.url).origin;
    if (request.url!.startsWith("/.well-known/oauth-protected-resource"))
      return json(response, 200, { resource: state.url, authorization_servers: [state.issuer] });
    if (other.moved !== undefined) return response.writeHead(307, { location: other.moved }).end();
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if (!state.good.has(token))
      return json(
        response,
        401,
        {},
        { "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` },
      );
    if (request.method !== "POST") return response.writeHead(405).end();
    const { id, method } = JSON.parse(await bodyOf(request)) as { id?: number; method: string };
    if (id === undefined) return response.writeHead(202).end();
    const answers: Record<string, unknown> = {
      initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "notes", version: "1" } },
      "tools/list": { tools: [{ name: "note", inputSchema: { type: "object" } }] },
      "tools/call": { content: [{ type: "text", text: "noted" }] },
    };
    if (method in answers) json(response, 200, { jsonrpc: "2.0", id, result: answers[method] });
    else json(response, 200, { jsonrpc: "2.0", id, error: { code: -32601, message: "no" } });
  });
  state.url = `${await listening(server)}/mcp`;
  return {
    url: state.url,
    issuer: state.issuer,
    asked: state.asked,
    hold: (until) => void (state.held = until),
    expire: () => state.good.clear(),
    forgetClients: () => state.clients.clear(),
    async close() {
      for (const one of [server, authorization]) {
        one.closeAllConnections();
        await new Promise((resolve) => one.close(resolve));
      }
    },
  };
}
