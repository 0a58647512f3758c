import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { type NewSessionRecord, newSessionId } from '#src/sessions/session.js';
import { memory } from '#src/sessions/stores/memory.js';
import { expectRejection } from '../expect-rejection.js';

const lifeMs = 60_000;
const sessionsMax = 100_000;
/** Length of the random part of an id, in front of the mark of its user. */
const secretChars = 43;

describe('memory store', () => {
  const record = (nowMs: number, user = 'anna'): NewSessionRecord => {
    const deadlines = { idleUntilMs: nowMs + lifeMs, absoluteUntilMs: nowMs + lifeMs };
    return { user, data: {}, version: 1, createdAtMs: nowMs, ...deadlines };
  };

  it('rejects a session beyond the maximum, evicts none, and has room again after some have ended', async () => {
    let nowMs = Date.now();
    const store = memory.open({ url: undefined, deadlineMs: 100, now: () => nowMs });
    const begin = async (user: string, id = newSessionId(user)) => {
      await store.create(id, record(nowMs, user));
      return id;
    };
    const first = await begin('anna');
    // Counted ids, because random ones take most of the time.
    const users = Array.from({ length: 200 }, (_, n) => [`user-${n}`, newSessionId(`user-${n}`)] as const);
    for (let n = 1; n < sessionsMax; n++) {
      const [user = '', id = ''] = users[n % users.length] ?? [];
      await begin(user, String(n).padStart(secretChars, '0') + id.slice(secretChars));
    }
    const error = await expectRejection(begin('anna'), StoreUnavailable);
    expect(error.message).to.contain('100000');
    const startedAt = performance.now();
    for (let n = 0; n < 100; n++) await begin('anna').catch(() => undefined);
    expect(performance.now() - startedAt, 'a hundred refusals').to.be.lessThan(500);
    expect(await store.read(first)).not.to.equal(undefined);
    nowMs += lifeMs;
    await begin('anna');
    expect(await store.listByUser('anna')).to.have.length(1);
    await store.close();
  });

  it('ends the oldest session of a user that begins more than a thousand, counts it, and no session of others', async () => {
    const nowMs = Date.now();
    const store = memory.open({ url: undefined, deadlineMs: 100, now: () => nowMs });
    const [other, ...ids] = ['ben', ...Array.from({ length: 1_001 }, () => 'anna')].map(newSessionId);
    await store.create(other ?? '', record(nowMs, 'ben'));
    for (const id of ids) await store.create(id, record(nowMs));
    const [first = '', second = ''] = ids;
    expect(await store.read(first)).to.equal(undefined);
    expect(await store.read(second)).not.to.equal(undefined);
    expect(await store.read(other ?? '')).not.to.equal(undefined);
    expect(await store.statistics?.()).to.deep.equal({ evictions: 1 });
    const rotated = await store.read(second);
    if (rotated !== undefined) await store.create(newSessionId('anna'), rotated);
    expect(await store.read(second), 'a rotation ends no session').not.to.equal(undefined);
    await store.close();
  });

  it('does not keep its process alive', async () => {
    const script = `import { memory } from '#src/sessions/stores/memory.js';
      memory.open({ url: undefined, deadlineMs: 100, now: Date.now });
      console.log('opened');`;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 5_000 });
    expect((await run).stdout).to.equal('opened\n');
  });
});
