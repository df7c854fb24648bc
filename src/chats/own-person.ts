// Persons that come into being by a chat: somebody let in without being anybody else's account, and rooms, which are guests with a memory and a computer of their own.
import { createHash } from "node:crypto";
import { goneKey, type Person, personKey, personOf } from "../run/persons.ts";
import type { Steward } from "../run/steward.ts";
import { oneLine, visible } from "../std/text.ts";

/** No invited person and nobody who came by name has such an id. */
const BEFORE = "chat_";
export const isOfChat = (id: string): boolean => id.startsWith(BEFORE);

/** The same place leads to the same person. Always a guest at first. */
export async function ensureChatPerson(
  steward: Steward,
  { channel, id, name }: { channel: string; id: string; name: string },
): Promise<Person> {
  const hash = createHash("sha256")
    .update(JSON.stringify([channel, id]))
    .digest("hex")
    .slice(0, 20);
  const person = await unused(steward, `${BEFORE}${hash}`);
  const known = await personOf(steward, person);
  if (known) return known;
  const at = steward.now();
  const made: Person = {
    id: person,
    name: oneLine(visible(name), 60) || `Somebody at ${channel}`,
    role: "guest",
    createdAt: at,
    seenAt: at,
    computer: person.replace("_", "."),
  };
  await steward.store.commit({ once: `person/${person}`, put: { [personKey(person)]: made } });
  return (await personOf(steward, person)) ?? made;
}

/** An id is given once: who was removed and comes again is somebody else. */
async function unused({ store }: Steward, base: string): Promise<string> {
  for (let n = 1; ; n++) {
    const id = n === 1 ? base : `${base}_${n}`;
    if (!(await store.get(goneKey(id)))) return id;
  }
}
