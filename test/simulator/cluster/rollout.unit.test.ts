import { expect } from 'chai';
import { countShare, planSteps, type RolloutGoal, type Slot } from '#src/simulator/cluster/rollout.js';

const codes = {
  '-': { state: 'free', isNew: false },
  a: { state: 'ready', isNew: false },
  B: { state: 'ready', isNew: true },
  s: { state: 'starting', isNew: true },
  x: { state: 'leaving', isNew: false },
} as const;

/** Returns the slots 1, 2, ... from one letter each: `-` free, `a` old, `B` new, `s` starting, `x` leaving. */
function slotsOf(letters: string): Slot[] {
  return [...letters].map((letter, i) => {
    const code = Object.entries(codes).find(([key]) => key === letter)?.[1] ?? expect.fail(letter);
    return { name: String(i + 1), ...code };
  });
}

const goal = (surge: number, unavailable: number, wanted = 3): RolloutGoal => ({
  ...{ count: 3, wanted, surge, unavailable },
});

describe('the next steps of a rollout', () => {
  const table: readonly (readonly [what: string, slots: string, RolloutGoal, start: string[], remove: string[]])[] = [
    ['removes an old backend first if there is no surge', 'aaa', goal(0, 1), [], ['1']],
    ['waits until the old backend has ended', 'xaa', goal(0, 1), [], []],
    ['starts the new backend in the freed place', '-aa', goal(0, 1), ['1'], []],
    ['waits until the new backend is ready', 'saa', goal(0, 1), [], []],
    ['starts a backend in the spare place first if there is a surge', 'aaa-', goal(1, 0), ['4'], []],
    ['removes no backend while the new one starts', 'aaas', goal(1, 0), [], []],
    ['removes an old backend once the new one is ready', 'aaaB', goal(1, 0), [], ['1']],
    ['starts no backend beyond count + surge', 'xaaB', goal(1, 0), [], []],
    ['does both at once if both are allowed', 'aaa-', goal(1, 1), ['4'], ['1']],
    ['replaces several at once', 'aaa--', goal(2, 0), ['4', '5'], []],
    ['replaces all at once if none must be ready', 'aaa', goal(0, 3), [], ['1', '2', '3']],
    ['removes the last old backend', '-BaBB'.slice(1), goal(1, 0), [], ['2']],
    ['is done when all are new', 'BB-B', goal(1, 0), [], []],
    ['replaces no more than the canary', 'B-aa', goal(1, 0, 1), [], []],
    ['removes one old backend for the canary', 'aaaB', goal(1, 0, 1), [], ['1']],
    ['finds no step without surge and unavailable', 'aaa', goal(0, 0), [], []],
    ['finds no step when no place is free for the surge', 'aaa', goal(1, 0), [], []],
  ];
  for (const [what, slots, wanted, start, remove] of table)
    it(`${what}: ${slots}`, () => expect(planSteps(slotsOf(slots), wanted)).to.deep.equal({ start, remove }));

  it('keep the limits and end with all backends new, in whatever order the steps end', () => {
    for (const [count, surge, unavailable] of [
      ...[[1, 0, 1] as const, [1, 1, 0] as const, [3, 0, 1] as const, [3, 1, 0] as const],
      ...[[5, 2, 1] as const, [5, 3, 2] as const, [4, 0, 4] as const],
    ])
      for (const takeLast of [true, false]) expectRollout({ count, wanted: count, surge, unavailable }, takeLast);
  });
});

/** Plays a rollout, one ended step at a time. Fails when it breaks a limit, or does not end. */
function expectRollout(goal: RolloutGoal, takeLast: boolean): void {
  const { count, surge, unavailable } = goal;
  let slots = slotsOf('a'.repeat(count) + '-'.repeat(surge));
  for (let steps = 0; steps < 100; steps += 1) {
    const { start, remove } = planSteps(slots, goal);
    slots = slots.map(slot => {
      if (start.includes(slot.name)) return { ...slot, ...codes.s };
      return remove.includes(slot.name) ? { ...slot, ...codes.x } : slot;
    });
    expect(slots.filter(({ state }) => state !== 'free').length).to.be.at.most(count + surge);
    expect(slots.filter(({ state }) => state === 'ready').length).to.be.at.least(count - unavailable);
    const busy = slots.filter(({ state }) => state === 'starting' || state === 'leaving');
    const ended = takeLast ? busy.at(-1) : busy[0];
    if (ended === undefined) break;
    const next = ended.state === 'starting' ? codes.B : codes['-'];
    slots = slots.map(slot => (slot === ended ? { ...slot, ...next } : slot));
  }
  const running = slots.filter(({ state }) => state !== 'free');
  expect(running.map(({ state, isNew }) => `${state} ${isNew}`)).to.deep.equal(Array(count).fill('ready true'));
}

describe('a share of backends', () => {
  for (const [share, count, expected] of [
    [0.1, 3, 1],
    [0.5, 4, 2],
    [0.5, 3, 2],
    [0.34, 3, 1],
    [1, 3, 3],
    [0.99, 1, 1],
  ] as const)
    it(`${share} of ${count} is ${expected}`, () => expect(countShare(share, count)).to.equal(expected));
});
