import { LiveHistory } from '#src/live/live-history.js';
import type { FaultRecord, LabRecord, ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { runInMemory } from '../test/simulator/model/run-in-memory.js';

/**
 * Measures what judging a side of the live lab costs while it goes on.
 *
 *   node dist/bench/live.js [minutes, default 30] [users, default 64]
 *       makes a run in memory in which every ten seconds another backend is killed for three seconds. It then tells the
 *       run to a `LiveHistory` as a side does: ten times a second it judges for at most 10 ms, and makes a view.
 */

const [minutes = 30, users = 64] = process.argv.slice(2).map(Number);
const tickMs = 100;
const budgetMs = 10;
const killEveryMs = 10_000;
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

function timeOf(work: () => unknown): number {
  const beforeMs = performance.now();
  work();
  return performance.now() - beforeMs;
}

function measure(run: ListedRun): void {
  const history = new LiveHistory({ header: run.header });
  const [spent, longest] = [
    { told: 0, judged: 0, viewed: 0 },
    { told: 0, judged: 0, viewed: 0 },
  ];
  let nowMs = tickMs;
  const note = (name: keyof typeof spent, work: () => unknown) => {
    const ms = timeOf(work);
    spent[name] += ms;
    longest[name] = Math.max(longest[name], ms);
  };
  const tick = () => {
    note('judged', () => history.judgeSome(budgetMs));
    note('viewed', () => history.view(nowMs));
    nowMs += tickMs;
    if (nowMs % 300_000 !== 0) return;
    const all = Object.entries(spent).map(([name, ms]) => {
      const text = `${name} ${(ms / 3_000).toFixed(2)} % of a core, at most ${longest[name as keyof typeof spent].toFixed(1)} ms`;
      spent[name as keyof typeof spent] = 0;
      longest[name as keyof typeof spent] = 0;
      return text;
    });
    console.log(`until minute ${String(nowMs / 60_000).padStart(2)}: ${all.join('; ')}`);
  };
  for (const { atMs, tell } of factsOf(run)) {
    while (nowMs < atMs) tick();
    note('told', () => tell(history));
  }
  history.judgeAll();
  const { id, ...rest } = run.faults.at(-1) as FaultRecord;
  history.strike({ ...rest, id }, 'healed');
  const allMs = timeOf(() => history.judgeAll());
  const { loggedOut, exposed, missing, lost, acknowledged } = history.view(nowMs).counts;
  console.log(
    `all users again: ${allMs.toFixed(0)} ms, ${((1000 * allMs) / run.operations.length).toFixed(2)} us for each operation`,
  );
  console.log(
    `record: ${timeOf(() => history.record(lab)).toFixed(1)} ms; cut: ${timeOf(() => history.trim()).toFixed(1)} ms`,
  );
  console.log(`logged out ${loggedOut} of ${exposed}, missing ${missing} and lost ${lost} of ${acknowledged}`);
}

for (const mode of ['sticky', 'redis'] as const) {
  const scenario = makeScenario();
  const run = await runInMemory(scenario, mode, makePlan(scenario, 42));
  console.log(`\n${mode}: ${run.operations.length.toLocaleString('en')} operations, ${run.faults.length} faults`);
  measure(run);
}
