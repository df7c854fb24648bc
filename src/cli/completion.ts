// Completion scripts for bash, zsh and fish, written from the table of commands.
import { type Entry, everywhere, type Option } from "./command.ts";

type Commands = Record<string, Entry>;
interface Known {
  name: string;
  summary: string;
  verbs: string[];
  options: [name: string, option: Option][];
}

async function known(commands: Commands): Promise<Known[]> {
  const each = Object.entries(commands).map(async ([name, { summary, load }]) => {
    const { verbs = [], options } = await load();
    return {
      name,
      summary,
      verbs: name === "help" ? Object.keys(commands) : verbs,
      options: Object.entries({ ...options, ...everywhere }),
    };
  });
  return Promise.all(each);
}

const longs = ({ options }: Known): string => options.map(([name]) => `--${name}`).join(" ");
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** Options whose value is a file or folder. */
const isPath = ({ value }: Option): boolean => value === "FILE" || value === "DIR";
const pathOptions = (all: Known[]): string =>
  [...new Set(all.flatMap(({ options }) => options.filter(([, option]) => isPath(option)).map(([name]) => `--${name}`)))].join("|");
const valueOptions = (all: Known[]): string =>
  [
    ...new Set(all.flatMap(({ options }) => options.filter(([, option]) => option.value && !isPath(option)).map(([name]) => `--${name}`))),
  ].join("|");

export const scripts: Record<string, (commands: Commands) => Promise<string>> = {
  async bash(commands) {
    const all = await known(commands);
    const cases = all.map((one) => `    ${one.name}) options="${longs(one)}" verbs="${one.verbs.join(" ")}" ;;`);
    return `# Completion of steward for bash.
_steward() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= verb= options= verbs= i
  COMPREPLY=()
  case $before in
    ${pathOptions(all)}) compopt -o default; return ;;
    ${valueOptions(all)}) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${pathOptions(all)}) ((i++)) ;;
      -*) ;;
      *) if [ -z "$command" ]; then command=\${COMP_WORDS[i]}; else verb=\${COMP_WORDS[i]}; fi ;;
    esac
  done
  case $command in
    '') COMPREPLY=($(compgen -W "${all.map(({ name }) => name).join(" ")} --help --version --home" -- "$word")); return ;;
${cases.join("\n")}
    *) return ;;
  esac
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ -z "$verb" ]; then COMPREPLY=($(compgen -W "$verbs" -- "$word")); fi
}
complete -F _steward steward
`;
  },
  async zsh(commands) {
    const all = await known(commands);
    const option = ([name, { short, value, help }]: [string, Option]): string => {
      const text = help.replaceAll(/[[\]:]/g, " ");
      const after = value ? `:${value}:${isPath({ value, help }) ? "_files" : " "}` : "";
      return [`--${name}`, ...(short ? [`-${short}`] : [])].map((flag) => quoted(`${flag}[${text}]${after}`)).join(" ");
    };
    const cases = all.map(
      (one) =>
        `        ${one.name}) _arguments ${one.options.map(option).join(" ")} ${one.verbs.length > 0 ? quoted(`1: :(${one.verbs.join(" ")})`) : ""} '*: :_default' ;;`,
    );
    return `#compdef steward
# Completion of steward for zsh.
_steward() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '--help[help]' '--version[the version]' '--home[Steward home]:DIR:_files -/' '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a names
      names=(${all.map(({ name, summary }) => quoted(`${name}:${summary.replaceAll(":", " ")}`)).join(" ")})
      _describe command names ;;
    rest)
      case $words[1] in
${cases.join("\n")}
      esac ;;
  esac
}
if [ "$funcstack[1]" = "_steward" ]; then _steward "$@"; else compdef _steward steward; fi
`;
  },
  async fish(commands) {
    const all = await known(commands);
    const lines = [
      "# Completion of steward for fish.",
      "complete -c steward -f",
      "complete -c steward -n __fish_use_subcommand -l version -d 'the version'",
    ];
    for (const [name, { value, short, help }] of Object.entries(everywhere))
      lines.push(`complete -c steward${short ? ` -s ${short}` : ""} -l ${name}${value ? " -r -F" : ""} -d ${quoted(help)}`);
    for (const { name, summary, verbs, options } of all) {
      const within = `-n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
      lines.push(`complete -c steward -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
      if (verbs.length > 0) lines.push(`complete -c steward ${within} -a ${quoted(verbs.join(" "))}`);
      for (const [flag, option] of options) {
        if (Object.hasOwn(everywhere, flag)) continue;
        lines.push(
          `complete -c steward ${within} -l ${flag}${option.short ? ` -s ${option.short}` : ""}${option.value ? ` -r${isPath(option) ? " -F" : ""}` : ""} -d ${quoted(option.help)}`,
        );
      }
    }
    return `${lines.join("\n")}\n`;
  },
};
