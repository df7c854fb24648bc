// A process of its own that lives one flow and is killed by SIGKILL at a commit: node kill-child.ts FLOW WHEN COMMIT HOME. FLOW is a number, or "tasks" for the first of those.
import { join } from "node:path";
import { sqlite } from "../src/stores/sqlite.ts";
import { mortal } from "../src/testing/mortal.ts";
import { flows, live } from "./crash-flows.ts";
import { taskFlows } from "./tasks-flows.ts";

const [flow, when, dieAt, home] = [
  process.argv[2] === "tasks" ? taskFlows[0] : flows[Number(process.argv[2])],
  process.argv[3],
  Number(process.argv[4]),
  process.argv[5]!,
];
const real = await sqlite(join(home, "steward.db"), { exclusive: true });
const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("killed");
};
let commits = 0;
const store = mortal(real, Infinity, "before");
await live(
  flow!,
  {
    ...store,
    async commit(change) {
      commits++;
      if (commits === dieAt && when === "before") die();
      const stored = await real.commit(change);
      if (commits === dieAt) die();
      return stored;
    },
  },
  { home, now: Date.now },
);
await real.close();
