// Routes about a person's skills, and about what a turn sends.
import * as z from "zod/mini";
import { count, id, type Route, text, time } from "./api-shapes.ts";

const state = z.enum(["enabled", "disabled", "new", "changed", "blocked", "invalid"]);
export const skill = z.object({
  /** "source:name". */
  id: text,
  name: text,
  /** workspace: a folder there. person: added by you. bundled: comes with Steward. The first wins when two have one name. */
  source: z.enum(["workspace", "person", "bundled"]),
  /** new and changed wait for you; blocked asks for what no skill may; invalid can't be read. Only enabled ones are told to the model. */
  state,
  /** Another of the same name is used instead. */
  hidden: z.boolean(),
  description: text,
  by: z.enum(["you", "agent", "steward"]),
  /** Where it came from, with the commit of a repository. */
  from: z.optional(text),
  at: z.optional(time),
  /** Of all its files. */
  hash: text,
  problems: z.array(text),
  files: z.array(z.object({ path: text, size: count, exec: z.boolean(), changed: z.boolean() })),
});
const line = z.object({ kind: z.enum(["same", "out", "in"]), text });
export type DiffLine = z.infer<typeof line>;
export const diff = z.array(line);
const shown = z.object({
  skill,
  /** SKILL.md as it is now, against what was accepted before. */
  text,
  diff,
  /** Its other files that are text, by path, as `hash` has them. */
  texts: z.record(text, text),
  license: z.optional(text),
  compatibility: z.optional(text),
  /** Tools that it names; what acts beyond them asks. */
  tools: z.optional(z.array(text)),
  metadata: z.record(text, text),
});
const name = text.check(z.regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, "must be a–z, 0–9 and single hyphens"), z.maxLength(64));
const flag = z.enum(["0", "1"]);
const sha256 = text.check(z.regex(/^[0-9a-fA-F]{64}$/, "must be 64 hexadecimal digits"));
const how = { name: z.optional(name), replace: z.optional(flag), enabled: z.optional(flag) };

export const skillRoutes = {
  "skills.list": {
    method: "GET",
    path: "/api/skills",
    right: "self",
    summary: "Your skills and the state of each.",
    response: z.object({ skills: z.array(skill) }),
  },
  "skills.get": {
    method: "GET",
    path: "/api/skills/:id",
    right: "self",
    summary: "A skill by its id or name: its text, its files, what changed.",
    response: shown,
  },
  "skills.make": {
    method: "POST",
    path: "/api/skills",
    right: "self",
    summary: "Writes a new skill: for the owner in the workspace.",
    body: z.strictObject({
      name,
      description: text.check(z.minLength(1), z.maxLength(1024)),
      body: z.optional(text.check(z.maxLength(100_000))),
    }),
    response: z.object({ skill }),
  },
  "skills.add": {
    method: "POST",
    path: "/api/skills/archive",
    right: "self",
    summary:
      "Adds a skill from a .zip, .tar or .tar.gz, pinned by its hash; nothing of it is run. from: how the archive is called. check=1: only says what is wrong. sha256: what the archive's must be, looked at before it is unpacked.",
    query: z.strictObject({ ...how, from: z.optional(text.check(z.maxLength(300))), check: z.optional(flag), sha256: z.optional(sha256) }),
    response: z.object({ name: text, problems: z.array(text), skill: z.optional(skill) }),
    raw: "upload",
  },
  "skills.fetch": {
    method: "POST",
    path: "/api/skills/repository",
    right: "owner",
    summary: "Adds a skill from a git repository: an https address, or an absolute path of this machine. ref: a branch, tag or commit.",
    body: z.strictObject({ url: text.check(z.minLength(1), z.maxLength(2000)), ref: z.optional(text.check(z.maxLength(200))), ...how }),
    response: z.object({ skill, commit: text }),
  },
  "skills.change": {
    method: "PATCH",
    path: "/api/skills/:id",
    right: "self",
    summary: "Turns a skill on or off. What is new or changed is turned on with the hash that was seen.",
    body: z.strictObject({ enabled: z.boolean(), hash: z.optional(text.check(z.maxLength(100))) }),
    response: z.object({ skill }),
  },
  "skills.remove": {
    method: "DELETE",
    path: "/api/skills/:id",
    right: "self",
    summary: "Takes a skill away; kept for undo.",
    response: z.object({ success: z.literal(true), undo: text }),
  },
  "context.get": {
    method: "GET",
    path: "/api/context",
    right: "self",
    summary: "What a turn of a session, or of a new one, would send now, part by part, in tokens.",
    query: z.strictObject({ session: z.optional(id) }),
    response: z.object({
      engine: text,
      model: text,
      parts: z.array(
        z.object({ name: text, kind: z.enum(["instructions", "tools", "history", "attachments"]), tokens: count, text: z.optional(text) }),
      ),
      tools: z.array(z.object({ name: text, tokens: count })),
      tokens: count,
      window: count,
    }),
  },
} as const satisfies Record<string, Route>;
export type SkillInfo = z.infer<typeof skill>;
