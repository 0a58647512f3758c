import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The path of a file of this package, given from the folder that holds its package.json. Programs are packed into few
 * files (`scripts/pack.mjs`), so where a module lies when it runs is not where it was written.
 */
export function packageFile(inPackage: string): string {
  return path.join(root, inPackage);
}

const root = holder('package.json', import.meta.dirname);

function holder(name: string, folder: string): string {
  return existsSync(path.join(folder, name)) ? folder : holder(name, path.dirname(folder));
}

const { version }: { version: string } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));

/** Of Holdfast itself. */
export const ownVersion = version;
