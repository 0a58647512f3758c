import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';

const good = `name: test
why: To be filled up.
modes: [sticky]
users:
  arrivals: { rate: 20/s, for: 2s }
`;
const goodFault = 'at: 1s, do: kill, target: redis, for: 1s';

function repeatEntry(count: number, entry: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => entry(index)).join('');
}

/** Files that take seconds to minutes if every entry is compared with every other. */
const hostile: readonly (readonly [what: string, text: string])[] = [
  ['20,000 unknown keys', good + repeatEntry(20_000, index => `k${index}: 1\n`)],
  ['100,000 faults that are none', `${good}faults: [${'1,'.repeat(100_000)}]\n`],
  ['3,000 good faults', `${good}faults: [${repeatEntry(3_000, index => `{ id: a${index}, ${goodFault} },`)}]\n`],
  [
    '12,000 wrong expectations',
    `${good}expect: { any: [${repeatEntry(12_000, index => `writes.x${index} == 0,`)}] }\n`,
  ],
];

describe('a scenario file with too many entries is refused at once:', () => {
  for (const [what, text] of hostile)
    it(what, () => {
      expect(() => parseScenario(text, 'test.yaml')).to.throw('expected at most 200 in one list or map');
    });
});
