import { writeFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { commandLine } from '../shared/package.js';
import { starterScenario } from '../simulator/scenario/starter.js';
import { exitCodes, toHandler } from './lib/exit.js';
import { UsageError } from './lib/flags.js';

interface InitArgs {
  /** Empty when the user typed "-": yargs reads that as an option without a value. */
  readonly file: string | undefined;
}

const fileByDefault = 'holdfast.yaml';

export const init: CommandModule<object, InitArgs> = {
  command: 'init [file]',
  describe: 'write a commented scenario for your own app; asks nothing, overwrites nothing',
  builder: yargs =>
    yargs
      .positional('file', {
        type: 'string',
        defaultDescription: fileByDefault,
        describe: 'where it is written; "-" prints it',
      })
      .example('$0 init tests/failover.yaml', 'then fill it in, and: $0 check tests/failover.yaml'),
  handler: toHandler(writeStarter),
};

async function writeStarter({ file = fileByDefault }: InitArgs): Promise<number> {
  if (file === '' || file === '-') {
    process.stdout.write(starterScenario);
    return exitCodes.ok;
  }
  try {
    await writeFile(file, starterScenario, { flag: 'wx' });
  } catch (error) {
    throw refusal(file, error);
  }
  process.stdout.write(`${file} is written: fill in how to start and call your app, then type
  ${commandLine('check', file)}     (each step once; says what does not fit)
  ${commandLine('run', file)}       (breaks things, and counts what is lost)
`);
  return exitCodes.ok;
}

function refusal(file: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST')
    return new UsageError(
      `"${file}" exists already and is not overwritten. Try another name: ${commandLine('init', otherName(file))}`,
    );
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'EACCES')
    return new UsageError(`"${file}" cannot be written (${code}): expected a file in an existing folder.`);
  return error instanceof Error ? error : new Error(String(error));
}

function otherName(file: string): string {
  return file.replace(/(\.ya?ml)?$/, '-2$1').replace(/-2$/, '-2.yaml');
}
