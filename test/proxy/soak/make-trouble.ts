import { setTimeout as sleep } from 'node:timers/promises';
import { ask, viewsOf } from '../ask.js';
import type { Configuration } from './configuration.js';
import type { SoakBackend } from './fleet.js';
import type { PlannedTrouble, Trouble, TroubleKind } from './troubles.js';

/** Pause after the proxy reports a backend as ready: a check in progress may still fail. */
const settleMs = 1_000;
/** A change that the proxy has not noticed by then counts as missed. */
const backWithinMs = 30_000;
const lookMs = 100;

export interface TroubleMaker {
  readonly fleet: readonly SoakBackend[];
  readonly adminUrl: string;
  readonly configuration: Configuration;
  /** Makes the proxy read its configuration again. */
  hangUp(): void;
  /** Called before each fault begins. */
  onTrouble(trouble: Trouble): void;
}

/** Runs one lane of the plan, one fault after the other. Rejects when a backend does not come back. */
export async function makeTroubles(
  plan: readonly PlannedTrouble[],
  maker: TroubleMaker,
  startedMs: number,
  signal: AbortSignal,
): Promise<void> {
  for (const planned of plan) {
    await sleep(Math.max(0, startedMs + planned.atMs - performance.now()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const { kind, backend: name } = planned;
    const backend = maker.fleet.find(each => each.name === name);
    if (backend === undefined) throw new Error(`no backend ${name}`);
    const trouble: Trouble = { kind, backend: name, fromMs: performance.now(), untilMs: Number.POSITIVE_INFINITY };
    maker.onTrouble(trouble);
    await acts[kind](backend, planned.lastsMs, maker, trouble);
    await isBack(backend, maker.adminUrl);
    await sleep(settleMs);
    trouble.untilMs = performance.now();
  }
}

type Act = (backend: SoakBackend, lastsMs: number, maker: TroubleMaker, trouble: Trouble) => Promise<void>;

const acts: Record<TroubleKind, Act> = {
  async kill(backend, lastsMs, _, trouble) {
    await backend.kill();
    trouble.deadMs = performance.now();
    await sleep(lastsMs);
    await backend.start();
  },
  async hang(backend, lastsMs) {
    backend.signal('SIGSTOP');
    await sleep(lastsMs);
    backend.signal('SIGCONT');
  },
  /** Keeps bound browsers for half of the time, then moves them. */
  async drain({ name }, lastsMs, { adminUrl }) {
    await order(adminUrl, name, { state: 'drain', windowMs: Math.ceil(lastsMs / 2) });
    await sleep(lastsMs);
    await order(adminUrl, name, { state: 'ready' });
  },
  /** Removes the backend from the configuration and adds it again; its requests in flight finish. */
  async reload({ name }, lastsMs, { configuration, adminUrl, hangUp }) {
    configuration.leaveOut(name);
    configuration.write();
    hangUp();
    await until(`${name} is left out`, async () => (await viewsOf(adminUrl)).every(view => view.name !== name));
    await sleep(lastsMs);
    configuration.takeIn(name);
    configuration.write();
    hangUp();
  },
};

async function order(adminUrl: string, name: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await ask(adminUrl, `/backends/${name}`, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`PUT /backends/${name}: ${answer.status} ${answer.text}`);
}

async function isBack({ name, incarnation }: SoakBackend, adminUrl: string): Promise<void> {
  await until(`${name} is ready again`, async () => {
    const view = (await viewsOf(adminUrl)).find(each => each.name === name);
    return view?.state === 'ready' && view.incarnation === incarnation;
  });
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + backWithinMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`after ${backWithinMs / 1000} s it is not seen that ${what}`);
    await sleep(lookMs);
  }
}
