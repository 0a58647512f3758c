import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Holdfast, withHoldfast } from '../../commands/holdfast.js';
import { viewsOf } from '../ask.js';
import { Clients } from './clients.js';
import { Configuration } from './configuration.js';
import { type SoakBackend, withFleet } from './fleet.js';
import { cpuMsOf, Footprint, openConnections } from './footprint.js';
import { makeTroubles } from './make-trouble.js';
import { PostLedger } from './post-ledger.js';
import { SoakRecord } from './soak-record.js';
import { type PlannedTrouble, planTroubles } from './troubles.js';

export interface SoakOptions {
  readonly engine: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly ratePerS: number;
  /** The mean time between two faults, in each of the two lanes. */
  readonly meanGapMs: number;
  /** More flags of `holdfast proxy`. */
  readonly flags: readonly string[];
  /** Called regularly with the record so far. */
  readonly onProgress?: { readonly everyMs: number; tell(record: SoakRecord): void };
}

/** The lanes. Each may have one backend in trouble at a time, so two are always healthy. */
const lanes: readonly (readonly string[])[] = [
  ['backend-1', 'backend-2'],
  ['backend-3', 'backend-4'],
];
/** The time-out is long, so that only a hung backend fails a check, even on a busy machine. */
const health = ['--health-interval=500ms', '--health-timeout=2s'];
/** After the clients have left, the proxy may have requests in flight for this long. */
const idleWithinMs = 5_000;

/** Runs load and faults through a real proxy process and real backends. Returns what was seen. */
export async function soak(options: SoakOptions): Promise<SoakRecord> {
  const ledger = new PostLedger();
  const onRan = (token: string, incarnation: string): void => ledger.executed(token, incarnation);
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-soak-'));
  try {
    return await withFleet(lanes.flat().length, onRan, fleet => {
      const configuration = new Configuration(folder, fleet);
      configuration.write();
      return withHoldfast(proxyArgs(options, configuration), proxy =>
        run(options, proxy, { fleet, configuration, ledger }),
      );
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function proxyArgs({ engine, flags }: SoakOptions, { file }: Configuration): string[] {
  const ports = ['--port=0', '--admin-port=0'];
  return ['proxy', '--mode=sticky', `--engine=${engine}`, ...ports, ...health, ...flags, '--config', file];
}

interface Stage {
  readonly fleet: readonly SoakBackend[];
  readonly configuration: Configuration;
  readonly ledger: PostLedger;
}

async function run(
  options: SoakOptions,
  proxy: Holdfast,
  { fleet, configuration, ledger }: Stage,
): Promise<SoakRecord> {
  const { url, adminUrl } = await listening(proxy);
  const pid = proxy.child.pid ?? 0;
  const startedMs = performance.now();
  const footprint = new Footprint(pid, Math.max(1_000, options.durationMs / 600));
  const record = new SoakRecord(ledger, footprint, startedMs);
  const clients = new Clients(url, options.ratePerS, options.seed, shot => record.add(shot));
  const progress = options.onProgress;
  const ticks = progress && setInterval(() => progress.tell(record), progress.everyMs);
  proxy.child.once('exit', code => record.offence(`the proxy ended with ${code}`));
  try {
    clients.start();
    const hangUp = () => void proxy.child.kill('SIGHUP');
    const maker = { fleet, adminUrl, configuration, hangUp, onTrouble: record.trouble };
    const plan = planTroubles({ ...options, lanes });
    await trouble(plan, options.durationMs, lane =>
      makeTroubles(lane, maker, startedMs, AbortSignal.timeout(options.durationMs)),
    );
    await clients.stop();
    record.leftOut = clients.leftOut;
    await becomesIdle({ url, adminUrl }, record);
    record.cpuMs = await cpuMsOf(pid);
    return record;
  } finally {
    clearInterval(ticks);
    footprint.stop();
    proxy.child.removeAllListeners('exit');
  }
}

async function trouble(
  plan: readonly PlannedTrouble[][],
  durationMs: number,
  make: (lane: readonly PlannedTrouble[]) => Promise<void>,
): Promise<void> {
  await Promise.all([sleep(durationMs), ...plan.map(make)]);
}

async function listening(proxy: Holdfast): Promise<{ readonly url: string; readonly adminUrl: string }> {
  const line = /listening on (\S+), admin API on (\S+)/;
  await proxy.sees(line);
  const [, url = '', adminUrl = ''] = line.exec(proxy.output.stderr) ?? [];
  return { url, adminUrl };
}

/** Reports requests and connections that remain in the proxy after its clients have left: they are stuck or leaked. */
async function becomesIdle(at: { readonly url: string; readonly adminUrl: string }, record: SoakRecord): Promise<void> {
  const deadlineMs = performance.now() + idleWithinMs;
  for (;;) {
    const busy = (await viewsOf(at.adminUrl)).filter(({ inFlight }) => inFlight > 0);
    const open = await openConnections(Number(new URL(at.url).port));
    if (busy.length === 0 && open === 0) return;
    if (performance.now() > deadlineMs) {
      const busyBackends = busy.map(({ name, inFlight }) => `${inFlight} in flight on ${name}`);
      const what = [...busyBackends, `${open} connections of clients`].join(', ');
      return record.offence(`left in the proxy ${idleWithinMs / 1000} s after the last client had gone: ${what}`);
    }
    await sleep(50);
  }
}
