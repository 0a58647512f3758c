import { makeCertificate } from './certificate.js';
import { type Round, round, warmUp } from './measure.js';
import { type IdleRound, measureIdle } from './measure-idle.js';
import type { Peer } from './peer.js';
import { stop } from './processes.js';
import type { Results } from './report.js';
import { type Ground, type Standing, stand } from './standing.js';
import { figure } from './table.js';
import type { IdleWorkload, LoadWorkload, Workload } from './workloads.js';

export interface Plan {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly rounds: number;
  readonly seconds: number;
  readonly folder: string;
  readonly backendPorts: readonly number[];
  /** Prints progress lines. */
  say(line: string): void;
}

const warmSeconds = 3;

export async function run(name: string, workload: Workload, plan: Plan): Promise<Results> {
  const certificate = workload.tls === true ? makeCertificate(plan.folder) : undefined;
  if (workload.tls === true && certificate === undefined) {
    plan.say(`${name}: skipped, openssl is not on PATH`);
    return { kind: 'load', peers: [] };
  }
  const ground = { folder: plan.folder, backendPorts: plan.backendPorts, certificate };
  return workload.kind === 'load'
    ? { kind: 'load', peers: await loads(name, workload, plan, ground) }
    : { kind: 'idle', peers: await idles(name, workload, plan, ground) };
}

/** Runs all peers from the beginning and in turns, so that the machine's variations affect all alike. */
async function loads(name: string, workload: LoadWorkload, plan: Plan, ground: Ground) {
  const { rounds, seconds, folder, say } = plan;
  const all = await standAll(name, plan, ground);
  try {
    const seen = new Map<Standing, Round[]>(all.map(each => [each, []]));
    for (const each of all) await warmUp(each, workload, Math.min(warmSeconds, seconds), folder);
    for (let turn = 1; turn <= rounds; turn += 1) {
      for (const [standing, those] of seen) {
        const one = await round(standing, workload, seconds, folder);
        those.push(one);
        say(`${name} ${turn}/${rounds} ${standing.name}: ${sentenceOf(one)}`);
      }
    }
    return [...seen].map(([{ name, version }, those]) => ({ name, version, rounds: those }));
  } finally {
    for (const { child } of all) await stop(child);
  }
}

function sentenceOf({ cpuMicros, requestsPerSecond, errors, fault }: Round): string {
  const wrong = errors > 0 || fault !== undefined ? `, ${errors} errors ${fault ?? ''}` : '';
  return `${figure(cpuMicros)} µs, ${figure(requestsPerSecond)}/s${wrong}`;
}

async function standAll(name: string, plan: Plan, ground: Ground): Promise<Standing[]> {
  const all: Standing[] = [];
  for (const [title, peer] of plan.peers) {
    const standing = await stand(title, peer, ground).catch((error: Error) => plan.say(`${name}: ${error.message}`));
    if (standing !== undefined) all.push(standing);
  }
  return all;
}

/** Runs the peers one after the other, each started afresh, because memory is measured. */
async function idles(name: string, workload: IdleWorkload, plan: Plan, ground: Ground) {
  const rows: { name: string; version: string; rounds: IdleRound[] }[] = [];
  for (const [title, peer] of plan.peers) {
    const [standing] = await standAll(name, { ...plan, peers: new Map([[title, peer]]) }, ground);
    if (standing === undefined) continue;
    const one = await measureIdle(standing, workload, plan.folder);
    await stop(standing.child);
    plan.say(`${name} ${title}: ${figure(one.kbPerConnection)} KB, ${one.errors} errors`);
    rows.push({ name: title, version: standing.version, rounds: [one] });
  }
  return rows;
}
