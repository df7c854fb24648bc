// Routes about notices to people. What they mean is src/notices.
import type { RouteName } from "../../core/api.ts";
import { noticesOf, type Preferences, preferencesOf, reachOf, readAll, readNotice, setPreferences } from "../../notices/notices.ts";
import { personOf } from "../../run/persons.ts";
import { StewardError } from "../../std/error.ts";
import { newId } from "../../std/id.ts";
import type { Handlers } from "../table.ts";

type Names = Exclude<Extract<RouteName, `notices.${string}`>, "notices.stream">;

const shown = ({ quiet, ...more }: Preferences) => ({ ...more, quiet: quiet ?? null });

export const notices = {
  "notices.list": async ({ steward, who: { person } }) => ({
    notices: (await noticesOf(steward, person)).map(({ not: _not, ...notice }) => notice),
    preferences: shown(await preferencesOf(steward, person)),
    ...(await reachOf(steward, person)),
  }),
  "notices.tell": async ({ steward, who, body: { text, urgent = false, person = who.person, key = newId("key") } }) => {
    if (person !== who.person && who.role !== "owner") throw new StewardError("denied", "Only the owner may tell others");
    if (!(await personOf(steward, person)))
      throw new StewardError("not_found", "There is no such person", { hint: "steward people list shows who is here." });
    await steward.notices.tell(person, { text, key: `${who.person}/${key}`, from: "Note", urgent });
    return { success: true };
  },
  "notices.read": async ({ steward, who, id }) => {
    await readNotice(steward, who.person, id);
    return { success: true };
  },
  "notices.readAll": async ({ steward, who }) => {
    await readAll(steward, who.person);
    return { success: true };
  },
  "notices.prefer": async ({ steward, who, body: { channels, quiet, urgentAlways, escalateMinutes } }) =>
    shown(
      await setPreferences(steward, who.person, {
        ...(channels === undefined ? {} : { channels }),
        ...(quiet === undefined ? {} : { quiet: quiet ?? undefined }),
        ...(urgentAlways === undefined ? {} : { urgentAlways }),
        ...(escalateMinutes === undefined ? {} : { escalateMinutes }),
      }),
    ),
} satisfies Pick<Handlers, Names>;
