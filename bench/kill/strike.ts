import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Peer } from '../proxies/peer.js';
import { cores, startScript, stop } from '../proxies/processes.js';
import { stand } from '../proxies/standing.js';
import { Clients, type Method, type Shot } from './clients.js';

const server = fileURLToPath(import.meta.resolve('#test/proxy/counting-server.js'));
const backendCount = 3;
/** How long a backend holds a request. Without it a kill between two batches would hit no request and prove nothing. */
const answerMs = 20;
const beforeMs = 1_500;
const afterMs = 5_000;

/** The record of one kill. */
export interface Strike {
  readonly shots: readonly Shot[];
  readonly killedMs: number;
  /** When the backend had certainly ended. */
  readonly goneMs: number;
  /** Ids of the requests that the dead backend carried out, and of those that the others did. */
  readonly byDead: readonly string[];
  readonly byOthers: readonly string[];
}

interface Backend {
  readonly process: ChildProcess;
  readonly port: number;
  /** One id per line for each request carried out, written before the answer. */
  readonly file: string;
}

/** Runs clients, kills a backend under load, and records the result of every request. */
export async function strike(name: string, peer: Peer, method: Method, folder: string): Promise<Strike> {
  const backends: Backend[] = [];
  for (let at = 0; at < backendCount; at += 1) backends.push(await startBackend(folder, backends.length));
  const [victim, ...others] = backends;
  if (victim === undefined) throw new RangeError('no backend to kill');
  const ground = { folder, backendPorts: backends.map(({ port }) => port), certificate: undefined };
  const { origin, child } = await stand(name, peer, ground);
  const clients = new Clients(origin, method);
  await sleep(beforeMs);
  await takesSome(victim);
  const gone = once(victim.process, 'exit');
  const killedMs = performance.now();
  victim.process.kill('SIGKILL');
  await gone;
  const goneMs = performance.now();
  await sleep(afterMs);
  const shots = await clients.stop();
  for (const each of [child, ...others.map(({ process }) => process)]) await stop(each);
  const executed = await Promise.all(backends.map(({ file }) => idsIn(file, method)));
  return { shots, killedMs, goneMs, byDead: executed[0] ?? [], byOthers: executed.slice(1).flat() };
}

/** Resolves just after it received a request that it cannot have answered yet. */
async function takesSome({ file }: Backend): Promise<void> {
  const giveUpMs = performance.now() + afterMs;
  let [size, lookedMs] = [Number.POSITIVE_INFINITY, 0];
  while (performance.now() < giveUpMs) {
    const [nowMs, grown] = [performance.now(), statSync(file).size];
    if (grown > size && nowMs - lookedMs < answerMs / 2) return;
    [size, lookedMs] = [grown, nowMs];
    await sleep(1);
  }
}

let runs = 0;

async function startBackend(folder: string, at: number): Promise<Backend> {
  runs += 1;
  const file = path.join(folder, `executed-${runs}`);
  const process = startScript(cores.others, server, [file, `backend-${at + 1}`, String(answerMs)]);
  const [{ port }] = await once(process, 'message');
  return { process, port, file };
}

async function idsIn(file: string, method: Method): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(id => id.startsWith(`${method}-`));
}
