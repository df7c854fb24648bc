// TWIZZY's status of the agent: asked for by REST, and sent over its socket after each reply.
import type { Answered } from "../core/api.ts";
import type { Principal } from "../core/types.ts";
import { currentSession, sessionDoc } from "../run/sessions.ts";
import { modeOf, type Steward } from "../run/steward.ts";

export async function capabilityStatus(steward: Steward, who: Principal): Promise<Answered<"status.get">> {
  const id = await currentSession(steward, who);
  const doc = await sessionDoc(steward, who, id);
  const tools = await steward.tools();
  const switches = Object.entries(steward.permissions.read().capabilities);
  const { file, command, app } = steward.caches;
  return {
    running: true,
    conversation_id: id,
    enabled_capabilities: switches.filter(([, { enabled }]) => enabled).map(([name]) => name),
    registered_plugins: [...new Set(tools.map(({ capability }) => capability).filter((capability) => capability !== "none"))],
    conversation_length: doc.messages,
    cache_stats: { file_cache: file.stats(), command_cache: command.stats(), app_cache: app.stats() },
    recent_errors: steward.breakers.list().reduce((sum, { failures }) => sum + failures, 0),
    model: steward.models.current(doc.model ? { model: doc.model } : {}),
    engine: doc.engine || steward.settings.config().runtime.engine,
    mode: modeOf(steward, who),
    sandbox: await steward.sandbox(),
    version: steward.version,
  };
}
