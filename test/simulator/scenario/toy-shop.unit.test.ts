import { expect } from 'chai';
import { ScenarioError } from '#src/simulator/errors.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { percentage, readerOf } from '#src/simulator/scenario/values.js';

/** Returns a scenario of the toy shop in which `what` replaces `piece`. */
function scenario(piece = '', what = ''): string {
  const good = `name: test
why: To be broken.
modes: [redis]
users:
  arrivals: { rate: 20/s, for: 2s }
faults:
  - { id: one, at: 1s, do: errors, percent: 5, target: backend-2, for: 1s }
`;
  expect(good).to.include(piece);
  return good.replace(piece, what);
}

const command = 'system: { backends: { command: node own.js } }\nfaults:';
const cases: readonly (readonly [what: string, text: string, message: string])[] = [
  [
    'errors of a program of your own',
    scenario('faults:', command),
    '8:56: found a backend of your own (system.backends.command), expected the toy shop: only it can simulate errors. Break yours with "do: exec"',
  ],
  [
    'a stall that never ends',
    scenario('errors, percent: 5', 'block, stall: 2s, every: 1s'),
    'found a stall of 2000ms every 1000ms, expected every to be longer than stall',
  ],
  [
    'a stall beyond what it can be told',
    scenario('errors, percent: 5', 'block, stall: 1min, every: 2min'),
    'found "1min", expected a duration from 1ms to 10s, such as 500ms or 5s',
  ],
  ['no skew', scenario('errors, percent: 5', 'clock-skew, by: -0s'), 'and not 0, such as -90s'],
  ['a skew in words', scenario('errors, percent: 5', 'clock-skew, by: late'), 'expected a duration with a sign'],
  [
    'a share above all',
    scenario('percent: 5', 'percent: 101 %'),
    'found "101 %", expected a whole number from 1 to 100',
  ],
  ['more errors than requests', scenario('percent: 5', 'percent: 101'), 'expected a whole number from 1 to 100'],
  [
    'a session cookie beside the shop, which has its own',
    scenario('faults:', '  cookie: sid\nfaults:'),
    '6:3: found cookie beside the journey shop, whose session cookie is known',
  ],
];

describe('a scenario with faults of the toy shop', () => {
  it('is read', () => {
    const skewed = scenario('errors, percent: 5', 'clock-skew, by: -90s');
    for (const text of [scenario(), skewed, scenario('errors, percent: 5', 'flap, up: 1s, down: 200ms')])
      expect(parseScenario(text, 'test.yaml').faults).to.have.length(1);
  });

  it('has a percentage as a number or as a share', () => {
    expect(parseScenario(scenario('percent: 5', 'percent: 5 %'), 'test.yaml').faults).to.have.length(1);
    const read = readerOf({ percent: percentage(99) });
    expect([read({ percent: 30 }), read({ percent: '30 %' })]).to.deep.equal([{ percent: 30 }, { percent: 30 }]);
  });

  for (const [what, text, message] of cases)
    it(`refuses ${what}`, () => {
      expect(() => parseScenario(text, 'test.yaml')).to.throw(ScenarioError, message);
    });
});
