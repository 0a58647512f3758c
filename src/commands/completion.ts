import yargs, { type CommandModule } from 'yargs';
import { shells } from './completion/candidates.js';
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
