import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { StoreUnavailable } from '#src/sessions/errors.js';
import { newSessionId, type SessionRecord } from '#src/sessions/session.js';
import { memory } from '#src/sessions/stores/memory.js';
import { expectRejection } from '../expect-rejection.js';

const lifeMs = 60_000;
const sessionsMax = 100_000;

describe('memory store', () => {
  it('rejects a session beyond the maximum, evicts none, and has room again after some have ended', async () => {
    let nowMs = Date.now();
    const store = memory.open({ url: undefined, deadlineMs: 100, now: () => nowMs });
    const record = (): SessionRecord => {
      const deadlines = { idleUntilMs: nowMs + lifeMs, absoluteUntilMs: nowMs + lifeMs };
      return { user: 'anna', data: {}, version: 1, createdAtMs: nowMs, ...deadlines };
    };
    const first = newSessionId();
    await store.create(first, record());
    for (let n = 1; n < sessionsMax; n++) await store.create(newSessionId(), record());
    const error = await expectRejection(store.create(newSessionId(), record()), StoreUnavailable);
    expect(error.message).to.contain('100000');
    expect(await store.read(first)).not.to.equal(undefined);
    nowMs += lifeMs;
    await store.create(newSessionId(), record());
    expect(await store.listByUser('anna')).to.have.length(1);
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
