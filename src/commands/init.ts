import { writeFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { exitCodes, exiting, UsageError } from './exit.js';
import { starterScenario } from './starter-scenario.js';

interface InitArgs {
  /** Empty where "-" was typed: yargs takes that for an option without a value. */
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
      .example('$0 init tests/failover.yaml', 'then fill it in, and: holdfast check tests/failover.yaml'),
  handler: exiting(writeStarter),
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
  process.stdout.write(`${file} is written: fill in how your app is started and asked, then type
  node dist/cli.js check ${file}     (each step once; says what does not fit)
  node dist/cli.js run ${file}       (breaks things, and counts what is lost)
`);
  return exitCodes.ok;
}

function refusal(file: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST')
    return new UsageError(
      `"${file}" is there already and is not overwritten. Another name: holdfast init ${otherName(file)}`,
    );
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'EACCES')
    return new UsageError(`"${file}" cannot be written (${code}): expected a file in a folder that is there.`);
  return error instanceof Error ? error : new Error(String(error));
}

function otherName(file: string): string {
  return file.replace(/(\.ya?ml)?$/, '-2$1').replace(/-2$/, '-2.yaml');
}
