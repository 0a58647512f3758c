import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { expectationsOf } from '#src/simulator/scenario/scenario.js';
import { broken, complaint } from './broken-scenario.js';

describe('the language of a scenario', () => {
  it('reads expectations with windows, and warnings', () => {
    const lines = `- requests.failed during recovery < 1 %
    - latencyMs.p99 during then < 400
    - warn: requests.bad during 0s..7.5s < 5 %`;
    const scenario = parseScenario(broken('- writes.lost == 0', lines), 'test.yaml');
    expect(expectationsOf(scenario, 'redis').slice(1)).to.deep.equal([
      'requests.failed during recovery < 1 %',
      'latencyMs.p99 during then < 400',
      { warn: 'requests.bad during 0s..7.5s < 5 %' },
    ]);
  });

  it('reads faults that wait for a count, and faults that last to the end of the phase', () => {
    const text = broken('target: backend-2, for: 1s', 'target: backend-2').replace(
      'after: kill + 500ms',
      'when: writes.acknowledged since kill >= 50',
    );
    expect(parseScenario(text, 'test.yaml').faults).to.deep.equal([
      { id: 'kill', trigger: { atMs: 1000 }, do: 'kill', target: 'backend-2' },
      {
        id: 'then',
        trigger: { counter: 'writes.acknowledged', sinceFault: 'kill', atLeast: 50 },
        do: 'hang',
        target: 'redis',
        forMs: 1000,
      },
    ]);
    expect(parseScenario(broken('at: 1s', 'when: requests.ok >= 9'), 'test.yaml').faults[0]?.trigger).to.deep.equal({
      counter: 'requests.ok',
      atLeast: 9,
    });
  });

  const refused: readonly (readonly [what: string, text: string, place: string, message: string])[] = [
    [
      'two triggers, one of them a count',
      broken('at: 1s', 'at: 1s, when: requests.ok >= 9'),
      '8:5',
      'found "at" and "when", expected one of the three',
    ],
    [
      'an unknown count',
      broken('at: 1s', 'when: writes.acknowledge >= 9'),
      '8:23',
      'unknown count "writes.acknowledge". Did you mean "writes.acknowledged"? Known: writes.acknowledged,',
    ],
    [
      'more users than ever arrive',
      broken('at: 1s', 'when: users.total >= 401'),
      '8:23',
      'found 401 users, expected at most the 400 that ever arrive: users.arrivals.max-active',
    ],
    [
      'a count in prose',
      broken('at: 1s', 'when: enough was written'),
      '8:23',
      'found "enough was written", expected a count such as "writes.acknowledged since cut >= 50"',
    ],
    [
      'a count that is reached from the start',
      broken('at: 1s', 'when: requests.ok >= 0'),
      '8:23',
      'expected a count such',
    ],
    ['a count below', broken('at: 1s', 'when: requests.ok < 9'), '8:23', 'expected a count such as'],
    [
      'a count since an unknown fault',
      broken('after: kill + 500ms', 'when: requests.ok since kil >= 9'),
      '9:23',
      'unknown earlier fault "kil". Did you mean "kill"?',
    ],
    [
      'a count since a later fault',
      broken('at: 1s', 'when: requests.ok since then >= 9'),
      '8:23',
      'found "then", expected the id of an earlier fault, but this is the first: remove "since then"',
    ],
    [
      'a fault without a length that strikes too late',
      broken('at: 1s', 'at: 4001ms').replace('backend-2, for: 1s', 'backend-2'),
      '8:21',
      'strikes 4001ms after the faults phase began at the earliest, expected at most 4000ms',
    ],
    [
      'a length that does not fit after a count',
      broken('after: kill + 500ms', 'when: requests.ok since kill >= 9').replace(
        'target: redis, for: 1s',
        'target: redis, for: 3001ms',
      ),
      '9:',
      'heals 4001ms after the faults phase began at the earliest',
    ],
    [
      'a window that is no phase and no fault',
      broken('- writes.lost == 0', '- writes.lost during kil == 0'),
      '13:7',
      'unknown window "kil". Did you mean "kill"? Known: warmup, baseline, faults, recovery, kill, then, <from>..<until>.',
    ],
    [
      'a window that is no phase, in a warning',
      broken('- writes.lost == 0', '- warn: writes.lost during recovry == 0'),
      '13:13',
      'unknown window "recovry". Did you mean "recovery"?',
    ],
    [
      'the window of a phase that does not last',
      broken('- writes.lost == 0', '- writes.lost during warmup == 0').replace('phases: { ', 'phases: { warmup: 0s, '),
      '13:7',
      'the phase warmup, which lasts 0ms: lengthen phases.warmup',
    ],
    [
      'a window beyond the end',
      broken('- writes.lost == 0', '- writes.lost during 1s..7501ms == 0'),
      '13:7',
      'found a window until 7501ms, expected at most the 7500ms from warmup to recovery',
    ],
    [
      'a window for a metric of the whole run',
      broken('- writes.lost == 0', '- recoveryMs during recovery < 9'),
      '13:7',
      'found recoveryMs during recovery, but recoveryMs is counted over the whole run',
    ],
    [
      'an expectation that every run meets',
      broken('- writes.lost == 0', '- writes.lost >= 0'),
      '13:7',
      'found "writes.lost >= 0", which every run meets. Expected a limit that a run can fail',
    ],
    [
      'a member that the system does not have',
      broken('- writes.lost == 0', '- members.backend-9.answered > 0'),
      '13:7',
      'unknown member "backend-9"',
    ],
    [
      'the only proxy, whose answers are not counted',
      broken('- writes.lost == 0', '- members.proxy.answered > 0'),
      '13:7',
      'found "proxy", but the answers of a single proxy are not counted separately, expected backend-1 or',
    ],
    [
      'answers of a member of a system that is already running',
      broken('- writes.lost == 0', '- members.backend-1.answered > 0').replace(
        /faults:\n(?: .*\n)*/,
        'system: { target: "http://127.0.0.1:8080" }\n',
      ),
      '11:7',
      'found members.backend-1.answered, but a system under system.target has no members that are counted: remove the line',
    ],
    ['a fault named like a phase', broken('id: then', 'id: recovery'), '9:11', 'which is the name of a phase'],
    [
      'a warning that does not parse',
      broken('- writes.lost == 0', '- warn: writes.lots == 0'),
      '13:13',
      'unknown metric "writes.lots". Did you mean "writes.lost"?',
    ],
    [
      'an unknown level',
      broken('- writes.lost == 0', '- hint: writes.lost == 0'),
      '13:7',
      'unknown key in a warning "hint". Known: warn.',
    ],
    ['a warning of nothing', broken('- writes.lost == 0', '- warn:'), '13:7', 'found nothing, expected an expectation'],
  ];

  for (const [what, text, place, message] of refused) {
    it(`is refused at the right place: ${what}`, () => {
      const first = complaint(text).split('\n')[0] ?? '';
      expect(first).to.match(new RegExp(`^test\\.yaml:${place}`));
      expect(first).to.include(message);
    });
  }
});
