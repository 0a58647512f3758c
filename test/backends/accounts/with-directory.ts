import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const { directory, remove } = await freshDirectory();
  try {
    return await work(directory);
  } finally {
    await remove();
  }
}

/** Makes the directory. Call it in `before`, and `remove` in `after`. */
export async function freshDirectory(): Promise<{ readonly directory: string; remove(): Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-accounts-'));
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}
