import { expect } from 'chai';
import * as fc from 'fast-check';
import { exportScenarios, type FoundSide } from '#src/live/export-scenario.js';
import { type ModeName, modeNames } from '#src/modes.js';
import { kindOf, resolveTargetName, targetsOf } from '#src/simulator/cluster/targets.js';
import { faults as registry } from '#src/simulator/faults/kinds/registry.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { findMissingTarget, type Scenario } from '#src/simulator/scenario/scenario.js';
import { findings, run } from '../simulator/judged.js';
import { lab } from './sessions.js';

/** A value of each option, for the faults that need one. */
const options: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  flap: { up: '1s', down: '200ms' },
  errors: { percent: 20 },
  block: { stall: '80ms', every: '200ms' },
  'clock-skew': { by: '-90s' },
  slow: { latency: '300ms', jitter: '20ms' },
  throttle: { rate: '10KB/s' },
  reset: { bytes: 300 },
  truncate: { bytes: 300 },
  loss: { percent: 30 },
  promote: { 'for-backends': ['backend-1', 'backend-2'] },
  deploy: { rollback: 'after 2s' },
  exec: { inject: 'echo "# broken: { yes }"', confirm: "test -f '/tmp/broken'\n", within: '2s' },
};

const replicated: Scenario = {
  ...lab,
  system: { ...lab.system, redis: { ...lab.system.redis, replicas: 1, persistence: 'aof' } },
};

interface Possible {
  readonly fault: string;
  readonly target: string;
}

/** Every fault of the registry with every target that it can strike in this mode. */
function possibleIn(mode: ModeName, { system }: Scenario): Possible[] {
  const { backends, stores, proxies, links } = targetsOf(system);
  const ends = [...links].flatMap(([from, to]) => to.map(end => `${from}->${end}`));
  const targets = [...backends, ...stores, ...proxies, ...ends, 'backends', 'secrets', 'system'];
  const named = targets.filter(target => !target.includes('backend-any') && canBeStruck(mode, target, system));
  return Object.entries(registry).flatMap(([fault, { targets: kinds, explainMissing }]) =>
    named
      .filter(target => kinds.includes(kindOf(target)))
      .filter(target => explainMissing?.(target, system, options[fault] ?? {}) === undefined)
      .map(target => ({ fault, target })),
  );
}

function canBeStruck(mode: ModeName, target: string, system: Scenario['system']): boolean {
  const fault = { id: 'strike', trigger: { atMs: 0 }, do: '', target };
  return (
    findMissingTarget({ faults: [fault] }, mode) === undefined && resolveTargetName(mode, target, system) === target
  );
}

const possible = new Map(
  [lab, replicated].map(scenario => [
    scenario,
    new Map(modeNames.map(mode => [mode, possibleIn(mode, scenario)] as const)),
  ]),
);

const momentMs = fc.double({ min: 0, max: 3_000_000, noNaN: true });

function recordsIn(mode: ModeName, scenario: Scenario): fc.Arbitrary<FaultRecord[]> {
  const record = fc.record({
    possible: fc.constantFrom(...(possible.get(scenario)?.get(mode) ?? [])),
    id: fc.oneof(fc.string(), fc.constantFrom('faults', 'kill', 'kill-backend-2', 'slow-proxy->backend-1'.repeat(3))),
    requestedMs: momentMs,
    confirmsAfterMs: fc.option(momentMs),
    healsAfterMs: fc.option(momentMs),
    problem: fc.option(
      fc.array(fc.nat(0x10ffff)).map(points => String.fromCodePoint(...points)),
      { nil: undefined },
    ),
  });
  return fc.array(record.map(toRecord), { maxLength: 12 });
}

function toRecord(drawn: {
  readonly possible: Possible;
  readonly id: string;
  readonly requestedMs: number;
  readonly confirmsAfterMs: number | null;
  readonly healsAfterMs: number | null;
  readonly problem: string | undefined;
}): FaultRecord {
  const { possible, id, requestedMs, confirmsAfterMs, healsAfterMs, problem } = drawn;
  const confirmedMs = confirmsAfterMs === null ? null : requestedMs + confirmsAfterMs;
  const healedMs = healsAfterMs === null || confirmedMs === null ? null : confirmedMs + healsAfterMs;
  const own = options[possible.fault];
  return {
    type: 'fault',
    id,
    ...possible,
    ...(own !== undefined && { options: own }),
    requestedMs,
    confirmedMs,
    healRequestedMs: healedMs,
    healedMs,
    ...(problem !== undefined && { problem }),
  };
}

function sideOf(mode: ModeName, faults: readonly FaultRecord[]): FoundSide {
  return { run: { ...run, header: { ...run.header, mode }, faults }, findings };
}

describe('the scenario of any live session', () => {
  for (const scenario of [lab, replicated]) {
    const store = scenario === lab ? 'a plain Redis' : 'a replicated Redis';
    it(`is accepted by the parser, whatever was struck in a lab with ${store}`, () => {
      const mode = fc.constantFrom(...modeNames);
      const side = mode.chain(name => recordsIn(name, scenario).map(faults => sideOf(name, faults)));
      const twins = fc
        .tuple(mode, mode)
        .chain(([one, other]) =>
          recordsIn(one, scenario).map((faults): [FoundSide, FoundSide] => [
            sideOf(one, faults),
            sideOf(other, faults),
          ]),
        );
      const property = fc.property(fc.oneof(twins, fc.tuple(side, side)), ([left, right]) => {
        for (const { name, text } of exportScenarios(scenario, { left, right })) {
          const parsed = parseScenario(text, name);
          expect(parsed.faults.length).to.be.at.most(left.run.faults.length + right.run.faults.length);
        }
      });
      fc.assert(property, { numRuns: 50 });
    });
  }

  it('is tried with every fault of the registry', () => {
    const tried = [...possible.values()].flatMap(byMode => [...byMode.values()].flat());
    expect(new Set(tried.map(({ fault }) => fault))).to.have.all.keys(Object.keys(registry));
  });

  it('holds at most as many faults as a file may hold', () => {
    const [kill] = possibleIn('redis', lab);
    const faults = Array.from({ length: 230 }, (_, index) =>
      toRecord({
        possible: kill ?? { fault: 'kill', target: 'backend-1' },
        id: `kill-${index}`,
        requestedMs: 1000 * index,
        confirmsAfterMs: 1,
        healsAfterMs: 2,
        problem: undefined,
      }),
    );
    const [file] = exportScenarios(lab, { left: sideOf('redis', faults) });
    expect(parseScenario(file?.text ?? '', 'scenario.yaml').faults.length).to.equal(200);
    expect(file?.text).to.include('# - 30 strikes from 200.0 s of the session on:');
  });
});
