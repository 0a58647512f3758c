import { open } from 'node:fs/promises';
import { ScenarioError } from '../errors.js';

export interface TextFileKind {
  readonly bytesMax: number;
  /** `a scenario in YAML`. */
  readonly what: string;
  /** `a scenario such as scenarios/kill-one.yaml`. */
  readonly example: string;
}

/** A file of the user's, whole. Rejects with `ScenarioError` when it cannot be read, or is longer than it may be. */
export async function readTextFile(file: string, { bytesMax, what, example }: TextFileKind): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new ScenarioError(`${file}: found something that is not a file, expected ${what}`);
      if (stat.size > bytesMax) {
        throw new ScenarioError(`${file}:1:1: found ${stat.size} bytes, expected at most ${bytesMax}`);
      }
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof ScenarioError ? error : unreadable(file, error, example);
  }
}

function unreadable(file: string, error: unknown, example: string): ScenarioError {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  const found = missing ? 'found no such file' : `cannot be read (${error instanceof Error ? error.message : error})`;
  return new ScenarioError(`${file}: ${found}, expected ${example}`);
}
