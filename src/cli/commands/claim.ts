// steward claim: another one-time link into the page of the running Steward.
import type { Answered } from "../../core/api.ts";
import { StewardError } from "../../std/error.ts";
import type { Command } from "../command.ts";
import { DONE } from "../exit.ts";
import { ask } from "../local.ts";
import { dim } from "../output.ts";

export const claim: Command = {
  usage: ["claim [--json]"],
  about: "Prints a one-time link that lets a browser in as the owner, once and for ten minutes.",
  options: { json: { help: "as JSON" } },
  examples: [["steward claim", "a link for another browser"]],
  async run({ host, out, flags }) {
    const running = await host.running();
    if (!running) throw new StewardError("unavailable", "Steward is not running", { hint: "steward start starts it and prints a link." });
    const made = await ask<Answered<"claim.make">>(running, "/api/claim-link", { method: "POST", body: {} });
    if (flags.has("json")) out.json(made);
    else {
      out.note(dim("Works once, within ten minutes:"));
      out.line(made.url);
      if (made.plain !== undefined) out.note(dim(`Or for WebChat and the plain page: ${made.plain}`));
    }
    return DONE;
  },
};
