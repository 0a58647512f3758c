import { expect } from 'chai';
import { countOf, planSizes } from './deployment-controller.js';
import { matchesLabels } from './objects.js';
import { applyPatch } from './patch.js';

const set = (wanted: number, ready = wanted) => ({ wanted, ready });

describe('the rollout of the test cluster', () => {
  for (const [what, surge, unavailable, next, old, nextSize, oldSize] of [
    ['adds one pod above the count', 1, 0, set(0), set(3), 1, 3],
    ['waits until the new pod is ready', 1, 0, set(1, 0), set(3), 1, 3],
    ['removes an old pod for each new one that is ready', 1, 0, set(1), set(3), 1, 2],
    ['removes first when one may be unavailable', 0, 1, set(0), set(3), 0, 2],
    ['removes an old pod that is not ready', 1, 1, set(1), set(3, 2), 1, 1],
    ['ends with new pods only', 1, 0, set(3), set(1), 3, 0],
  ] as const)
    it(what, () => {
      const sizes = planSizes({ desired: 3, surge, unavailable }, next, [old]);
      expect(sizes).to.deep.equal({ next: nextSize, old: [oldSize] });
    });

  for (const [limit, replicas, round, count] of [
    [2, 3, 'up', 2],
    ['25%', 3, 'up', 1],
    ['25%', 3, 'down', 0],
    ['100%', 3, 'down', 3],
  ] as const)
    it(`counts ${limit} of ${replicas} pods, rounded ${round}, as ${count}`, () => {
      expect(countOf(limit, replicas, round)).to.equal(count);
    });
});

describe('the patches of the test cluster', () => {
  const old = { list: [{ name: 'a', value: '1' }], other: { x: 1, y: 2 } };
  for (const [type, change, expected] of [
    ['strategic-merge-patch', { list: [{ name: 'b' }] }, { ...old, list: [{ name: 'a', value: '1' }, { name: 'b' }] }],
    ['strategic-merge-patch', { list: [{ name: 'a', $patch: 'delete' }] }, { ...old, list: [] }],
    ['merge-patch', { list: [{ name: 'b' }], other: { x: null } }, { list: [{ name: 'b' }], other: { y: 2 } }],
    ['json-patch', [{ op: 'replace', path: '/other/x', value: 3 }], { ...old, other: { x: 3, y: 2 } }],
    ['json-patch', [{ op: 'remove', path: '/other' }], { list: old.list }],
  ] as const)
    it(`applies a ${type} of ${JSON.stringify(change)}`, () => {
      expect(applyPatch(`application/${type}+json`, old, change)).to.deep.equal(expected);
    });

  for (const [selector, isMatched] of [
    ['app=shop', true],
    ['app==shop,tier=web', true],
    ['app!=shop', false],
    ['tier', true],
    ['zone', false],
  ] as const)
    it(`${isMatched ? 'accepts' : 'refuses'} labels by ${selector}`, () => {
      expect(matchesLabels(selector, { app: 'shop', tier: 'web' })).to.equal(isMatched);
    });
});
