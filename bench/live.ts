import { LiveHistory } from '#src/live/live-history.js';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, LabRecord, ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { runInMemory } from '../test/simulator/model/run-in-memory.js';

/**
 * Measures what judging a side of the live lab costs while it goes on.
 *
 *   node dist/bench/live.js [minutes, default 30] [users, default 64]
 *       makes a run in memory in which every ten seconds another backend is killed for three seconds. It then replays
 *       the run into a `LiveHistory` as a side does: ten times a second it judges for at most 10 ms, and makes a view.
 */

const [minutes = 30, users = 64] = process.argv.slice(2).map(Number);
const tickMs = 100;
const budgetMs = 10;
const killEveryMs = 10_000;
const printEveryMs = 300_000;
const lab: LabRecord = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };

const text = `name: live
why: For a measurement.
modes: [all]
system:
  backends: { count: 3 }
  proxy: { health: { every: 250ms, timeout: 300ms, fall: 2, rise: 1 }, policy: round-robin }
users:
  arrivals: { rate: ${users / 2}/s, for: 2s }
  think: { median: 900ms, p95: 2s }
  timeout: 2s
phases: { warmup: 2s, baseline: 1s, faults: 10s, recovery: 3s, quiesce: 200ms }
expect: { any: [writes.lost >= 1] }
`;

function makeScenario(): Scenario {
  const parsed = parseScenario(text, 'live.yaml');
  const faultsMs = minutes * 60_000;
  const faults = Array.from({ length: Math.floor(faultsMs / killEveryMs) }, (_, i) => {
    const target = `backend-${1 + (i % 3)}`;
    return { id: `kill-${i + 1}`, trigger: { atMs: i * killEveryMs }, do: 'kill', target, options: {}, forMs: 3_000 };
  });
  // A scenario file cannot have a phase that is as long.
  return { ...parsed, phases: { ...parsed.phases, faultsMs }, faults };
}

interface Fact {
  readonly atMs: number;
  readonly tell: (history: LiveHistory) => void;
}

function factsOf({ operations, faults }: ListedRun): Fact[] {
  const facts: Fact[] = operations.map(operation => ({
    atMs: operation.doneMs,
    tell: history => history.operation(operation),
  }));
  for (const fault of faults) {
    const open: FaultRecord = { ...fault, healRequestedMs: null, healedMs: null };
    facts.push({ atMs: fault.requestedMs, tell: history => history.strike(open, 'confirmed') });
    if (fault.healedMs !== null) facts.push({ atMs: fault.healedMs, tell: history => history.strike(fault, 'healed') });
  }
  return facts.sort((a, b) => a.atMs - b.atMs);
}

/** CPU time of this process in ms, threads of the engine included. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Adds up the CPU time of one kind of work. */
class Spent {
  #sumMs = 0;
  #longestMs = 0;

  take(work: () => unknown): void {
    const beforeMs = cpuMs();
    work();
    const ms = cpuMs() - beforeMs;
    this.#sumMs += ms;
    this.#longestMs = Math.max(this.#longestMs, ms);
  }

  /** Returns the time since the last call. */
  text(duringMs: number): string {
    const text = `${((100 * this.#sumMs) / duringMs).toFixed(2)} % of a core, at most ${this.#longestMs.toFixed(1)} ms`;
    this.#sumMs = 0;
    this.#longestMs = 0;
    return text;
  }
}

function measure(run: ListedRun): void {
  const history = new LiveHistory({ header: run.header });
  const [told, judged, viewed] = [new Spent(), new Spent(), new Spent()];
  const facts = factsOf(run);
  let next = 0;
  for (let nowMs = 0; next < facts.length; nowMs += tickMs) {
    told.take(() => {
      for (let fact = facts[next]; fact !== undefined && fact.atMs <= nowMs; fact = facts[next]) {
        fact.tell(history);
        next += 1;
      }
    });
    judged.take(() => history.judgeSome(budgetMs));
    viewed.take(() => history.view(nowMs));
    if (nowMs === 0 || nowMs % printEveryMs !== 0) continue;
    const texts = [told, judged, viewed].map(spent => spent.text(printEveryMs));
    console.log(`minute ${nowMs / 60_000}: told ${texts[0]}; judged ${texts[1]}; viewed ${texts[2]}`);
  }
  const once = (work: () => unknown): string => {
    const beforeMs = cpuMs();
    work();
    return `${(cpuMs() - beforeMs).toFixed(0)} ms`;
  };
  console.log(`check of all operations: ${once(() => check(history.record(lab)))}`);
  console.log(`cut: ${once(() => history.trim())}`);
}

for (const mode of ['sticky', 'redis'] as const) {
  const scenario = makeScenario();
  const run = await runInMemory(scenario, mode, makePlan(scenario, 42));
  console.log(`\n${mode}: ${run.operations.length.toLocaleString('en')} operations, ${run.faults.length} faults`);
  measure(run);
}
