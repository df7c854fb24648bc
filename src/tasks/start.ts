// Starts a task: document, session, brief and the job of its first turn are one commit.
import type { Commit } from "../core/store.ts";
import type { Principal } from "../core/types.ts";
import { seniorOf } from "../run/agents.ts";
import { breach, choiceOf } from "../run/choice.ts";
import { turnJob } from "../run/jobs.ts";
import { limited } from "../run/rights.ts";
import { ownDoc, sessionKey, type SessionDoc } from "../run/sessions.ts";
import type { Steward } from "../run/steward.ts";
import { taintKey } from "../run/taint.ts";
import { type NewTask, type TaskDoc, taskKey } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import { oneLine } from "../std/text.ts";
import { cleanName, cleanText, isOpen, nameFrom, named, personSaid, saidBy, taskDoc, treeOf } from "./docs.ts";
import { type Ear, earKey } from "./ears.ts";
import { refuseTooFar, type Sender } from "./limits.ts";
import { inOrder, refuseMore } from "./opening.ts";
import { joined } from "./telling.ts";

/** The turn that starts it. */
export interface Starter {
  session: string;
  turn: string;
  origin: NonNullable<TaskDoc["origin"]>;
  foreign?: string | undefined;
  hops: number;
  tainted: boolean;
}
export interface Order extends NewTask {
  from?: Starter;
  team?: string;
  /** Begin when they are spoken to, and end with it. */
  members?: (Pick<Order, "text" | "name" | "engine" | "model" | "budget" | "preface" | "channels"> & { may?: string[] | undefined })[];
  /** What it listens to from the beginning. */
  channels?: string[];
  /** What it is told before its text. */
  preface?: string;
  /** Another system, whose words the text is: data, under a key of their own. */
  caller?: { name: string; key: string };
  /** Documents that are written with it. */
  also?(lead: TaskDoc): Record<string, unknown>;
}

/** Durable when it resolves; the same key again is the same task. */
export async function startTask(steward: Steward, who: Principal, order: Order): Promise<TaskDoc> {
  const key = order.key ?? newId("key");
  const all = [order, ...(order.members ?? [])];
  const chosen = await Promise.all(all.map((one) => choiceFor(steward, who, { ...one, from: order.from, session: order.session })));
  const begun: { lead?: TaskDoc } = {};
  await inOrder(steward, who, async (there) => {
    begun.lead = there.find((one) => one.key === key);
    if (begun.lead) return undefined;
    const lead = (begun.lead = await made(steward, who, { order, all: there, key }));
    const docs = [lead, ...(order.members ?? []).map((member, at) => memberOf(steward, lead, { ...member, key: `${key}/${at}` }))];
    const parts = docs.map((doc, at) =>
      partOf(steward, { doc, order: { by: order.by, ...all[at]! }, from: order.from, chosen: chosen[at]! }),
    );
    const foreign = order.from?.tainted || order.caller !== undefined;
    const tainted = foreign ? Object.fromEntries(docs.map(({ session }) => [taintKey(session), true])) : {};
    return parts.reduce(joined, { put: { ...tainted, ...order.also?.(lead) } });
  });
  return begun.lead!;
}

type Chosen = Pick<SessionDoc, "engine" | "model" | "pin">;

/** As the session that starts it, unless something else is said; never against a pin. */
async function choiceFor(
  steward: Steward,
  who: Principal,
  { from, session, engine, model }: { from: Starter | undefined; session: string | undefined } & Pick<Order, "engine" | "model">,
): Promise<Chosen> {
  const senior = from?.session ?? session;
  const doc: Partial<SessionDoc> = senior === undefined ? {} : await ownDoc(steward, who, senior);
  if (engine) await steward.engine(engine);
  if (model) await steward.models.check(model);
  const choice = await choiceOf(steward, who, senior);
  const refused =
    engine || model ? await breach(steward, choice, { engine: engine ?? choice.engine, model: model ?? choice.model }) : undefined;
  if (refused) throw new StewardError(refused.code, refused.message, refused.hint ? { hint: refused.hint } : {});
  const wish: Chosen = { engine: engine ?? doc.engine ?? null, model: model ?? doc.model ?? null, pin: doc.pin ?? null };
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== null));
}

async function made(
  steward: Steward,
  who: Principal,
  { order, all, key }: { order: Order; all: TaskDoc[]; key: string },
): Promise<TaskDoc> {
  const { depth: deepest } = steward.settings.config().tasks;
  const { from } = order;
  const parent = from ? await parentOf(steward, who, from.session) : undefined;
  if (parent && !isOpen(parent)) throw new StewardError("denied", "A task that is over starts no others");
  const depth = (parent?.depth ?? 0) + 1;
  if (depth + (order.members ? 1 : 0) > deepest)
    throw new StewardError("limit", `Tasks start others at most ${deepest} deep`, { hint: "Do this yourself." });
  refuseMore(steward, all, 1 + (order.members?.length ?? 0));
  if (from) await refuseTooFar(steward, senderOf(who, from, parent), "started");
  const hops = (from?.hops ?? 0) + 1;
  const id = newId("tsk");
  const root = parent ? treeOf(parent) : (from?.session ?? id);
  const name = nameFor(
    order,
    all.filter((one) => one.root === root),
  );
  const foreign = from ? from.foreign : order.by === "a2a" ? id : undefined;
  const goesTo = from?.session ?? order.session;
  return {
    ...{ id, name, person: who.person, principal: { person: who.person, role: who.role, via: who.via }, by: order.by ?? "person" },
    ...{ session: newId("ses"), root, depth, hops, key, at: steward.now(), state: "open", upTo: 0, run: 0, told: 0 },
    ...(goesTo === undefined ? {} : { from: goesTo }),
    ...(parent ? { parent: parent.id } : {}),
    ...(from ? { origin: from.origin } : {}),
    ...(foreign === undefined ? {} : { foreign }),
    ...(order.budget ? { budget: order.budget } : {}),
    ...(order.team ? { team: order.team } : {}),
  };
}

const senderOf = (principal: Principal, { session, hops }: Starter, task: TaskDoc | undefined): Sender => ({
  ...{ principal, session, hops, name: task?.name ?? "Steward", root: task ? treeOf(task) : session },
});

function memberOf(
  steward: Steward,
  lead: TaskDoc,
  { name, may, budget, key }: NonNullable<Order["members"]>[number] & { key: string },
): TaskDoc {
  const { budget: _budget, ...shared } = lead;
  return {
    ...shared,
    ...{ id: newId("tsk"), name: cleanName(name ?? "member"), by: "agent", session: newId("ses"), root: lead.id, depth: lead.depth + 1 },
    ...{ from: lead.session, parent: lead.id, key, at: steward.now(), stays: true },
    ...(may ? { may } : {}),
    ...(budget ? { budget } : {}),
  };
}

async function parentOf(steward: Steward, who: Principal, session: string): Promise<TaskDoc | undefined> {
  const { task } = await ownDoc(steward, who, session);
  return task === undefined ? undefined : taskDoc(steward, who, task);
}

/** One that is given has to be free among those that are open; one that is found is numbered. */
function nameFor({ name: given, text, team }: Order, siblings: TaskDoc[]): string {
  const open = siblings.filter(isOpen);
  if (given !== undefined) {
    const name = cleanName(given);
    if (team === undefined && ["person", "lead", "parent"].includes(name.toLowerCase()))
      throw new StewardError("invalid", `${name} means somebody else: take another name`);
    if (named(open, name)) throw new StewardError("conflict", `Agent ${name} already exists`);
    return name;
  }
  const name = nameFrom(text);
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name} ${number}`;
    if (!named(siblings, numbered)) return numbered;
  }
}

interface Part {
  doc: TaskDoc;
  order: Pick<Order, "text" | "preface" | "channels" | "by" | "caller">;
  from: Starter | undefined;
  chosen: Chosen;
}

/** A member's first turn begins when it is spoken to. */
function partOf(steward: Steward, { doc, order, from, chosen }: Part): Commit {
  const { id, name, session, at, person, principal, hops } = doc;
  const { preface = "", channels = [], caller } = order;
  const text = cleanText(order.text);
  const own: SessionDoc = {
    id: session,
    title: name,
    createdAt: at,
    updatedAt: at,
    messages: 1,
    snippet: oneLine(text, 120),
    task: id,
    ...chosen,
  };
  const sender = from ? seniorOf(from.session) : order.by === "person" || order.by === undefined ? person : "agent:steward";
  const brief = preface === "" || caller ? preface || text : `${preface}\n\n${text}`;
  return {
    put: {
      [taskKey(person, id)]: doc,
      [sessionKey(person, session)]: own,
      ...(channels.length > 0 ? { [earKey(person, session)]: { channels, principal } satisfies Ear } : {}),
    },
    events: [
      { session, event: { type: "session.created", person, title: name } },
      { session, event: { ...personSaid(sender, brief, `task/${id}~${hops}`), ...limited(principal) } },
      ...(caller ? [{ session, event: { ...saidBy(caller.name, text, caller.key), ...limited(principal) } }] : []),
    ],
    ...(doc.stays ? {} : { jobs: [turnJob(session, principal)] }),
  };
}
