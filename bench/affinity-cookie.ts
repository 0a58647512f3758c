import { AffinityCookies, makeBrowserId } from '#src/proxy/affinity/affinity-cookie.js';
import { generateKeyRing } from '#src/shared/key-ring.js';

/*
 * Measures the cost of the affinity cookie per request. Every value that is read is a fresh copy, as in an engine that
 * cuts it out of a head. A reused string already has its hash, which would flatter the cache.
 */
const rounds = 5;
const perRound = 50_000;
/** More browsers than the cache holds, one after the other: no look-up is a hit. */
const crowd = 40_000;
const nowMs = Date.now();

const cookies = new AffinityCookies({
  pool: 'default',
  keys: generateKeyRing(),
  idleMs: 30 * 60_000,
  absoluteMs: 8 * 60 * 60_000,
  sameSite: 'Lax',
  onLost: 'rebind',
});
const claims = {
  backendId: cookies.backendId('backend-1'),
  incarnation: '9f86d081884c7d65',
  issuedMs: nowMs,
  browser: makeBrowserId(),
};
const browsers = Array.from({ length: crowd }, (_, index) => genuine(nowMs - index));
const few = browsers.slice(0, 1000);
const forged = few.map(value => `${value.slice(0, -1)}${value.endsWith('A') ? 'E' : 'A'}`);
const oversize = few.map(value => value.repeat(20));

table([
  ['read, remembered', fastest(few, read)],
  ['read, not remembered', fastest(browsers, read)],
  ['read, forged', fastest(forged, read)],
  ['read, oversize (not copied)', fastest(oversize, value => cookies.read(value, true, nowMs))],
  ['issue', fastest(few, () => cookies.issue(claims, true, nowMs))],
  ['(copying the value, part of each read)', fastest(few, copy)],
]);

function genuine(issuedMs: number): string {
  const line = cookies.issue({ ...claims, issuedMs }, true, nowMs);
  return line.slice(line.indexOf('=') + 1, line.indexOf(';'));
}

function read(value: string): unknown {
  return cookies.read(copy(value), true, nowMs);
}

function copy(value: string): string {
  return Buffer.from(value, 'latin1').toString('latin1');
}

/** Returns the best round; other rounds were disturbed. */
function fastest(values: readonly string[], act: (value: string) => unknown): number {
  return Math.min(...Array.from({ length: rounds }, () => nsEach(values, act)));
}

function nsEach(values: readonly string[], act: (value: string) => unknown): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < perRound; i += 1) act(values[i % values.length] ?? '');
  return Number(process.hrtime.bigint() - start) / perRound;
}

function table(rows: readonly (readonly [what: string, ns: number])[]): void {
  for (const [what, ns] of rows) console.log(`${what.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns`);
}
