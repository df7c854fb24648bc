// Who a mail is from: an address counts only when the receiving server says that it was checked. And whether a person wrote it at all.
import type { Header } from "postal-mime";

export interface Trust {
  authserv: string;
  /** Whose Received lines are the provider's own, beside the authserv's: names of servers. */
  relays: string[];
  /** `from`: the address is believed as it stands, because no mail reaches this mailbox unchecked. */
  trust: "authserv" | "from";
}

/** The first of them: the server puts its own above what came. */
const first = (headers: Header[], key: string): string | undefined => headers.find((one) => one.key === key)?.value;
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** Also what is written to: nothing that could end a line or begin another address. */
export const isAddress = (text: string): boolean => ADDRESS.test(text) && !text.includes("..");
export const plainAddress = (text: string): string => text.trim().toLowerCase();

/** Undefined: nobody can know who wrote it, and why. */
export function senderOf(headers: Header[], from: string[], given: Trust): { address: string } | { why: string } {
  const written = headers.filter(({ key }) => key === "from");
  const [address = "", more] = from.map(plainAddress);
  if (written.length !== 1 || more !== undefined || !isAddress(address)) return { why: "it names no sender, or several" };
  if (given.trust === "from") return { address };
  const results = ownResults(headers, given);
  if ("why" in results) return results;
  return isChecked(results.checks, address.split("@")[1]!) ? { address } : { why: `${given.authserv} does not vouch for ${address}` };
}

/** The topmost of the receiving server; what stands below the line of a machine that is not the provider's came with the mail. */
function ownResults(headers: Header[], { authserv, relays }: Trust): { checks: Check[] } | { why: string } {
  const own = [authserv, ...relays].map(domainOf);
  const others: string[] = [];
  for (const { key, value } of headers) {
    if (key === "authentication-results") {
      const { server, checks } = resultsOf(value);
      if (server === authserv.toLowerCase()) return { checks };
      others.push(server);
    }
    const by = key === "received" ? (/(?:^|\s)by\s+([^\s;]+)/i.exec(bare(value))?.[1] ?? "").toLowerCase() : "";
    if (isInternal(by) || own.some((domain) => by === domain || by.endsWith(`.${domain}`))) continue;
    return {
      why: `it was received by ${shown(by)} above any Authentication-Results of ${authserv}; is that the provider's: name it in relays`,
    };
  }
  return { why: `no Authentication-Results of ${authserv}${others[0] ? `, but of ${shown(others[0])}` : ""}` };
}

const shown = (text: string): string => text.replace(/[^\w.:-]/g, "_").slice(0, 100);
/** Machines without a name of their own in the world: those within the provider. */
const isInternal = (host: string): boolean =>
  !host.includes(".") || /^\[|:|^[\d.]+$|\.(?:internal|local|localdomain|lan|localhost|home\.arpa)$/.test(host);

/** All servers of who has this one: mx.google.com is google.com's, mx.post.co.uk post.co.uk's. */
function domainOf(host: string): string {
  const labels = host.toLowerCase().split(".");
  return labels.slice(/^[a-z]{2}$/.test(labels.at(-1)!) && labels.length > 2 && labels.at(-2)!.length <= 3 ? -3 : -2).join(".");
}

interface Check {
  method: string;
  result: string;
  of: Map<string, string>;
}

/** DMARC decides; where the domain has no policy, a passed SPF or DKIM for that very domain, or one above it. */
function isChecked(checks: Check[], domain: string): boolean {
  const dmarc = checks.filter(({ method }) => method === "dmarc");
  if (dmarc.length > 1) return false;
  const [policy] = dmarc;
  if (policy?.result === "pass") return (policy.of.get("header.from") ?? domain) === domain;
  if (policy && policy.result !== "none") return false;
  return checks.some(({ method, result, of }) => {
    if (result !== "pass") return false;
    if (method === "dkim") return covers(of.get("header.d") ?? afterAt(of.get("header.i")), domain);
    return method === "spf" && covers(afterAt(of.get("smtp.mailfrom")), domain);
  });
}

const afterAt = (text = ""): string => text.slice(text.lastIndexOf("@") + 1);
const covers = (checked: string, domain: string): boolean =>
  checked.includes(".") && (checked === domain || domain.endsWith(`.${checked}`));

function resultsOf(value: string): { server: string; checks: Check[] } {
  const [server = "", ...parts] = bare(value).toLowerCase().split(";");
  const checks = parts.flatMap((part): Check[] => {
    const [, method, result] = /^\s*([a-z0-9-]+)(?:\/\d+)?\s*=\s*([a-z]+)(?=\s|$)/.exec(part) ?? [];
    if (method === undefined || result === undefined) return [];
    return [{ method, result, of: new Map([...part.matchAll(/\s([a-z]+\.[a-z-]+)\s*=\s*(\S+)/g)].map(([, key, of]) => [key!, of!])) }];
  });
  return { server: server.trim().split(/\s/)[0]!, checks };
}

/** Without comments; what stands in quotes can't look like anything else. */
function bare(value: string): string {
  let [out, depth, quoted] = ["", 0, false];
  for (let at = 0; at < value.length; at++) {
    const char = value[at]!;
    if (char === "\\") {
      at++;
      if (depth === 0) out += "_";
    } else if (char === '"' && depth === 0) quoted = !quoted;
    else if (quoted) out += /[\w.@+-]/.test(char) ? char : "_";
    else if (char === "(") depth++;
    else if (char === ")") depth = Math.max(0, depth - 1);
    else if (depth === 0) out += char;
  }
  return out;
}

/** Written by a program, to nobody, or to many. */
export function isAutomatic(headers: Header[], from: string): boolean {
  const value = (key: string): string => (first(headers, key) ?? "").trim().toLowerCase();
  const auto = value("auto-submitted");
  return (
    (auto !== "" && !/^no\b/.test(auto)) ||
    /^(bulk|list|junk)\b/.test(value("precedence")) ||
    ["list-id", "list-unsubscribe", "list-post", "x-autoreply", "x-autorespond", "x-loop", "feedback-id"].some(
      (key) => value(key) !== "",
    ) ||
    value("return-path") === "<>" ||
    value("content-type").startsWith("multipart/report") ||
    /^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)([+@-]|$)/.test(from)
  );
}
