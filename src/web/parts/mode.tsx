// In which mode the owner's commands run, said honestly.
import type { VNode } from "preact";
import { call } from "../api.ts";
import { confirm, telling, toast } from "../notices.ts";
import { me } from "../people.ts";
import { Card } from "./load.tsx";

const modes = [
  {
    name: "contained",
    label: "Contained",
    about:
      "Commands run in a sandbox with a disk of their own. They do not see your files; what you upload is there. The safest, and too narrow to look after this computer.",
  },
  {
    name: "guarded",
    label: "Guarded",
    about:
      "Commands run on this computer inside the system's sandbox: they may read your home except the blocked paths, write in the workspace, and ask for anything beyond. File changes can be undone.",
  },
  {
    name: "full",
    label: "Full",
    about:
      "Commands run as you, without a sandbox. A mistake or a malicious text that the model reads can delete or send away anything that you can. Only changes by the file tools can be undone.",
  },
] as const;

export function ModeCard(): VNode {
  const choose = async (mode: (typeof modes)[number]): Promise<void> => {
    const before = me.value;
    if (!before || before.mode === mode.name) return;
    me.value = { ...before, mode: mode.name };
    const yes =
      mode.name !== "full" ||
      (await confirm({
        title: "Turn the sandbox off?",
        text: "In full mode nothing stands between the model and this machine. Web pages, e-mails and files that it reads can contain instructions meant for it. Steward warns you at each start while it is on.",
        action: "Turn on full mode",
        danger: true,
      }));
    const done = yes ? await telling(call("config.change", { body: { key: "computer.mode", value: mode.name } })) : undefined;
    if (!done) return void (me.value = before);
    if (done.restart) toast("This holds from the next start of Steward.");
    me.value = await call("me.get").catch(() => me.value);
  };
  return (
    <Card id="set-mode" title="Where commands run" about={<>Now: {me.value?.sandbox}</>}>
      <fieldset class="modes">
        <legend class="hidden">Mode</legend>
        {modes.map((mode) => (
          <label key={mode.name} class={`mode ${mode.name}`}>
            <input type="radio" name="mode" value={mode.name} checked={me.value?.mode === mode.name} onChange={() => void choose(mode)} />
            <span>
              <strong>{mode.label}</strong>
              <span class="about">{mode.about}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </Card>
  );
}
