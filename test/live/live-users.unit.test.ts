import { expect } from 'chai';
import { LiveUsers } from '#src/live/live-users.js';
import type { UserScript } from '#src/simulator/plan/planned-user.js';
import { labScenario } from './lab-scenario.js';

const inOneSecondMax = 40;

/** Makes the users of a side. Returns them, a clock to set, and when each user sends its first request. */
function makeUsers() {
  const clock = { ms: 0 };
  const comingMs: number[] = [];
  const users = new LiveUsers({
    scenario: labScenario(),
    seed: 42,
    clock: { now: () => clock.ms },
    driver: {
      add: async ({ steps }: UserScript) => {
        for (const { atMs } of steps) return void comingMs.push(atMs);
      },
      leave: async () => undefined,
    },
    onCome: () => undefined,
    onLeft: () => undefined,
    onBroken: error => expect.fail(String(error)),
  });
  return { users, clock, comingMs };
}

const settle = () => new Promise(resolve => setImmediate(resolve));

function mostInOneSecond(times: readonly number[]): number {
  return Math.max(...times.map(from => times.filter(ms => ms >= from && ms < from + 1_000).length));
}

describe('the users of a side who come together', () => {
  it('come within two seconds when they are few', async () => {
    const { users, comingMs } = makeUsers();
    users.setCount(64);
    await settle();
    expect(comingMs).to.have.length(64);
    expect(Math.max(...comingMs)).to.be.within(1_900, 2_000);
  });

  it('are at most forty in a second when they are many, so that the logins overload no system', async () => {
    const { users, comingMs } = makeUsers();
    users.setCount(400);
    await settle();
    expect(comingMs).to.have.length(400);
    expect(mostInOneSecond(comingMs)).to.be.at.most(inOneSecondMax);
  });

  it('come after the users of an earlier call, and do not wait for users who have left', async () => {
    const { users, clock, comingMs } = makeUsers();
    users.setCount(200);
    clock.ms = 100;
    users.setCount(400);
    await settle();
    expect(mostInOneSecond(comingMs)).to.be.at.most(inOneSecondMax);
    expect(Math.max(...comingMs)).to.be.within(9_900, 10_100);
    users.setCount(8);
    clock.ms = 1_000;
    users.setCount(16);
    await settle();
    expect(
      comingMs.slice(-8).every(ms => ms >= 1_000 && ms <= 3_000),
      String(comingMs.slice(-8)),
    ).to.equal(true);
  });
});
