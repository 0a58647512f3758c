import path from 'node:path';
import { headersOf, type Load, type LoadResult } from './load.js';
import { cores, output } from './processes.js';

/** Runs autocannon in a process of its own. It is written for Node, and several times slower than wrk. */
export async function autocannon(load: Load): Promise<LoadResult> {
  const { origin, request, connections, seconds } = load;
  const requests = headersOf(load).map(headers => ({ method: request.method, headers, body: request.body }));
  const options = { url: `${origin}${request.path}`, connections, duration: seconds, requests };
  const script = path.join(import.meta.dirname, 'autocannon-process.js');
  return JSON.parse(await output(cores.others, { command: process.execPath, args: [script, JSON.stringify(options)] }));
}
