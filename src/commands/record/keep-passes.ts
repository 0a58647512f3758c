import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeHar } from '../../record/har.js';
import { messageOf } from '../../shared/error-message.js';
import { commandLine } from '../../shared/program-name.js';
import type { AppFlags } from './app.js';
import type { Clicked } from './click.js';

/** The flags that the next command needs again. */
export interface RepeatedFlags extends AppFlags {
  readonly mode: string;
  readonly users: string | undefined;
  readonly items: string | undefined;
  readonly answer: readonly string[] | undefined;
  readonly out: string;
}

const namesMax = 1_000;

/** Writes the passes to this file, which only its owner can read. Throws when the file exists already. */
export function writePasses(file: string, { passes, origin }: Clicked): void {
  writeFileSync(file, writeHar(passes, origin), { flag: 'wx', mode: 0o600 });
}

/**
 * Keeps the passes of a recording that has ended with a problem: a person has clicked them. `saved` is the file in which
 * they are already. Otherwise they go into a new file beside `--out`. Returns what to tell the person, and the command to go on.
 */
export function keepPasses(clicked: Clicked, flags: RepeatedFlags, words: readonly string[], saved?: string): string {
  try {
    const file = saved ?? writeNew(path.join(path.dirname(flags.out), 'holdfast-passes.har'), clicked);
    const where = `the passes are kept in ${file}. This file holds passwords and cookies, and only you can read it: delete it when you are done.`;
    return `${where}\ngo on with them, without clicking again: ${describeRepeat(file, flags, words)}\n`;
  } catch (error) {
    return `the passes are lost, because they could not be written: ${messageOf(error)}\n`;
  }
}

function writeNew(wanted: string, clicked: Clicked): string {
  for (let number = 1; ; number += 1) {
    const file = numberName(wanted, number);
    try {
      writePasses(file, clicked);
      return file;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isTaken || number >= namesMax) throw error;
    }
  }
}

/** Returns `a.har`, `a-2.har`, `a-3.har` and so on. */
function numberName(file: string, number: number): string {
  const { dir, name, ext } = path.parse(file);
  return number === 1 ? file : path.join(dir, `${name}-${number}${ext}`);
}

/** Returns the command that uses the passes again. `words`: how the app is started. */
function describeRepeat(file: string, flags: RepeatedFlags, words: readonly string[]): string {
  const { backend, directory, ready, env, mode, users, items, answer, out } = flags;
  const given = { mode: mode === 'sticky' ? undefined : mode, backend, directory, ready, env, users, items, answer };
  const again = Object.entries(given).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap(each => [`--${name}`, each]),
  );
  const free = findFree(out);
  const target = free === 'holdfast.yaml' ? [] : ['--out', free];
  const start = words.length === 0 ? [] : ['--', ...words];
  return commandLine('record', '--har', file, ...again, ...target, ...start);
}

/** Returns a free name for the next scenario. One that does not fit may exist already. */
function findFree(out: string): string {
  for (let number = 1; number < namesMax; number += 1) {
    const file = numberName(out, number);
    if (!existsSync(file)) return file;
  }
  return out;
}
