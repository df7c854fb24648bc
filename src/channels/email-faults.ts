// What the refusals of mail servers and a broken network mean for Steward.
import { messageOf, StewardError } from "../std/error.ts";

const hintOf = (name: string): string =>
  `Most providers want a password made for one program (“app password”), and IMAP turned on in their settings. Set it: steward channels set ${name} password.`;
const WAIT_MS = 60_000;

interface Told {
  code?: string;
  responseCode?: number;
  response?: string;
  authenticationFailed?: boolean;
  serverResponseCode?: string;
  responseText?: string;
}
const told = (error: unknown): Told => (typeof error === "object" && error !== null ? error : {});
const short = (text: string): string => text.replace(/\s+/g, " ").slice(0, 300);

const refused = (name: string): StewardError =>
  new StewardError("denied", "The mail server refuses the address or its password", { hint: hintOf(name) });

/** Of the server where mails come in: only asked, so nothing is lost. `name`: of the channel. */
export function imapFault(error: unknown, name: string): StewardError {
  if (error instanceof StewardError) return error;
  const { authenticationFailed, serverResponseCode, responseText } = told(error);
  if (authenticationFailed && !/^(UNAVAILABLE|INUSE|SERVERBUG|LIMIT)$/.test(serverResponseCode ?? "")) return refused(name);
  if (/^(NONEXISTENT|TRYCREATE)$/.test(serverResponseCode ?? ""))
    return new StewardError("invalid", `The mailbox has no such folder: ${short(responseText ?? "")}`);
  return new StewardError("unavailable", `The mailbox can't be reached: ${short(responseText ?? messageOf(error))}`);
}

/** Of the server that takes mails: what it answered is certain; without an answer only that which never left. */
export function smtpFault(error: unknown, { name, left }: { name: string; left: boolean }): unknown {
  if (error instanceof StewardError) return error;
  const { code, responseCode: status, response } = told(error);
  const said = short(response ?? messageOf(error));
  if (status === undefined || status < 400) {
    if (left) return error;
    if (code === "EMESSAGE") return new StewardError("limit", `The mail server takes no mail of this size: ${said}`);
    return new StewardError("unavailable", `The mail server can't be reached: ${said}`);
  }
  if (status < 500) return new StewardError("unavailable", `The mail server asks to wait: ${said}`, { retryAt: Date.now() + WAIT_MS });
  if (code === "EAUTH" || status === 530 || status === 535) return refused(name);
  if (status === 552 || status === 523) return new StewardError("limit", `The mail server takes no mail of this size: ${said}`);
  return new StewardError("invalid", `The mail server refuses this mail: ${said}`);
}

/** Before any mail was begun: only a refused password is not waited out. */
export function signInFault(error: unknown, name: string): StewardError {
  if (told(error).code === "ETLS")
    return new StewardError("unavailable", "The mail server does not encrypt at this port, so no password is sent to it", {
      hint: `channels.${name}.smtpPort is 465 or 587 at most providers.`,
    });
  const fault = smtpFault(error, { name, left: false });
  return fault instanceof StewardError && (fault.code === "denied" || fault.code === "unavailable")
    ? fault
    : new StewardError("unavailable", `The mail server can't be used: ${short(messageOf(error))}`);
}
