// steward notify: tells the agent something in a program's name; it wakes and reacts.
import { type Command, usageError } from "../command.ts";
import { saysThatItWaits, sessionOf, withClient } from "../connect.ts";
import { DONE } from "../exit.ts";

export const notify: Command = {
  usage: ["notify TEXT [--session ID] [--json]", "notify TEXT --me [--urgent] [--person ID] [--json]"],
  about:
    "For scripts and timers: the agent is told, reacts, and you see both. It takes the text as a report of a program, never as your words. The same text within five seconds is told once. With --me it is you who is told, not the agent: by the channel that you prefer, and on Steward's page.",
  options: {
    session: { value: "ID", short: "s", help: "where; an id, its beginning or end, or current (your newest)" },
    me: { help: "tell you, not the agent" },
    urgent: { help: "with --me: also in quiet hours, and on to the next channel until you have read it" },
    person: { value: "ID", help: "with --me: somebody else (the owner only)" },
    json: { help: "as JSON" },
  },
  examples: [
    ['steward notify "The backup has finished"', "to the newest session"],
    ['make || steward notify "The build failed" -s current', "after a command"],
    ['steward notify "The cellar is wet" --me --urgent', "reaches you wherever you are"],
  ],
  async run({ host, args, flags, out }) {
    const message = args.join(" ");
    if (message.trim() === "") throw usageError("notify takes a text");
    return withClient(
      host,
      async (client, connection) => {
        if (flags.has("me")) {
          const person = flags.text("person");
          await client.call("notices.tell", {
            body: { text: message, urgent: flags.has("urgent"), ...(person === undefined ? {} : { person }) },
          });
          if (flags.has("json")) out.json({ told: person ?? "you" });
          else out.line("Told.");
          saysThatItWaits(out, connection);
          return DONE;
        }
        const typed = flags.text("session");
        const session = typed === undefined ? {} : { session: await sessionOf(client, typed) };
        const told = await client.call("notifications.send", { body: { message, ...session } });
        if (flags.has("json")) out.json(told);
        else out.line(`Told in session ${told.session}.`);
        saysThatItWaits(out, connection);
        return DONE;
      },
      false,
    );
  },
};
