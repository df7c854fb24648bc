// All commands, and whether a message is one.
import type { CommandInfo } from "../core/api-commands.ts";
import { type Commands, LONGEST } from "../run/asides.ts";
import type { Steward } from "../run/steward.ts";
import { answered, answeredBefore, type Taken } from "./answered.ts";
import { engine, model, pin, provider, unpin } from "./answering.ts";
import { approve, deny } from "./answers.ts";
import { type Command, type Given, isOwner, nearest, type Place, typed } from "./command.ts";
import { cron } from "./cron.ts";
import { budget, helpOf, status, usage, usageOf, version } from "./facts.ts";
import { config, reload, withoutSecrets } from "./settings.ts";
import { clear, compact, fresh, sessions, stop, undo, whoami } from "./talk.ts";
import { subagents, tasks } from "./tasks.ts";

const help = helpOf(() => all);
const all: readonly Command[] = [
  ...[help, status, engine, model, provider, pin, unpin],
  ...[fresh, sessions, stop, undo, clear, compact, approve, deny],
  ...[subagents, tasks, cron, usage, budget, config, reload, whoami, version],
];
const names = all.map(({ name }) => name);

export function openCommands(steward: () => Steward): Commands {
  return {
    async take(scene, text) {
      const found = await take({ ...scene, steward: steward() }, text);
      // What it named may be gone by the time that it comes again: an answered question is no reason to tell it to the model.
      if (found === undefined && isNamed(text)) return answeredBefore(steward(), scene);
      return found && "run" in found ? answered(steward(), scene, found) : found;
    },
    async meant(scene, text) {
      const found = text.length > LONGEST ? undefined : await take({ ...scene, steward: steward() }, text);
      return found !== undefined && "run" in found;
    },
    async list(who) {
      const shown = all.filter(({ owner }) => !owner || isOwner(who));
      return Promise.all(
        shown.map(async ({ name, about, forms, owner = false, values }): Promise<CommandInfo> => ({
          ...{ name, about, forms, owner },
          values: (await values?.({ steward: steward(), who }).catch(() => [])) ?? [],
        })),
      );
    },
  };
}

function isNamed(text: string): boolean {
  const said = typed(text);
  return said !== undefined && "name" in said && names.includes(said.name);
}

/** What a message is, with nothing done yet. */
export async function take(place: Place, text: string): Promise<Taken | { literal: string } | undefined> {
  const said = typed(text);
  if (said === undefined || "literal" in said) return said;
  const { name, rest, slash } = said;
  const command = all.find((one) => one.name === name);
  if (!command) return slash ? told(text, unknownText(name)) : undefined;
  const given: Given = { rest, slash, words: rest === "" ? [] : rest.split(/\s+/) };
  const run = await command.read(given, place);
  if (run) return { text: withoutSecrets(text), run };
  return slash ? told(text, usageOf(command)) : undefined;
}

const told = (text: string, answer: string): Taken => ({ text: withoutSecrets(text), run: async () => ({ text: answer }) });

function unknownText(name: string): string {
  const meant = nearest(name, names);
  return `There is no command /${name}. ${meant ? `Did you mean /${meant}? ` : ""}/help lists them; // at the beginning sends a text with a slash to the model.`;
}
