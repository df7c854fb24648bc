// Signing in to a server: whose tokens are whose, and the attempt that only the browser that began it can end. The protocol itself is the client library's.
import type {
  AuthProvider,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import type { ServerConfig } from "../core/config-mcp.ts";
import type { Steward } from "../run/steward.ts";
import { hasCode, StewardError } from "../std/error.ts";
import { randomText } from "../std/id.ts";
import { inLane, type Lanes } from "../std/lanes.ts";
import type { Address } from "./address.ts";
import type { Sdk } from "./connection.ts";
import { sha } from "./definitions.ts";

export type Provider = OAuthClientProvider;
export interface Attempt {
  state: string;
  /** Set once the server has said where to go. */
  url?: URL;
  verifier?: string;
  discovery?: OAuthDiscoveryState;
}
interface Kept {
  /** Of the definition that they are for: another address gets none of them. */
  for: string;
  client?: StoredOAuthClientInformation | undefined;
  tokens?: StoredOAuthTokens | undefined;
  discovery?: OAuthDiscoveryState | undefined;
  redirect?: string | undefined;
  /** What a server wanted that the tokens do not allow: to be asked for at the next sign-in. */
  scope?: string | undefined;
}
export interface Vault {
  read(): Promise<Kept>;
  change(what: Partial<Kept>): Promise<void>;
  forget(): Promise<void>;
  /** One after the other, of whatever connections of this person: only the first renewal with a token that is good for one succeeds. */
  renewing<T>(work: () => Promise<T>): Promise<T>;
}

/** Read, changed and written one after the other: tokens that were renewed in between are not lost. */
const writing = new WeakMap<Steward["secrets"], Lanes>();

/** Of one person at one server. */
export function vaultOf(steward: Steward, { name, person, url }: { name: string; person: string; url: string }): Vault {
  const key = `mcp.${name.toLowerCase().slice(0, 24)}.${sha(`${name}\0${person}`).slice(0, 24)}`;
  const place = sha(url);
  const read = async (): Promise<Kept> => {
    const text = await steward.secrets.get(key);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Kept);
    return kept?.for === place ? kept : { for: place };
  };
  const lanes = writing.get(steward.secrets) ?? new Map<string, Promise<void>>();
  writing.set(steward.secrets, lanes);
  const renewing: Vault["renewing"] = (work) => inLane(lanes, `${key} renewing`, work);
  return {
    read,
    change: (what) => inLane(lanes, key, async () => void (await steward.secrets.set(key, JSON.stringify({ ...(await read()), ...what })))),
    forget: () => renewing(() => inLane(lanes, key, () => steward.secrets.remove(key))), // after a renewal that is under way
    renewing,
  };
}

export interface ProviderOptions {
  name: string;
  vault: Vault;
  oauth: ServerConfig["oauth"];
  secret(name: string): Promise<string>;
  /** Set while a person signs in. Without one, the person is told to. */
  attempt?: Attempt;
  redirect: string;
  address: Address;
  /** The person has to sign in: whatever becomes of that in the client library. */
  missing?(): void;
}

/** As the client library asks for it. */
export async function providerOf({ name, vault, oauth, secret, attempt, redirect, address, missing }: ProviderOptions): Promise<Provider> {
  const kept = await vault.read();
  const issuer = (attempt ?? kept).discovery?.authorizationServerUrl;
  if (issuer !== undefined) address.declared(issuer);
  const clientSecret = oauth?.clientSecret ? await secret(oauth.clientSecret.secret) : undefined;
  const registered = oauth?.clientId?.startsWith("https://") ? undefined : oauth?.clientId;
  const wanted = (): StewardError => {
    missing?.();
    return signInNeeded(name);
  };
  const back = attempt ? redirect : (kept.redirect ?? redirect);
  return {
    redirectUrl: back,
    ...(oauth?.clientId?.startsWith("https://") ? { clientMetadataUrl: oauth.clientId } : {}),
    clientMetadata: {
      client_name: "Steward",
      redirect_uris: [back],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      ...(oauth?.scope ? { scope: oauth.scope } : {}),
    },
    state: () => attempt?.state ?? randomText(43),
    async clientInformation() {
      if (registered !== undefined)
        return { client_id: registered, ...(clientSecret === undefined ? {} : { client_secret: clientSecret }) };
      const { client, tokens, redirect: before } = await vault.read();
      if (!attempt && tokens === undefined) throw wanted(); // nothing is registered while nobody looks
      return attempt && before !== redirect ? undefined : client;
    },
    saveClientInformation: (client) => (registered === undefined ? vault.change({ client, redirect: back }) : undefined),
    tokens: async () => (await vault.read()).tokens,
    saveTokens: (tokens) => vault.change({ tokens, redirect: back, scope: undefined }),
    async redirectToAuthorization(url) {
      if (!attempt) {
        await vault.change({ scope: url.searchParams.get("scope") ?? undefined });
        throw wanted();
      }
      address.mayVisit(url);
      attempt.url = url;
    },
    saveCodeVerifier: (verifier) => void (attempt && (attempt.verifier = verifier)),
    codeVerifier: () => attempt?.verifier ?? "",
    async saveDiscoveryState(discovery) {
      if (attempt) attempt.discovery = discovery;
      await vault.change({ discovery });
    },
    discoveryState: async () => (attempt ? attempt.discovery : (await vault.read()).discovery),
    async invalidateCredentials(what) {
      if (what === "all" || what === "tokens") await vault.change({ tokens: undefined });
      if (what === "all" || what === "client") await vault.change({ client: undefined });
      if (what === "all" || what === "discovery") await vault.change({ discovery: undefined });
    },
  };
}

/** For a connection that nobody signs in by: a token that was refused is renewed, unless it has been meanwhile. */
export function renewed(mcp: Sdk, provider: Provider, { vault, address }: Pick<ProviderOptions, "vault" | "address">): AuthProvider {
  const token = async (): Promise<string | undefined> => (await provider.tokens())?.access_token;
  return {
    token,
    onUnauthorized: ({ response, serverUrl, fetchFn }) =>
      vault.renewing(async () => {
        const kept = await token();
        if (kept !== undefined && kept !== address.tokenOf(response)) return;
        await mcp.auth(provider, { serverUrl, fetchFn, ...mcp.extractWWWAuthenticateParams(response) });
      }),
  };
}

/** What a failure of a connection means for the person: to sign in, for the first time or to be let further in, or what it says. */
export async function signInOr(mcp: Sdk, error: unknown, { name, vault }: Pick<ProviderOptions, "name" | "vault">): Promise<unknown> {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++) {
    if (isSignIn(inner)) return inner;
    if (!(inner instanceof mcp.InsufficientScopeError)) continue;
    await vault.change({ scope: mcp.computeScopeUnion((await vault.read()).tokens?.scope, inner.requiredScope) });
    return signInNeeded(name);
  }
  return error;
}

export const isSignIn = (error: unknown): boolean => hasCode(error, "denied") && /sign in/.test(error.message);

export const signInNeeded = (name: string): StewardError =>
  new StewardError("denied", `The server ${name} wants you to sign in`, { hint: "Sign in on the page, under MCP servers." });

export interface Pending<T> {
  person: string;
  by: string;
  until: number;
  held: T;
}
export interface Attempts<T> {
  begin(who: { person: string; by: string }, held: (state: string) => Promise<T>): Promise<{ state: string; held: T }>;
  /** Taken once, by whoever began it; for all others there is none. */
  take(state: string, who: { person: string; by: string }): T;
}

const LIFE_MS = 10 * 60_000;
const MOST = 50;

export function openAttempts<T>(now: () => number): Attempts<T> {
  const pending = new Map<string, Pending<T>>();
  return {
    async begin(who, make) {
      for (const [state, { until }] of pending) if (until <= now()) pending.delete(state);
      const state = randomText(43);
      const held = await make(state);
      const oldest = pending.size >= MOST ? pending.keys().next().value : undefined;
      if (oldest !== undefined) pending.delete(oldest);
      pending.set(state, { ...who, until: now() + LIFE_MS, held });
      return { state, held };
    },
    take(state, { person, by }) {
      const found = pending.get(state);
      if (found === undefined || found.person !== person || found.by !== by || found.until <= now())
        throw new StewardError("not_found", "This sign-in was not begun here, or is over", {
          hint: "Begin again on the page, under MCP servers.",
        });
      pending.delete(state);
      return found.held;
    },
  };
}
