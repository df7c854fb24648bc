// Background tasks on the Steward object.
import type { Principal } from "../core/types.ts";
import type { Steward } from "../run/steward.ts";
import { countMessage } from "../run/allowance.ts";
import { cancelTurn } from "../run/inbox.ts";
import { ownDoc } from "../run/sessions.ts";
import type { NewTask, Tasks } from "../run/tasks.ts";
import { StewardError } from "../std/error.ts";
import { newId } from "../std/id.ts";
import type { Work } from "../run/jobs.ts";
import { agentTools } from "./a2a-call.ts";
import { channelsOf, rowsOf, send } from "./bus.ts";
import { subscribe } from "./callbacks.ts";
import { resumeTask, stopTask, untilTrue } from "./control.ts";
import { isOpen, taskDoc } from "./docs.ts";
import { taskWork } from "./ends.ts";
import { handOf } from "./hand.ts";
import { startTask } from "./start.ts";
import { runTeam, teamsOf } from "./teams.ts";
import { info, listTasks } from "./view.ts";

/** For `steward.work`. */
export const taskKinds: Record<string, Work> = { task: taskWork };

export function openTasks(steward: () => Steward): Tasks {
  const told = async (who: Principal, id: string) => {
    const helper = isHelper(id) ? (await listTasks(steward(), who, {})).find((one) => one.id === id) : undefined;
    return helper ?? info(steward(), who, await taskDoc(steward(), who, id));
  };
  const tools = agentTools(steward);
  return {
    async start(who, task: NewTask) {
      countMessage(steward(), who);
      if (task.session !== undefined) await ownDoc(steward(), who, task.session);
      return told(who, (await startTask(steward(), who, task)).id);
    },
    list: (who, which = {}) => listTasks(steward(), who, which),
    get: told,
    async stop(who, id) {
      const one = steward();
      const { session } = await told(who, id);
      if (isHelper(id)) await cancelTurn(one, who, session);
      else await stopTask(one, who, { id, by: "the person" });
      return told(who, id);
    },
    async resume(who, id, more) {
      countMessage(steward(), who);
      await resumeTask(steward(), who, { id, ...more });
      return told(who, id);
    },
    async wait(who, id, signal) {
      await untilTrue(steward(), signal, async () => !isOpen(await taskDoc(steward(), who, id)));
      return told(who, id);
    },
    async send(who, { to, text, key = newId("key") }) {
      countMessage(steward(), who);
      return { to: await send(steward(), { principal: who, name: "person", hops: 0 }, { to, text, key }) };
    },
    channels: ({ person }) => channelsOf(steward(), person),
    async read({ person }, channel) {
      const rows = await rowsOf(steward(), person, channel);
      if (rows.length === 0) throw new StewardError("not_found", "Nothing was said on this channel");
      return rows;
    },
    subscribe: (who, channel, callback) => subscribe(steward(), who, { channel, callback }),
    teams: async () => teamsOf(steward()),
    async team(who, run) {
      countMessage(steward(), who);
      return told(who, (await runTeam(steward(), who, run)).id);
    },
    hand: (scope, call) => handOf(steward(), scope, call),
    tools: async (who) => tools(who),
    card: async (url) => (await import("./a2a-door.ts")).agentCard(steward(), url),
    answer: async (who, request) => (await import("./a2a-door.ts")).answerA2a(steward(), who, request),
  };
}

/** Helper agents go by their session. */
const isHelper = (id: string): boolean => id.startsWith("ses_");
