import { expect } from 'chai';
import { FairQueue } from '#backends/accounts/passwords.js';
import { TooBusy, TooManyAtOnce } from '#backends/refusal.js';
import { expectRejection } from '../../sessions/expect-rejection.js';

/** A queue in which each job lasts until `finish` ends the oldest one. */
function startQueue(limits: Partial<ConstructorParameters<typeof FairQueue>[0]>) {
  const queue = new FairQueue({ atOnceMax: 2, waitingMax: 6, waitingPerUserMax: 3, ...limits });
  const begun: string[] = [];
  const open: (() => void)[] = [];
  const add = (user: string, name: string) =>
    queue.run(user, () => {
      begun.push(name);
      return new Promise<void>(resolve => open.push(resolve));
    });
  const finish = async () => {
    open.shift()?.();
    await new Promise(setImmediate);
  };
  return { queue, begun, add, finish };
}

describe('fair queue', () => {
  it('gives free slots to the users in turn', async () => {
    const { begun, add, finish } = startQueue({});
    const jobs = ['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'c1'].map(name => add(name.charAt(0), name));
    expect(begun).to.deep.equal(['a1', 'a2']);
    for (const _ of jobs) await finish();
    await Promise.all(jobs);
    expect(begun).to.deep.equal(['a1', 'a2', 'a3', 'b1', 'c1', 'a4', 'a5']);
  });

  it('delays another user by one turn at most, however many jobs the first one sends', async () => {
    const { begun, add, finish } = startQueue({});
    const many = Array.from({ length: 20 }, (_, number) => add('a', `a${number}`).catch(() => undefined));
    const other = add('b', 'b');
    await finish();
    await finish();
    expect(begun).to.include('b');
    for (const _ of many) await finish();
    await Promise.all([...many, other]);
  });

  it('refuses a user with too many waiting jobs, and any user when too many wait in all', async () => {
    const { add, finish } = startQueue({ waitingMax: 4 });
    const jobs = ['a', 'a', 'a', 'a', 'a'].map(user => add(user, user));
    await expectRejection(add('a', 'a'), TooManyAtOnce);
    jobs.push(add('b', 'b'));
    await expectRejection(add('c', 'c'), TooBusy);
    for (const _ of jobs) await finish();
    await Promise.all(jobs);
  });

  it('releases the slot when a job fails', async () => {
    const { queue } = startQueue({ atOnceMax: 1, waitingMax: 0 });
    await expectRejection(
      queue.run('a', () => Promise.reject(new RangeError('no'))),
      RangeError,
    );
    expect(await queue.run('b', async () => 1)).to.equal(1);
  });
});
