import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whether everybody may use what lies there, the folders above it included. */
export function isOpenToAll(file: string): boolean {
  const folders = file.split(path.sep).map((_, at, parts) => parts.slice(0, at + 1).join(path.sep) || path.sep);
  return folders.every(each => ((statSync(each, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) !== 0);
}

/**
 * Where temporary folders are made: as the system says, but for root. A server that refuses to be root is run as somebody
 * else, who must be able to get in; then a folder of root's own is no place.
 */
export function temporaryBase(): string {
  const wanted = path.resolve(tmpdir());
  if (process.getuid?.() !== 0) return wanted;
  return [wanted, '/tmp', '/var/tmp'].find(isOpenToAll) ?? wanted;
}
