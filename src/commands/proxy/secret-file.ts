import { statSync } from 'node:fs';

const othersMayRead = 0o004;

/** Warns when every user of the machine can read a file that holds a secret. `what`: "the key ring". */
export function listSecretFileWarnings(file: string | undefined, what: string): readonly string[] {
  if (file === undefined || (statSync(file).mode & othersMayRead) === 0) return [];
  return [`every user of this machine can read ${what} ${file}: chmod 600 ${file}`];
}
