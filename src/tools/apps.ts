// Starts, stops and finds applications on the person's desktop. How each system does it is in apps/; which apps are allowed is the gate's.
import * as z from "zod/mini";
import type { Tool, ToolContext } from "../core/ports.ts";
import { StewardError } from "../std/error.ts";
import type { Desktop } from "./apps/desktop.ts";
import { linuxDesktop } from "./apps/linux.ts";
import { macDesktop } from "./apps/macos.ts";

const desktopOf = (context: ToolContext): Desktop => (context.computer.platform === "darwin" ? macDesktop(context) : linuxDesktop(context));

/** Says what failed in front of why; a refusal is passed on as it is. */
async function using<T>(context: ToolContext, what: string, act: (desktop: Desktop) => Promise<T>): Promise<T> {
  try {
    return await act(desktopOf(context));
  } catch (error) {
    if (!(error instanceof StewardError) || error.code === "denied") throw error;
    const { code, message, hint } = error;
    throw new StewardError(code, `Failed to ${what}: ${message}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }
}

/** A path, or what a program would read as an option, is not a name: `open -a PATH` starts anything. */
function nameIn(app_name: string): string {
  const name = app_name.trim();
  if (name === "" || name.startsWith("-") || name.includes("/") || name.length > 200 || /\p{Cc}/u.test(name))
    throw new StewardError("invalid", "Not the name of an application");
  return name;
}

/** The name as it was given, and the application's own when it is another. */
const both = (given: string, own: string): string => (given.toLowerCase() === own.toLowerCase() ? given : `${given} (${own})`);

const named = z.object({ app_name: z.string() });
const launchApplication: Tool<z.infer<typeof named>> = {
  name: "launch_application",
  description: "Open an application on the person's desktop.",
  capability: "applications",
  effect: "write",
  input: named,
  async run({ app_name }, context) {
    const name = nameIn(app_name);
    return { output: `Launched ${both(name, await using(context, `launch ${name}`, (desktop) => desktop.launch(name)))}` };
  },
};

const quitInput = z.object({ app_name: z.string(), force: z._default(z.boolean(), false) });
const quitApplication: Tool<z.infer<typeof quitInput>> = {
  name: "quit_application",
  description: "Quit an application; force ends it without saving.",
  capability: "applications",
  effect: "write",
  input: quitInput,
  async run({ app_name, force }, context) {
    const name = nameIn(app_name);
    const own = await using(context, `quit ${name}`, (desktop) => desktop.quit(name, force));
    return { output: `${force ? "Force quit" : "Quit"} ${both(name, own)}` };
  },
};

const listRunningApps: Tool<Record<string, unknown>> = {
  name: "list_running_apps",
  description: "Names of the applications with windows.",
  capability: "applications",
  effect: "read",
  input: z.object({}),
  run: async (_, context) => ({ output: await using(context, "list apps", (desktop) => desktop.list()) }),
};

const activateApplication: Tool<z.infer<typeof named>> = {
  name: "activate_application",
  description: "Bring an application to the front.",
  capability: "applications",
  effect: "write",
  input: named,
  async run({ app_name }, context) {
    const name = nameIn(app_name);
    return { output: `Activated ${both(name, await using(context, `activate ${name}`, (desktop) => desktop.activate(name)))}` };
  },
};

const getAppInfo: Tool<z.infer<typeof named>> = {
  name: "get_app_info",
  description: "Where an application is, whether it runs, its windows.",
  capability: "applications",
  effect: "read",
  input: named,
  async run({ app_name }, context) {
    const name = nameIn(app_name);
    return { output: await using(context, `get information about ${name}`, (desktop) => desktop.info(name)) };
  },
};

export default [launchApplication, quitApplication, listRunningApps, activateApplication, getAppInfo] as Tool[];
