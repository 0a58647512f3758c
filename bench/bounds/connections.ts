import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { openConnections, residentMbOf } from '#test/proxy/soak/footprint.js';
import { type Place, type Row, risenMb } from './place.js';

const each = 5_000;
/** The number of connections that are opened at a time. */
const atOnce = 250;
const headLimitMs = 10_000;
/** The proxy checks its deadlines at intervals, and a busy machine adds some delay. */
const lateMsMax = 3_000;
const askEveryMs = 5_000;
const slices = 50;
const lastsMs = 20_000;
/** Memory per connection: a socket, its buffers and an engine's own state. */
const kilobytesEachMax = 20;
/**
 * Growth allowed between the first three crowds and the last three, which reuse the memory of the first. There are six,
 * because the garbage collector returns memory at random times: 122 to 185 MB were seen.
 */
const leftMbMax = 8;
const crowds = 6;
/** How long memory is sampled after a crowd has left; the minimum counts. */
const settlesMs = 5_000;

/** Runs 5,000 clients that send a head one byte a second, and 5,000 that send a request every five seconds. */
export async function manyConnections(place: Place): Promise<Row[]> {
  const { result, mb } = await risenMb(place.pid, () => crowd(place.url));
  const left = [await leftOpen(place)];
  const keptMb = [await settledMb(place)];
  while (left.length < crowds) {
    await crowd(place.url);
    left.push(await leftOpen(place));
    keptMb.push(await settledMb(place));
  }
  const moreMb = Math.min(...keptMb.slice(crowds / 2)) - Math.max(...keptMb.slice(0, crowds / 2));
  const { slow, good } = result;
  const took = slow.map(({ tookMs }) => tookMs);
  const [first, last] = [Math.min(...took), Math.max(...took)];
  return [
    {
      what: `${each} that send a byte a second: closed with 408`,
      found: String(slow.filter(({ answer }) => answer.startsWith('HTTP/1.1 408 ')).length),
      bound: String(each),
      holds: slow.length === each && slow.every(({ answer }) => answer.startsWith('HTTP/1.1 408 ')),
    },
    {
      what: 'when: seconds after they connected',
      found: `${(first / 1_000).toFixed(1)} to ${(last / 1_000).toFixed(1)}`,
      bound: `${headLimitMs / 1_000} to ${(headLimitMs + lateMsMax) / 1_000}`,
      holds: first >= headLimitMs - 100 && last <= headLimitMs + lateMsMax,
    },
    {
      what: `${each} that send a request every 5 s meanwhile (p50 ${good.p50Ms.toFixed(1)} ms, p99 ${good.p99Ms.toFixed(1)} ms): not 200`,
      found: `${good.bad} of ${good.asked}`,
      bound: '0',
      holds: good.bad === 0 && good.asked >= each * 3,
    },
    {
      what: 'memory above idle with all 10,000, at most',
      found: `${mb.toFixed(1)} MB (${((mb * 1024) / (2 * each)).toFixed(1)} KB each)`,
      bound: `${kilobytesEachMax} KB each`,
      holds: (mb * 1024) / (2 * each) <= kilobytesEachMax,
    },
    {
      what: 'connections left open after all have left, and after each further crowd',
      found: left.join(', '),
      bound: '0',
      holds: left.every(open => open === 0),
    },
    {
      what: 'resident after each crowd; the later three at least above the first three',
      found: `${keptMb.map(mb => mb.toFixed(0)).join(', ')}: ${moreMb.toFixed(1)} MB`,
      bound: `${leftMbMax} MB`,
      holds: moreMb <= leftMbMax,
    },
  ];
}

async function crowd(url: string) {
  const { hostname, port } = new URL(url);
  const slow: Slow[] = [];
  const good: Good[] = [];
  while (good.length < each) {
    const opened = Array.from({ length: atOnce }, () => [open(hostname, port), open(hostname, port)] as const);
    for (const [one, other] of opened) {
      slow.push(new Slow(one));
      good.push(new Good(other));
    }
    await Promise.all([...slow.slice(-atOnce), ...good.slice(-atOnce)].map(({ there }) => there));
  }
  const trickle = inSlices(slow, 1_000, client => client.byte());
  const asking = inSlices(good, askEveryMs, client => client.ask());
  await sleep(lastsMs);
  clearInterval(asking);
  await Promise.all(good.map(client => client.idle()));
  clearInterval(trickle);
  for (const client of good) client.socket.destroy();
  const ends = await Promise.all(slow.map(client => Promise.race([client.ended, stillThere])));
  for (const client of slow) client.socket.destroy();
  return { slow: ends, good: summary(good) };
}

const stillThere = sleep(120_000, { answer: 'still there', tookMs: Number.POSITIVE_INFINITY }, { ref: false });

function open(host: string, port: string): Socket {
  return connect({ host, port: Number(port), noDelay: true });
}

/** Calls `act` for each once in `everyMs`, for a part of them at a time. */
function inSlices<T>(all: readonly T[], everyMs: number, act: (one: T) => void): NodeJS.Timeout {
  let turn = 0;
  return setInterval(() => {
    for (let at = turn; at < all.length; at += slices) {
      const one = all[at];
      if (one !== undefined) act(one);
    }
    turn = (turn + 1) % slices;
  }, everyMs / slices);
}

/** A client that sends a head that never ends. */
class Slow {
  readonly there: Promise<void>;
  readonly ended: Promise<{ readonly answer: string; readonly tookMs: number }>;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    let sentMs = 0;
    let answer = '';
    this.there = new Promise(resolve => {
      socket.once('connect', () => {
        sentMs = performance.now();
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ', () => resolve());
      });
      socket.once('error', () => resolve());
    });
    socket.on('data', data => (answer += data)).on('error', () => {});
    this.ended = new Promise(resolve => {
      socket.once('close', () => resolve({ answer, tookMs: performance.now() - sentMs }));
    });
  }

  byte(): void {
    if (this.socket.writable) this.socket.write('x');
  }
}

/** A client that sends requests on one connection. */
class Good {
  readonly there: Promise<void>;
  readonly socket: Socket;
  readonly tookMs: number[] = [];
  asked = 0;
  bad = 0;
  #sentMs: number | undefined;
  #onIdle = (): void => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.there = new Promise(resolve => {
      socket.once('connect', () => resolve());
      socket.once('error', () => resolve());
    });
    socket.on('data', data => this.#answered(String(data).startsWith('HTTP/1.1 200 ')));
    socket.on('error', () => {});
    socket.on('close', () => this.#sentMs !== undefined && this.#answered(false));
  }

  ask(): void {
    this.asked += 1;
    // The previous request is still unanswered.
    if (this.#sentMs !== undefined || !this.socket.writable) {
      this.bad += 1;
      return;
    }
    this.#sentMs = performance.now();
    this.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  }

  async idle(): Promise<void> {
    if (this.#sentMs !== undefined)
      await Promise.race([new Promise<void>(resolve => (this.#onIdle = resolve)), sleep(5_000)]);
  }

  #answered(right: boolean): void {
    if (!right) this.bad += 1;
    if (this.#sentMs !== undefined) this.tookMs.push(performance.now() - this.#sentMs);
    this.#sentMs = undefined;
    this.#onIdle();
  }
}

function summary(good: readonly Good[]) {
  const tookMs = Float64Array.from(good.flatMap(client => client.tookMs)).sort();
  const at = (share: number) => tookMs[Math.floor((tookMs.length - 1) * share)] ?? 0;
  const total = (of: (client: Good) => number) => good.reduce((sum, client) => sum + of(client), 0);
  return { asked: total(({ asked }) => asked), bad: total(({ bad }) => bad), p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function settledMb({ pid }: Place): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (const deadlineMs = performance.now() + settlesMs; performance.now() < deadlineMs; await sleep(250))
    least = Math.min(least, (await residentMbOf(pid)) ?? Number.NaN);
  return least;
}

/** Counts the client connections that the proxy still holds some time after the last client has left. */
async function leftOpen({ url }: Place): Promise<number> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const left = await openConnections(Number(new URL(url).port));
    if (left === 0 || performance.now() > deadlineMs) return left;
    await sleep(100);
  }
}
