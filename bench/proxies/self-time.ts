import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The output of `node --cpu-prof`; times are µs of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Self time of one function, with its area and file. */
export interface Place {
  readonly area: string;
  readonly file: string;
  readonly function: string;
  readonly micros: number;
}

const dist = path.resolve(import.meta.dirname, '../..');

/** The first area with a matching pattern counts. Native code is matched by name. */
const areas: readonly (readonly [string, RegExp])[] = [
  ['wire: heads', /^proxy\/engines\/wire\/(.*head|fields|grammar|http-date)\.js/],
  ['wire: bodies', /^proxy\/engines\/wire\/(body|chunks|upload)\.js/],
  ['wire: connections', /^proxy\/engines\/wire/],
  ['engine http-proxy', /^proxy\/engines\/|http-proxy|follow-redirects/],
  ['affinity', /^proxy\/(affinity|cookie|recently-used|bound)/],
  ['metrics, log', /^proxy\/(metrics|duration-histogram|access-log)|prom-client/],
  ['policy', /^proxy\/routing-polic/],
  ['dispatcher', /^proxy\//],
  ['bench', /^bench\//],
  ['node: http', /^node:_?http/],
  [
    'node: net, streams',
    /^node:(net|tls|_tls.*|internal\/(streams?|stream_base_commons|net)\b.*|stream|buffer|internal\/buffer)/,
  ],
  [
    'node: timers, promises, events',
    /^node:(timers|events|internal\/(timers|process|async_hooks|event_target)|async_hooks)/,
  ],
  ['node: other', /^node:/],
  ['sockets, write', /^native (write|writev|writeBuffer|write\w+String|shutdown)\b/],
  ['garbage collector', /garbage collector/],
  ['sockets, read; V8; poll', /\(program\)/],
  ['native', /^native/],
];

/** Sums self times between two moments, without idle time. */
export function placesOf(profile: CpuProfile, fromMicros: number, toMicros: number): Place[] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const spent = new Map<CallFrame, number>();
  let now = profile.startTime;
  for (const [at, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[at] ?? 0;
    now += delta;
    const frame = frames.get(id);
    if (frame === undefined || now < fromMicros || now > toMicros || frame.functionName === '(idle)') continue;
    spent.set(frame, (spent.get(frame) ?? 0) + delta);
  }
  return [...spent].map(([frame, micros]) => ({ ...placeOf(frame), micros }));
}

function placeOf({ functionName, url, lineNumber }: CallFrame): Omit<Place, 'micros'> {
  const file = fileOf(functionName, url);
  const area = areas.find(([, fits]) => fits.test(file))?.[0] ?? 'packages';
  const name = functionName || '(anonymous)';
  return { area, file, function: url === '' ? file : `${name} ${file}:${lineNumber + 1}` };
}

function fileOf(functionName: string, url: string): string {
  if (url === '') return functionName.startsWith('(') ? functionName : `native ${functionName}`;
  if (!url.startsWith('file:')) return url;
  return path.relative(dist, fileURLToPath(url)).replace(/^\.\.\/node_modules\//, '');
}

/** Sums by area, file or function, largest first. */
export function sumBy(places: readonly Place[], by: 'area' | 'file' | 'function'): [string, number][] {
  const sums = new Map<string, number>();
  for (const place of places) sums.set(place[by], (sums.get(place[by]) ?? 0) + place.micros);
  return [...sums].sort(([, a], [, b]) => b - a);
}
