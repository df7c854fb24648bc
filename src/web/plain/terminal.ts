// The terminal line: commands in the session's shell, their output as it comes, questions answered, Ctrl-C, a restart.
import { addTo, at, field, make, pressable, submits } from "./dom.ts";
import type { Heard, Line } from "./line.ts";

const KEPT_CHARACTERS = 200_000;
const SECRET = /pass(word|phrase|code)|\bpin\b|secret|token/i;

export interface Terminal {
  heard: Heard;
  clear(): void;
}

export function openTerminal(line: () => Promise<Line>): Terminal {
  const [output, command, input] = [at("output"), field("command"), field("input")];
  const [stop, answer] = [pressable("stop"), at("answer")];
  const print = (text: string, className = ""): void => {
    addTo(output, className === "" ? text : make("span", { className }, text));
    while ((output.textContent?.length ?? 0) > KEPT_CHARACTERS && output.firstChild) output.firstChild.remove();
  };
  const state = { running: 0 };
  const quiet = (running = 0): void => {
    state.running = running;
    stop.disabled = running === 0;
    answer.hidden = true;
  };
  /** The next command may have been given before this one has ended. */
  const over = (): void => quiet(Math.max(0, state.running - 1));
  const said = (error: unknown): void => print(`${(error as Error).message}\n`, "bad");
  const type = (data: string): void =>
    void line()
      .then((one) => one.ask({ command: "vm_input", args: { data } }), said)
      .catch(said);
  submits(at("run"), () => {
    const text = command.value;
    if (text.trim() === "") return;
    command.value = "";
    print(`$ ${text}\n`, "note");
    line().then((one) => {
      state.running++;
      stop.disabled = false;
      one.send({ command: "vm_execute_stream", args: { command: text } });
    }, said);
  });
  submits(answer, () => {
    type(`${input.value}\n`);
    input.value = "";
    answer.hidden = true;
    command.focus();
  });
  stop.addEventListener("click", () => type("\u0003"));
  at("restart").addEventListener("click", () => {
    line()
      .then((one) => one.ask({ command: "restart_terminal" }))
      .then(() => print("(restarted)\n", "note"), said)
      .finally(() => quiet());
  });
  return {
    clear: () => (output.replaceChildren(), quiet()),
    heard: {
      text: (text) => print(text),
      failed: (message) => (said(new Error(message)), over()),
      ended: over,
      closed: () => quiet(),
      asked(prompt) {
        at("asked").textContent = prompt.trim() || "Input";
        input.type = SECRET.test(prompt) ? "password" : "text";
        answer.hidden = false;
        input.focus();
      },
    },
  };
}
