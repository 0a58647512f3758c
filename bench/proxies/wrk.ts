import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { headersOf, type Load, type LoadResult } from './load.js';
import { cores, output } from './processes.js';

/**
 * Runs wrk: one thread of C. The requests are prepared in advance, and it checks only status and framing of answers.
 */
export async function wrk(load: Load): Promise<LoadResult> {
  const { origin, request, connections, seconds, folder } = load;
  const file = path.join(folder, 'wrk.lua');
  await writeFile(file, lua(load));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', file, `${origin}${request.path}`];
  const text = await output(cores.others, { command: 'wrk', args });
  return JSON.parse(text.slice(text.indexOf('{')));
}

function lua(load: Load): string {
  const { method, path: target, body } = load.request;
  const requests = headersOf(load).map(headers => {
    const fields = Object.entries(headers).map(([name, value]) => `[${quoted(name)}]=${quoted(value)}`);
    return `wrk.format(${quoted(method)}, ${quoted(target)}, {${fields.join(',')}}, ${body === undefined ? 'nil' : quoted(body)})`;
  });
  return `local all, turn = {}, 0
init = function()
${requests.map((each, at) => `  all[${at + 1}] = ${each}`).join('\n')}
end
request = function()
  turn = turn % #all + 1
  return all[turn]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"bytes":%.0f,"p50Ms":%f,"p99Ms":%f,"errors":%d}',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

/** Quotes ASCII text, for which JSON and Lua have the same rules. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
