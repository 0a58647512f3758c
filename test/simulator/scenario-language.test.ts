import { expect } from 'chai';
import { expectationsOf } from '#src/simulator/scenario.js';
import { parseScenario } from '#src/simulator/scenario-file.js';
import { broken, complaint } from './broken-scenario.js';

describe('the language of a scenario', () => {
  it('reads expectations of windows, and warnings', () => {
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

  const refused: readonly (readonly [what: string, text: string, place: string, message: string])[] = [
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
      'a window of what has none',
      broken('- writes.lost == 0', '- recoveryMs during recovery < 9'),
      '13:7',
      'found recoveryMs during recovery, but recoveryMs is a matter of the whole run',
    ],
    ['a fault named like a phase', broken('id: then', 'id: recovery'), '9:11', 'which is the name of a phase'],
    [
      'a warning that does not parse',
      broken('- writes.lost == 0', '- warn: writes.lots == 0'),
      '13:13',
      'unknown metric "writes.lots". Did you mean "writes.lost"?',
    ],
    [
      'a level that is none',
      broken('- writes.lost == 0', '- hint: writes.lost == 0'),
      '13:7',
      'unknown key in a warning "hint". Known: warn.',
    ],
    ['a warning of nothing', broken('- writes.lost == 0', '- warn:'), '13:7', 'found nothing, expected an expectation'],
  ];

  for (const [what, text, place, message] of refused) {
    it(`is refused at its place: ${what}`, () => {
      const first = complaint(text).split('\n')[0] ?? '';
      expect(first).to.match(new RegExp(`^test\\.yaml:${place}:`));
      expect(first).to.include(message);
    });
  }
});
