import { createHash } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Place, type Row, risenMb } from './place.js';
import { pattern, patternSum, throttle } from './streams.js';

const gigabyte = 1_000_000_000;
const slowBytesPerS = 1_000_000;
const risenMbMax = 32;
const slowForMs = 20_000;

/**
 * Transfers a gigabyte each way through a peer that takes a megabyte a second: for 20 s, or `whole` (17 minutes each).
 * The two run one after the other, because V8 may leave 32 MiB of forwarded buffers uncollected.
 */
export async function slowBodies(place: Place, whole: boolean): Promise<Row[]> {
  const down = await risenMb(place.pid, () => slowDownload(place, whole));
  const up = await risenMb(place.pid, () => slowUpload(place, whole));
  const long = whole ? 'whole' : `for ${slowForMs / 1_000} s`;
  return [
    memory(`1 GB down, read at 1 MB/s, ${long}`, down.mb),
    { what: 'the reader received', ...down.result },
    memory(`1 GB up, taken at 1 MB/s, ${long}`, up.mb),
    { what: 'the backend received', ...up.result },
  ];
}

function memory(what: string, mb: number): Row {
  const bound = `${risenMbMax} MB`;
  return { what: `${what}: memory above idle`, found: `${mb.toFixed(1)} MB`, bound, holds: mb <= risenMbMax };
}

type Outcome = Omit<Row, 'what'>;

async function slowDownload({ url }: Place, whole: boolean): Promise<Outcome> {
  const hash = createHash('sha256');
  const leaving = AbortSignal.timeout(whole ? 3_600_000 : slowForMs);
  let read = 0;
  const answer = await get(`${url}/push?bytes=${gigabyte}`);
  const slow = throttle(slowBytesPerS).on('data', chunk => {
    read += chunk.length;
    hash.update(chunk);
  });
  const ended = await pipeline(answer, slow, { signal: leaving }).then(
    () => 'whole',
    (error: Error) => error.name,
  );
  if (!whole) return taken(read, ended);
  return same(hash.digest('hex'));
}

async function slowUpload({ url }: Place, whole: boolean): Promise<Outcome> {
  const leaving = AbortSignal.timeout(whole ? 3_600_000 : slowForMs);
  let sent = 0;
  const asked = request(`${url}/take?rate=${slowBytesPerS}`, {
    method: 'POST',
    headers: { 'content-length': gigabyte },
    agent: false,
  });
  const answered = new Promise<string>((resolve, reject) => {
    asked.on('response', answer => text(answer).then(resolve, reject)).on('error', reject);
  });
  answered.catch(() => {});
  const source = pattern(gigabyte).on('data', chunk => (sent += chunk.length));
  const ended = await pipeline(source, asked, { signal: leaving }).then(
    () => 'whole',
    (error: Error) => error.name,
  );
  if (whole) return same(await answered);
  asked.destroy();
  return taken(sent, ended);
}

/**
 * Checks that the transfer ran at the speed of the slow side and ended as planned. Buffers on the way take some bytes
 * ahead.
 */
function taken(bytes: number, ended: string): Outcome {
  const seconds = slowForMs / 1_000;
  const [least, most] = [seconds * 0.8, seconds + risenMbMax];
  const mb = bytes / 1e6;
  return {
    found: `${mb.toFixed(1)} MB, then ${ended === 'AbortError' ? 'left' : ended}`,
    bound: `${least.toFixed(0)} to ${most.toFixed(0)} MB`,
    holds: ended === 'AbortError' && mb >= least && mb <= most,
  };
}

/** Transfers a gigabyte each way, one after the other, at full speed. */
export async function fastBodies(place: Place): Promise<Row[]> {
  const down = await timed(place, async () => {
    const hash = createHash('sha256');
    await pipeline(await get(`${place.url}/push?bytes=${gigabyte}`), hash);
    return hash.digest('hex');
  });
  const up = await timed(place, async () => {
    const asked = request(`${place.url}/take`, {
      method: 'POST',
      headers: { 'content-length': gigabyte },
      agent: false,
    });
    const answered = new Promise<string>((resolve, reject) => {
      asked.on('response', answer => text(answer).then(resolve, reject)).on('error', reject);
    });
    await pipeline(pattern(gigabyte), asked);
    return answered;
  });
  return [...rowsOf('1 GB down at full speed', down), ...rowsOf('1 GB up at full speed', up)];
}

interface Timed {
  readonly sum: string;
  readonly mb: number;
  readonly seconds: number;
}

async function timed({ pid }: Place, work: () => Promise<string>): Promise<Timed> {
  const startedMs = performance.now();
  const { result, mb } = await risenMb(pid, work);
  return { sum: result, mb, seconds: (performance.now() - startedMs) / 1_000 };
}

function rowsOf(what: string, { sum, mb, seconds }: Timed): Row[] {
  return [
    memory(`${what} (${(gigabyte / 1e6 / seconds).toFixed(0)} MB/s)`, mb),
    { what: `${what}: the bytes`, ...same(sum) },
  ];
}

function same(sum: string): Outcome {
  const right = patternSum(gigabyte);
  return { found: sum === right ? 'the same' : `SHA-256 ${sum}`, bound: 'the same', holds: sum === right };
}

function get(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request(url, { agent: false }, resolve).on('error', reject).end());
}
