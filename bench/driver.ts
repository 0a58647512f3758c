/**
 * Measures how fast and how punctual the simulated users are. Nothing behind them is slow: a small HTTP server in
 * another process answers every request immediately, like the shop.
 *
 *   node dist/bench/driver.js [requests per second ...]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Operation } from '#src/simulator/history/records.js';
import type { Plan } from '#src/simulator/plan/plan.js';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { RunClock } from '#src/simulator/run/run-clock.js';
import { Driver } from '#src/simulator/users/driver.js';
import { shopJourney } from '#src/simulator/users/journey.js';

const lastsMs = 3_000;
const thinkMs = 250;
const [share99Mark, lagMarkMs] = [0.99, 20];

const given = process.argv.slice(2).map(Number);
console.log('planned/s  done/s  not ok  dropped  lag p50  lag p99  lag max (ms)  CPU of one core');
for (const rate of given.length > 0 ? given : [500, 1_000, 2_000]) console.log(await row(rate));
console.log(`mark: at 2,000 requests/s a lag p${share99Mark * 100} under ${lagMarkMs} ms`);

async function row(ratePerSecond: number): Promise<string> {
  const { origin, stop } = await startServer();
  const clock = new RunClock();
  const operations: Operation[] = [];
  const driver = new Driver({
    plan: evenPlan(ratePerSecond),
    proxies: [{ name: 'proxy', url: origin }],
    revocationLagMs: 0,
    timeoutMs: 2_000,
    journey: shopJourney,
    clock,
    onOperation: operation => operations.push(operation),
  });
  const before = process.cpuUsage();
  await driver.run();
  const tookMs = clock.now();
  const { user, system } = process.cpuUsage(before);
  await driver.close();
  await stop();
  const { lagMs, dropped } = driver.lab();
  return [
    String(ratePerSecond).padStart(9),
    String(Math.round((operations.length / tookMs) * 1_000)).padStart(6),
    String(operations.filter(({ outcome }) => outcome !== 'ok').length).padStart(6),
    String(dropped).padStart(7),
    ...[lagMs.p50, lagMs.p99, lagMs.max].map(lag => lag.toFixed(1).padStart(7)),
    `${Math.round((user + system) / 10 / tookMs)} %`.padStart(20),
  ].join('  ');
}

/** Makes a plan for this rate: each user has a step every `thinkMs`, and the users are spread evenly. */
function evenPlan(ratePerSecond: number): Plan {
  const count = Math.round((ratePerSecond * thinkMs) / 1_000);
  const users = Array.from({ length: count }, (_, index) => {
    const steps: PlannedStep[] = [];
    for (let atMs = (index * thinkMs) / count; atMs < lastsMs; atMs += thinkMs)
      steps.push(steps.length === 0 ? { atMs, kind: 'login' } : wish(`user-${index}`, steps.length, atMs));
    return { name: `user-${index}`, steps };
  });
  return { scenario: 'bench', seed: 1, users, faults: [] };
}

function wish(user: string, nth: number, atMs: number): PlannedStep {
  return nth % 3 === 0 ? { atMs, kind: 'read' } : { atMs, kind: 'add', token: `${user}.${nth}` };
}

async function startServer(): Promise<{ origin: string; stop(): Promise<void> }> {
  const server = fork(new URL('driver-server.js', import.meta.url));
  const [port] = await once(server, 'message');
  return {
    origin: `http://127.0.0.1:${port}`,
    async stop() {
      server.kill();
      await once(server, 'exit');
    },
  };
}
