import { readdirSync } from 'node:fs';
import yargs, { type CommandModule } from 'yargs';
import { modeNames } from '../modes.js';
import { presetNames, shippedScenarioNames } from '../shared/package.js';
import { tools } from '../shared/tools.mjs';
import { exitCodes, toHandler } from './lib/exit.js';

interface CompletionArgs {
  readonly shell: string | undefined;
}

export const completion: CommandModule<object, CompletionArgs> = {
  command: 'completion [shell]',
  describe: 'print the script that completes commands, flags and names in bash or zsh',
  builder: own =>
    own
      .positional('shell', { type: 'string', choices: shells, describe: 'default: the shell that SHELL names' })
      .epilogue(
        'The script completes the command holdfast, so that must be on PATH: npm install --global holdfast. In a clone, first type alias holdfast="node $PWD/dist/cli.js".',
      )
      .example('$0 completion bash >> ~/.bashrc', 'for bash')
      .example('$0 completion zsh >> ~/.zshrc', 'for zsh'),
  handler: toHandler(async ({ shell }) => printScript(shell)),
};

/** Prints the script that yargs writes. yargs takes the shell from the environment. */
function printScript(shell: string | undefined): number {
  const { SHELL, ZSH_NAME } = process.env;
  if (shell !== undefined) {
    process.env.SHELL = `/bin/${shell}`;
    delete process.env.ZSH_NAME;
  }
  try {
    yargs([]).scriptName('holdfast').showCompletionScript();
  } finally {
    if (SHELL === undefined) delete process.env.SHELL;
    else process.env.SHELL = SHELL;
    if (ZSH_NAME !== undefined) process.env.ZSH_NAME = ZSH_NAME;
  }
  return exitCodes.ok;
}

type Names = readonly string[];
type NamesNow = () => Names | Promise<Names>;

/** The command of a command line, as far as completion must know it. */
interface CompletedCommand {
  /** Its words, such as `run <scenarios..>`. */
  readonly usage: string;
  readonly flags: Names;
}

/** The values of a flag, by the name of the flag. Each name comes from its registry, which is loaded only then. */
const valuesOfFlag: Readonly<Record<string, NamesNow>> = {
  mode: () => modeNames,
  modes: () => modeNames,
  proxy: presetNames,
  scenario: listScenarios,
  faults: async () => [
    ...shippedScenarioNames(),
    ...Object.keys((await import('../simulator/faults/kinds/registry.js')).faults),
    'all',
  ],
  attack: async () => [
    ...Object.keys((await import('../attacks/attacks/registry.js')).attacks),
    ...Object.keys((await import('../attacks/own-app/attacks/registry.js')).appAttacks),
  ],
  row: async () => Object.keys((await import('../conformance/rows/registry.js')).rows),
  policy: async () => Object.keys((await import('../proxy/routing-policies.js')).routingPolicies),
  engine: async () => Object.keys((await import('../proxy/engines/registry.js')).engines),
};

/** The words without a flag, by the name of their place in the usage of the command. */
const valuesOfPlace: Readonly<Record<string, NamesNow>> = {
  scenario: listScenarios,
  scenarios: listScenarios,
  names: () => [...Object.keys(tools), 'postgres'],
  shell: () => shells,
};

const shells = ['bash', 'zsh'] as const;

/**
 * Lists what the last of the words can become. The words are those of the command line so far, the last one unfinished.
 * With no candidates the shell offers files.
 */
export async function listCandidates(
  words: Names,
  commands: Names,
  load: (name: string) => Promise<CompletedCommand>,
): Promise<Names> {
  const current = words.at(-1) ?? '';
  // bash splits `--mode=redis` at the equals sign.
  const before = words.slice(0, -1).filter(word => word !== '=');
  const name = before.find(word => commands.includes(word));
  if (name === undefined && before.length > 0) return [];
  if (name === undefined) return startingWith(current, current.startsWith('-') ? ['--help', '--version'] : commands);
  const [, flag, text] = /^--([\w-]+)=(.*)$/.exec(current) ?? [];
  if (flag !== undefined) return (await completeValue(flag, text ?? '')).map(value => `--${flag}=${value}`);
  const values = await completeValue(before.at(-1)?.replace(/^--/, '') ?? '', current, before.at(-1));
  if (values.length > 0) return values;
  const { usage, flags } = await load(name);
  const [, place = ''] = /[<[](\w+)/.exec(usage) ?? [];
  // yargs lists the places of a command among its flags.
  if (current.startsWith('-'))
    return startingWith(
      current,
      flags.filter(flag => flag !== place).map(flag => `--${flag}`),
    ).filter(flag => !before.includes(flag));
  return startingWith(current, (await valuesOfPlace[place]?.()) ?? []);
}

/** Completes the value of a flag, or the last of several values with commas between them. */
async function completeValue(flag: string, text: string, typed = `--${flag}`): Promise<Names> {
  const list = typed.startsWith('--') && Object.hasOwn(valuesOfFlag, flag) ? valuesOfFlag[flag] : undefined;
  if (list === undefined) return [];
  const earlier = text.split(',').slice(0, -1);
  const names = [...new Set(await list())].filter(name => !earlier.includes(name));
  return startingWith(
    text,
    names.map(name => [...earlier, name].join(',')),
  );
}

function startingWith(text: string, names: Names): Names {
  return names.filter(name => name.startsWith(text));
}

/** Lists the shipped scenarios, and the files of the current folder that may be scenarios. */
function listScenarios(): Names {
  return [...shippedScenarioNames(), ...readdirSync('.').filter(file => /\.ya?ml$/.test(file))];
}
