import { Command } from "commander";
import { UsageError } from "../core/index.ts";
import { print } from "./print.ts";

const shells = ["bash", "zsh", "fish"] as const;

/** Commands with the long flags of their options. */
type Flags = Readonly<Record<string, readonly string[]>>;

const bash = (flags: Flags): string => `_baret() {
  local word="\${COMP_WORDS[COMP_CWORD]}" flags=""
  case "\${COMP_WORDS[1]}" in
${Object.entries(flags)
  .map(([name, own]) => `    ${name}) flags="${own.join(" ")}" ;;`)
  .join("\n")}
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then COMPREPLY=($(compgen -W "${Object.keys(flags).join(" ")}" -- "$word"))
  elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _baret baret`;

const fish = (flags: Flags): string =>
  [
    `complete -c baret -n __fish_use_subcommand -a "${Object.keys(flags).join(" ")}" -f`,
    ...Object.entries(flags).flatMap(([name, own]) =>
      own.map((flag) => `complete -c baret -n "__fish_seen_subcommand_from ${name}" -l ${flag.replace(/^--/, "")}`),
    ),
  ].join("\n");

const scripts: Readonly<Record<(typeof shells)[number], (flags: Flags) => string>> = {
  bash,
  // zsh runs bash's completions.
  zsh: (flags) => `autoload -U +X bashcompinit && bashcompinit\n${bash(flags)}`,
  fish,
};

/** load: returns all commands. */
export function completionCommand(load: () => Promise<Command[]>): Command {
  return new Command("completion")
    .argument("<shell>", shells.join(", "))
    .addHelpText("after", "\nFor this shell only: source <(baret completion bash)")
    .action(async (shell: string) => {
      const script = scripts[shell as keyof typeof scripts];
      if (!script) throw new UsageError("no such shell", { found: shell, expected: shells.join(", ") });
      const commands = await load();
      const flags = commands.map((command) => [
        command.name(),
        command.options.filter(({ hidden }) => !hidden).map(({ long }) => `${long}`),
      ]);
      print(script(Object.fromEntries(flags)));
    });
}
