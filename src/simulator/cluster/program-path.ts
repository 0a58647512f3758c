import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The absolute path of the first of these programs that PATH holds. */
export function findProgram(names: readonly string[], pathVariable = process.env.PATH ?? ''): string | undefined {
  const folders = pathVariable.split(path.delimiter).filter(folder => folder !== '');
  return names.flatMap(name => folders.map(folder => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
