// steward notices: what Steward told you, and how you want to be told.
import type { Answered } from "../../core/api.ts";
import type { Client } from "../../client/client.ts";
import { type Command, type Given, usageError } from "../command.ts";
import { withClient } from "../connect.ts";
import { DONE } from "../exit.ts";
import { dim, red } from "../output.ts";
import { moment } from "../words.ts";

type Run = (given: Given, client: Client) => Promise<number>;
type Change = { channels?: string[]; quiet?: { from: string; to: string } | null; urgentAlways?: boolean; escalateMinutes?: number };

export const notices: Command = {
  usage: [
    "notices [list] [--json]",
    "notices read [ID]",
    "notices prefer [--channels A,B] [--quiet 22:00-07:00|none] [--escalate MINUTES] [--urgent-always yes|no] [--json]",
  ],
  about:
    "What schedules, tasks, channels and programs told you beside conversations. prefer says by which channel it comes, when not, and how long an urgent one waits before it goes on to the next.",
  options: {
    channels: { value: "A,B", help: "prefer: channels, first choice first" },
    quiet: { value: "FROM-TO", help: "prefer: hours in which only urgent ones come, such as 22:00-07:00; none" },
    escalate: { value: "MINUTES", help: "prefer: how long an urgent one waits to be read" },
    "urgent-always": { value: "YES|NO", help: "prefer: whether urgent ones come in quiet hours" },
    json: { help: "as JSON" },
  },
  verbs: ["list", "read", "prefer"],
  examples: [
    ["steward notices", "the newest"],
    ["steward notices prefer --channels telegram --quiet 22:00-07:00", "by Telegram, not at night"],
    ["steward notices read", "all are read"],
  ],
  async run(given) {
    const [verb = "list", ...args] = given.args;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!run) throw usageError(`notices has no "${verb}"`, "steward help notices shows what it takes.");
    return withClient(given.host, (client) => run({ ...given, args }, client));
  },
};

const verbs: Record<string, Run> = {
  async list({ args, out, flags }, client) {
    if (args.length > 0) throw usageError("list takes nothing");
    const found = await client.call("notices.list");
    if (flags.has("json")) out.json(found);
    else if (found.notices.length === 0) out.line("Nothing was told.");
    else
      for (const { id, text, from, at, urgent, readAt, sent } of found.notices.slice(0, 50)) {
        const how = `${urgent ? red("urgent  ") : ""}${sent.length > 0 ? `by ${sent.join(", ")}` : "here only"}${readAt === undefined ? "" : ", read"}`;
        out.line(`${moment(at)}  ${from}  ${dim(`${how}  ${id}`)}`);
        out.line(`  ${text.replace(/\n/g, "\n  ")}`);
      }
    return DONE;
  },
  async read({ args, out }, client) {
    const [id, ...more] = args;
    if (more.length > 0) throw usageError("read takes one id, or nothing for all");
    if (id === undefined) await client.call("notices.readAll");
    else await client.call("notices.read", { params: { id } });
    out.line("Read.");
    return DONE;
  },
  async prefer({ args, out, flags }, client) {
    if (args.length > 0) throw usageError("prefer takes options only");
    const change = changeOf(flags);
    const now =
      Object.keys(change).length > 0
        ? await client.call("notices.prefer", { body: change })
        : (await client.call("notices.list")).preferences;
    if (flags.has("json")) out.json(now);
    else out.line(words(now));
    return DONE;
  },
};

function changeOf(flags: Given["flags"]): Change {
  const [channels, quiet, always] = [flags.text("channels"), flags.text("quiet"), flags.text("urgent-always")];
  const escalate = flags.number("escalate", { min: 1, max: 1440 });
  const hours = quiet === undefined || quiet === "none" ? undefined : /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(quiet);
  if (quiet !== undefined && quiet !== "none" && !hours) throw usageError("--quiet takes two times, such as 22:00-07:00, or none");
  if (always !== undefined && always !== "yes" && always !== "no") throw usageError("--urgent-always takes yes or no");
  return {
    ...(channels === undefined ? {} : { channels: channels.split(",").filter((name) => name !== "") }),
    ...(quiet === undefined ? {} : { quiet: hours ? { from: hours[1]!, to: hours[2]! } : null }),
    ...(escalate === undefined ? {} : { escalateMinutes: escalate }),
    ...(always === undefined ? {} : { urgentAlways: always === "yes" }),
  };
}

function words({ channels, quiet, urgentAlways, escalateMinutes }: Answered<"notices.prefer">): string {
  const order = channels.length > 0 ? `By ${channels.join(", then ")}.` : "By any channel in which you are paired.";
  const hours = quiet ? ` Quiet from ${quiet.from} to ${quiet.to}${urgentAlways ? ", but for urgent ones" : ""}.` : " No quiet hours.";
  return `${order}${hours} An urgent one goes on after ${escalateMinutes} minutes.`;
}
