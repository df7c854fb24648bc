// The tool for what is to be done later or again and again. What becomes of it is src/schedules.
import * as z from "zod/mini";
import type { Tool } from "../core/ports.ts";

const input = z.object({
  action: z.optional(z.enum(["add", "list", "cancel", "pause", "resume"])),
  when: z.optional(z.string()),
  prompt: z.optional(z.string()),
  remind: z.optional(z.string()),
  name: z.optional(z.string()),
  id: z.optional(z.string()),
});

const tools: Tool<z.infer<typeof input>>[] = [
  {
    name: "schedule_task",
    description:
      'Do something later or repeatedly. when: "tomorrow at 17:00", "every weekday at 9", "every 30 minutes", cron. prompt: what you then do; remind: text told to this person. id: for cancel, pause, resume.',
    capability: "none",
    effect: "write",
    input,
    run: async (given, { schedules }) => ({ output: await schedules(given) }),
  },
];
export default tools;
