import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { readCookie } from '#src/sessions/cookie.js';
import { newSessionId, userTagIn } from '#src/sessions/session.js';
import { KnownEpochs } from '#src/sessions/stores/redis/epochs.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function seeOthers(known: KnownEpochs, count: number): void {
  for (let at = 0; at < count; at++) known.see(`other-${at}`, 1);
}

describe('known epochs of users', () => {
  it('keep the highest one, whatever is seen later', () => {
    const known = new KnownEpochs();
    expect([known.of('anna'), known.see('anna', 7), known.see('anna', 3), known.of('anna')]).to.deep.equal([
      0, 7, 7, 7,
    ]);
    expect([known.see('anna', 9), known.of('anna'), known.of('ben')]).to.deep.equal([9, 9, 0]);
  });

  it('last while 50,000 other users are seen, and longer for a user that is seen again', () => {
    const known = new KnownEpochs();
    known.see('anna', 7);
    seeOthers(known, 50_000);
    expect(known.see('anna', 3)).to.equal(7);
    seeOthers(known, 99_000);
    expect(known.see('anna', 3)).to.equal(7);
  });

  it('are forgotten in the end, so that memory is bounded', () => {
    const known = new KnownEpochs();
    known.see('anna', 7);
    seeOthers(known, 100_000);
    expect(known.of('anna')).to.equal(0);
  });

  it('keep no header of a request in memory', () => {
    const known = new KnownEpochs();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < 1_000; at++) {
      const header = Buffer.from(`other=${'x'.repeat(10_000)}; session=${newSessionId(`user-${at}`)}`).toString(
        'latin1',
      );
      known.see(userTagIn(readCookie(header, 'session').token ?? ''), 7);
    }
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before, 'bytes for 1,000 users').to.be.below(1_000_000);
    expect(known.of(userTagIn(newSessionId('user-1')))).to.equal(7);
  });
});
