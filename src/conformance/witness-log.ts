import { readFile, stat } from 'node:fs/promises';
import type { CarriedOut } from './exchange.js';

/** Reads the logs of the backends. A backend that has carried out nothing has no file. */
export async function readLogs(base: string, backends: readonly string[]): Promise<CarriedOut[]> {
  const texts = await Promise.all(backends.map(name => readFile(`${base}.${name}`, 'utf8').catch(() => '')));
  return texts.flatMap(text => text.split('\n').flatMap(parseLine));
}

/** A process that is killed while it writes can leave half a line. */
function parseLine(line: string): CarriedOut[] {
  if (!line.endsWith('}')) return [];
  const { id, backend, boot, method, url, memory, rawHeaders, cookies } = JSON.parse(line);
  return [{ id, backend, boot, method, url, memory, rawHeaders, cookies }];
}

/** Returns how often a backend was asked for its health. */
export async function countChecks(base: string, backend: string): Promise<number> {
  const file = await stat(`${base}.${backend}.checks`).catch(() => undefined);
  return file?.size ?? 0;
}
