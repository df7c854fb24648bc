// A whole Steward with an engine of its own that is a program, and workplaces of turns that were made by hand.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compose, type Composed } from "../src/compose.ts";
import type { Principal } from "../src/core/types.ts";
import type { ProgramNeed } from "../src/core/workplace.ts";
import { openWorkplace, type OpenWorkplace, type WorkplaceOrder } from "../src/run/workplace.ts";
import { OWNER, temporary } from "./harness.ts";

export const NEED: ProgramNeed = {
  name: "parrot",
  package: "parrot-agent",
  version: "1.2.3",
  bin: "parrot",
  about: "A bird that repeats",
  licence: "MIT",
};

export interface StewardPlace extends Composed {
  home: string;
  /** A workplace for a turn of its own. */
  place(how?: { who?: Principal; signal?: AbortSignal; engine?: string; call?: WorkplaceOrder["call"] }): Promise<OpenWorkplace>;
}

export async function stewardPlace(config: Record<string, unknown>, home: string = temporary()): Promise<StewardPlace> {
  mkdirSync(join(home, "adapters/engines"), { recursive: true });
  const kind = `const config = { safeParse: (data) => ({ success: true, data }) };
export default { name: "parrot", config, programs: () => [${JSON.stringify(NEED)}], open: () => ({ name: "parrot", run: async () => ({ stop: "done", seen: 0 }) }) };
`;
  writeFileSync(join(home, "adapters/engines/parrot.mjs"), kind);
  // Commands see this folder as the owner's home.
  const own = join(home, "person");
  mkdirSync(join(own, "workspace"), { recursive: true });
  const env = { HOME: own, PATH: process.env["PATH"], STEWARD_KEYCHAIN: "off", STEWARD_CANARY: "canary-of-the-server" };
  const overrides = { workspace: join(own, "workspace"), "server.port": 0, ...config };
  const composed = await compose({ home, env, version: "0.0.0", auto: false, overrides });
  const count = { turns: 0 };
  return {
    ...composed,
    home,
    place({ who = OWNER, signal = new AbortController().signal, engine = "parrot", call = succeeds } = {}) {
      const turn = `trn_${++count.turns}`;
      const scope = { principal: who, session: "ses_1", turn, signal, log: async () => [], emit: async () => {}, live: () => {} };
      const meter = async () => ({ settle: async () => {} });
      return openWorkplace(composed.steward, { scope, engine, model: "builtin/rules", meter, tools: [], call });
    },
  };
}

const succeeds: WorkplaceOrder["call"] = async () => ({ success: true, output: null, error: null });

/** Puts a program where one that was brought from npm lies. */
export function plant(folder: string, script: string, version: string = NEED.version): void {
  const at = join(folder, NEED.name, version);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "parrot"), script, { mode: 0o755 });
  writeFileSync(join(at, "program.json"), JSON.stringify({ package: NEED.package, version, start: "parrot" }));
}
