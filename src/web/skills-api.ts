// The calls of the pages about skills and identity.
import type { Answered, RouteName } from "../core/api.ts";
import { tarOf } from "../client/tar.ts";
import { StewardError } from "../std/error.ts";
import { request } from "./api.ts";
import { callsOf } from "./calls.ts";

export const skillPaths = {
  "skills.list": "GET /api/skills",
  "skills.get": "GET /api/skills/:id",
  "skills.make": "POST /api/skills",
  "skills.add": "POST /api/skills/archive",
  "skills.fetch": "POST /api/skills/repository",
  "skills.change": "PATCH /api/skills/:id",
  "skills.remove": "DELETE /api/skills/:id",
  "context.get": "GET /api/context",
  "identity.get": "GET /api/identity",
  "identity.put": "PUT /api/identity/:id",
  "identity.settle": "POST /api/identity/:id/waiting",
  "identity.preset": "POST /api/identity",
  "changes.list": "GET /api/changes",
} as const satisfies Partial<Record<RouteName, string>>;
export const callSkills = callsOf(skillPaths);

/** An archive, or the files of a folder that were chosen together. */
export async function sendSkill(files: File[], replace: boolean): Promise<Answered<"skills.add">> {
  const [first] = files;
  if (!first) throw new StewardError("invalid", "Nothing was chosen");
  const inFolder = first.webkitRelativePath !== "";
  const body = inFolder ? tarOf(await Promise.all(files.filter(wanted).map(packed))) : new Uint8Array(await first.arrayBuffer());
  const from = inFolder ? first.webkitRelativePath.split("/")[0]! : first.name;
  const [, path = ""] = skillPaths["skills.add"].split(" ");
  const search = new URLSearchParams({ from, ...(replace ? { replace: "1" } : {}) });
  const response = await request(`${path}?${search}`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body });
  return (await response.json()) as Answered<"skills.add">;
}

const wanted = ({ webkitRelativePath }: File): boolean => !/(?:^|\/)(?:\.git|\.DS_Store)(?:\/|$)/.test(webkitRelativePath);
const packed = async (file: File) => ({ path: file.webkitRelativePath, bytes: new Uint8Array(await file.arrayBuffer()) });

export type Skill = Answered<"skills.list">["skills"][number];
export type Shown = Answered<"skills.get">;
export type Identity = Answered<"identity.get">;
export type IdentityFile = Identity["files"][number];
export type OwnChange = Answered<"changes.list">["changes"][number];
export type Lines = NonNullable<OwnChange["diff"]>;
