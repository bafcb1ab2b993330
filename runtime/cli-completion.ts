// SPDX-License-Identifier: MIT
/**
 * Shell completion, made from what commander knows of the commands, so that the two cannot differ.
 */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Words {
  readonly command: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string; readonly takes: string }[];
  /** What its argument is: the shell's word for it, '' for none. */
  readonly argument: string;
}

export function completionFor(shell: Shell, top: Command): string {
  const commands = top.commands.map(wordsOf);
  return MAKERS[shell](top.name(), commands);
}

function wordsOf(command: Command): Words {
  const argument = command.registeredArguments[0];
  const visible = command.options.filter(({ hidden }) => !hidden);
  return {
    command: command.name(),
    description: command.description(),
    options: visible.map(({ long, description, argChoices, required, flags }) => ({
      flag: long!,
      description,
      takes: argChoices ? argChoices.join(' ') : required ? (/<(\w+)>/.exec(flags)?.[1] ?? '') : '',
    })),
    argument: argument?.argChoices?.join(' ') ?? (argument?.name() === 'file.drift' ? '@files' : ''),
  };
}

/** What completes the value of an option; '' if nothing does. */
const byName: Readonly<Record<string, string>> = { path: '@files', n: '@pids', seconds: '' };
const completerOf = (takes: string): string => byName[takes] ?? takes;

function bash(name: string, commands: readonly Words[]): string {
  const reply = (what: string) =>
    what === '@files'
      ? 'COMPREPLY=($(compgen -f -- "$word"))'
      : what === '@pids'
        ? 'COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$word"))'
        : `COMPREPLY=($(compgen -W '${what}' -- "$word"))`;
  const values = new Map<string, string>();
  for (const { options } of commands)
    for (const { flag, takes } of options) if (takes) values.set(flag, reply(completerOf(takes)));
  const choices = commands.map(({ command, options, argument }) => {
    const flags = options.map(({ flag }) => flag).join(' ');
    const rest = argument ? reply(argument) : 'COMPREPLY=()';
    return `    ${command}) if [[ $word == -* ]]; then ${reply(flags)}; else ${rest}; fi ;;`;
  });
  return `# bash completion for ${name}
_${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  if ((COMP_CWORD == 1)); then
    ${reply(commands.map(({ command }) => command).join(' '))}
    return
  fi
  case $before in
${[...values].map(([flag, how]) => `    ${flag}) ${how}; return ;;`).join('\n')}
  esac
  case \${COMP_WORDS[1]} in
${choices.join('\n')}
  esac
}
complete -o filenames -F _${name} ${name}
`;
}

function zsh(name: string, commands: readonly Words[]): string {
  const quote = (text: string) => text.replaceAll(/['\\:[\]]/g, (one) => (one === "'" ? "'\\''" : `\\${one}`));
  const action = (what: string) => (what === '@files' ? '_files' : what === '@pids' ? '_pids' : `(${what})`);
  const optionOf = ({ flag, description, takes }: Words['options'][number]) => {
    const value = takes ? `:${takes.split(' ').length > 1 ? 'kind' : takes}:${action(completerOf(takes))}` : '';
    return `'${flag}[${quote(description)}]${value}'`;
  };
  const choices = commands.map(({ command, options, argument }) => {
    const words = [...options.map(optionOf), ...(argument ? [`'1:argument:${action(argument)}'`] : [])];
    return `    ${command}) _arguments ${words.join(' ')} ;;`;
  });
  return `#compdef ${name}
_${name}() {
  local -a commands=(${commands.map((one) => `'${one.command}:${quote(one.description)}'`).join(' ')})
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=\${words[2]}
  shift words
  ((CURRENT--))
  case $command in
${choices.join('\n')}
  esac
}
_${name} "$@"
`;
}

function fish(name: string, commands: readonly Words[]): string {
  const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
  const value = (what: string) =>
    what === '@files' ? ' -F' : what === '@pids' ? " -a '(__fish_complete_pids)'" : what ? ` -a ${quote(what)}` : '';
  const lines = commands.flatMap(({ command, description, options, argument }) => {
    const within = `complete -c ${name} -n '__fish_seen_subcommand_from ${command}'`;
    return [
      `complete -c ${name} -n __fish_use_subcommand -a ${command} -d ${quote(description)}`,
      ...options.map(({ flag, description, takes }) => {
        const long = `${within} -l ${flag.slice(2)} -d ${quote(description)}`;
        const how = value(completerOf(takes));
        return takes ? `${long} ${how === ' -F' ? '-r' : '-x'}${how}` : long;
      }),
      ...(argument ? [`${within}${value(argument)}`] : []),
    ];
  });
  return [`# fish completion for ${name}`, `complete -c ${name} -f`, ...lines, ''].join('\n');
}

const MAKERS: Readonly<Record<Shell, (name: string, commands: readonly Words[]) => string>> = { bash, zsh, fish };
