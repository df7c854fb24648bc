// Commands that only tell: status, usage, budget, version, help.
import { openAsks } from "../run/asks.ts";
import type { Reply } from "../run/asides.ts";
import { choiceOf } from "../run/choice.ts";
import { resting } from "../run/failover.ts";
import { listSessions, sessionDoc } from "../run/sessions.ts";
import { modeOf, zoneOf } from "../run/steward.ts";
import { dateText } from "../core/history.ts";
import { StewardError } from "../std/error.ts";
import { alone, type Command, FOR, isOwner, list, nearest, type Place, whoAnswers } from "./command.ts";
import { span } from "./words.ts";

export const status: Command = {
  name: "status",
  about: "How things stand",
  forms: [{ text: "status", about: "engine, model, pins, doors, what runs and what waits" }],
  read: alone(async (place) => {
    const { steward, who, session } = place;
    const [choice, rests, asks, doc] = await Promise.all([
      choiceOf(steward, who, session),
      resting(steward),
      openAsks(steward, who),
      sessionDoc(steward, who, session),
    ]);
    const { total } = await listSessions(steward, who, { limit: 1 });
    const why =
      choice.from.engine === choice.from.model
        ? FOR[choice.from.model]
        : `engine ${FOR[choice.from.engine]}, model ${FOR[choice.from.model]}`;
    const until = rests.map(({ model, until, why: reason }) => `${model} until ${dateText(until, zoneOf(steward))} (${reason})`);
    return list([
      `Answers: ${whoAnswers(choice)} (${why})`,
      ...(until.length > 0 ? [`Resting: ${until.join("; ")}`] : []),
      `This session: ${doc.running ? "a turn is running" : "nothing is running"}; ${total} sessions in all`,
      ...(asks.length > 0 ? [`Waiting for your answer: ${asks.length} (/approve)`] : []),
      `Your commands run ${modeOf(steward, who)}`,
      `Doors: ${doorsOf(place).join(", ")}`,
      `Steward ${steward.version}, up for ${span(process.uptime() * 1000)}`,
      ...(isOwner(who) && steward.settings.problem() ? [steward.settings.problem()!] : []),
    ]);
  }),
};

function doorsOf({ steward, who }: Place): string[] {
  const { server, osAgent, webchat } = steward.settings.config();
  const at = (host: string, port: number): string => (isOwner(who) ? ` (${host}:${port})` : "");
  return [
    `page${at(server.host, server.port)}`,
    ...(osAgent.enabled ? [`OS-Agent${at(osAgent.host, osAgent.port)}`] : []),
    ...(webchat.enabled ? [`WebChat${at(webchat.host, webchat.port)}`] : []),
    ...Object.keys(steward.channels),
  ];
}

export const usage: Command = {
  name: "usage",
  about: "What was used and what it cost",
  forms: [{ text: "usage", about: "requests, tokens and cost of today, this month and in all" }],
  read: alone(({ steward, who }) => steward.money.text(who)),
};

export const budget: Command = {
  name: "budget",
  about: "The ceilings of what you may spend",
  forms: [{ text: "budget", about: "of the day, the month, a session, a turn" }],
  read: alone(({ steward, who }) => {
    const { person, people, day, month, unattendedTurn } = steward.settings.config().budget;
    const own = { ...person, ...people[who.person] };
    const lines = [
      ...Object.entries(own).flatMap(([name, dollars]) => (dollars === undefined ? [] : [`You, a ${name}: ${money(dollars)}`])),
      ...(day === undefined ? [] : [`Everybody together, a day: ${money(day)}`]),
      ...(month === undefined ? [] : [`Everybody together, a month: ${money(month)}`]),
      `A turn with nobody there: ${money(unattendedTurn)}`,
    ];
    return `${list(lines)}\n\n${isOwner(who) ? "The settings page changes them, or /config set budget.… at the page." : "The owner changes them."}`;
  }),
};

const money = (dollars: number): string => `$${dollars.toFixed(2)}`;

export const version: Command = {
  name: "version",
  about: "Which Steward this is",
  forms: [{ text: "version", about: "its version, and what it runs on" }],
  read: alone(({ steward }) => `Steward ${steward.version}, Node ${process.versions.node}, ${process.platform}.`),
};

/** `all`: asked when it is needed, since help is one of them. */
export const helpOf = (all: () => readonly Command[]): Command => ({
  name: "help",
  about: "All commands",
  forms: [
    { text: "help", about: "this list" },
    { text: "help COMMAND", about: "the forms of one" },
  ],
  values: async () => all().map(({ name }) => name),
  read({ words: [given, ...more], slash }, { who }): (() => Promise<Reply>) | undefined {
    const name = given?.toLowerCase().replace(/^\//, "");
    const one = all().find((command) => command.name === name);
    if (more.length > 0 || (name !== undefined && !one && !slash)) return undefined;
    return async () => {
      if (name === undefined) return { text: overview(all(), isOwner(who)) };
      if (one) return { text: usageOf(one) };
      const meant = nearest(
        name,
        all().map((command) => command.name),
      );
      throw new StewardError("not_found", `There is no command ${name}`, { hint: meant ? `Did you mean /${meant}?` : "/help lists them." });
    };
  },
});

const overview = (all: readonly Command[], owner: boolean): string =>
  [
    list(all.filter((command) => owner || !command.owner).map(({ name, about }) => `/${name} – ${about}`)),
    "Each also works without the slash, when nothing else stands in the message. /help COMMAND tells the forms; a text that begins with // goes to the model with one slash.",
  ].join("\n\n");

export const usageOf = ({ name, about, forms, owner }: Command): string =>
  [`/${name}: ${about}${owner ? " (the owner only)" : ""}.`, list(forms.map((form) => `/${form.text} – ${form.about}`))].join("\n\n");
