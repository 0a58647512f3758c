/**
 * Measures what it costs to open a token that carries its session, and to issue one. It measures the CPU of the whole
 * process, including the thread pool (WebCrypto), and the latency for one caller. It compares with the bare
 * verification by jose, and with iron, which seals in the same way. The target: at most 60 µs of CPU to open a token.
 *
 *   node dist/bench/tokens.js [milliseconds per figure, default 700]
 */
import { webcrypto } from 'node:crypto';
import * as iron from '@hapi/iron';
import { CompactSign, compactVerify } from 'jose';
import { stores, strategies } from '#src/sessions/registry.js';
import { defaultLimits, type SessionData } from '#src/sessions/session.js';
import type { SessionStrategy } from '#src/sessions/session-strategy.js';
import { RevocationList } from '#src/sessions/stores/memory.js';
import { generateKeyRing } from '#src/shared/key-ring.js';

const forMs = Number(process.argv[2] ?? 700);
const markUs = 60;
/** More tokens than any strategy caches, each opened in turn, so that no token is found in a cache. */
const crowd = 5_000;
const few = 500;
const sizes = [300, 1_000];

type Act = (turn: number) => Promise<unknown>;
type Row = readonly [what: string, act: Act, isMarked?: true];

const ring = generateKeyRing();
const slow: string[] = [];

console.log(`${forMs} ms per figure, the better of two; µs per call\n`);
for (const bytes of sizes) {
  console.log(`${bytes} bytes of data`.padEnd(46), 'CPU'.padStart(8), 'wait'.padStart(8));
  for (const row of [...(await jwtRows(bytes)), ...(await sealedRows(bytes)), ...(await peerRows(bytes))])
    await show(row);
  console.log();
}
console.log(slow.length === 0 ? `mark: every opening takes at most ${markUs} µs of CPU` : `over ${markUs} µs: ${slow}`);

async function jwtRows(bytes: number): Promise<Row[]> {
  const { strategy, tokens, change } = await issuedBy('jwt', bytes);
  return [
    ['jwt (HS256): open, not remembered', turn => strategy.open(tokens[turn % crowd]), true],
    ['jwt (HS256): open, remembered', turn => strategy.open(tokens[turn % few]), true],
    ['jwt (HS256): change and issue', change],
  ];
}

async function sealedRows(bytes: number): Promise<Row[]> {
  const { strategy, tokens, change } = await issuedBy('sealed', bytes);
  return [
    ['sealed (AES-256-GCM, derived key kept): open', turn => strategy.open(tokens[turn % crowd]), true],
    ['sealed (AES-256-GCM, derived key kept): issue', change],
  ];
}

async function peerRows(bytes: number): Promise<Row[]> {
  const data = dataOf(bytes);
  const key = await webcrypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
  const text = new TextEncoder().encode(JSON.stringify(data));
  const sign = () => new CompactSign(text).setProtectedHeader({ alg: 'HS256' }).sign(key);
  const signed = await sign();
  const password = 'p'.repeat(32);
  const sealed = await iron.seal(data, password, iron.defaults);
  return [
    ['jose alone: verify the same data', () => compactVerify(signed, key, { algorithms: ['HS256'] })],
    ['jose alone: sign', sign],
    ['@hapi/iron 7: unseal', () => iron.unseal(sealed, password, iron.defaults)],
    ['@hapi/iron 7: seal', () => iron.seal(data, password, iron.defaults)],
  ];
}

interface Issued {
  readonly strategy: SessionStrategy;
  readonly tokens: readonly string[];
  readonly change: Act;
}

/** Strategy settings of a backend, with the lists of sessions and of revoked tokens in memory. Neither list is used
 * here. */
async function issuedBy(name: 'jwt' | 'sealed', bytes: number): Promise<Issued> {
  const now = Date.now;
  const store = (await stores.memory?.())?.open({ url: undefined, deadlineMs: 1_000, now });
  if (store === undefined) throw new Error('there is no store in memory');
  const feed = new RevocationList(now);
  const strategy = (await strategies[name]?.())?.open({ store, feed, keys: () => ring, limits: defaultLimits, now });
  if (strategy === undefined) throw new Error(`there is no strategy ${name}`);
  const { session } = await strategy.begin('anna', dataOf(bytes));
  const change: Act = turn => strategy.change(session, data => void Object.assign(data, { turn }));
  const tokens: string[] = [];
  for (let turn = 0; turn < crowd; turn++) tokens.push(tokenOf(await change(turn)));
  return { strategy, tokens, change };
}

function tokenOf(outcome: unknown): string {
  if (typeof outcome === 'object' && outcome !== null && 'token' in outcome) return String(outcome.token);
  throw new Error('the session is gone');
}

/** Returns a cart of about this many bytes of JSON. */
function dataOf(bytes: number): SessionData {
  const cart: [string, number][] = [];
  const data: SessionData = { turn: -1, cart };
  while (JSON.stringify(data).length < bytes - 24) cart.push([`article-${cart.length}`, 1]);
  return data;
}

async function show([what, act, isMarked]: Row): Promise<void> {
  const rounds = [await measure(act), await measure(act)];
  const cpuUs = Math.min(...rounds.map(round => round.cpuUs));
  const waitUs = Math.min(...rounds.map(round => round.waitUs));
  console.log(what.padEnd(46), cpuUs.toFixed(1).padStart(8), waitUs.toFixed(1).padStart(8));
  if (isMarked && cpuUs > markUs) slow.push(what);
}

async function measure(act: Act): Promise<{ readonly cpuUs: number; readonly waitUs: number }> {
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let turns = 0;
  while (performance.now() - startedAt < forMs) await act(turns++);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: (user + system) / turns, waitUs: ((performance.now() - startedAt) * 1_000) / turns };
}
