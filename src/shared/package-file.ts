import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Returns the path of a file of this package. `inPackage` is relative to the folder of package.json. Programs are
 * packed into few files (`scripts/pack.mjs`), so a module does not run at the path of its source.
 */
export function packageFile(inPackage: string): string {
  return path.join(root, inPackage);
}

const root = holder('package.json', import.meta.dirname);

function holder(name: string, folder: string): string {
  return existsSync(path.join(folder, name)) ? folder : holder(name, path.dirname(folder));
}

const { version }: { version: string } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));

/** The version of Holdfast. */
export const ownVersion = version;
