import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { type ModeName, modes } from '#src/modes.js';
import { Member } from './accounts/member.js';
import { promisedBy } from './mode-lab.js';
import type { TwoBackends } from './two-backends.js';

const rounds = 5;

/** The end of other sessions beside re-authentications in one of them, which move it to a new token meanwhile. */
export function parallelEnds(mode: ModeName, pair: () => TwoBackends): void {
  const { revocationLagMs } = promisedBy(mode);

  for (const [path, stays] of [
    ['/logout-everywhere', false],
    ['/account/sessions/end-others', true],
  ] as const) {
    it(`${path} beside re-authentications in another session, ${rounds} rounds: that session ends`, async () => {
      const { one, two } = pair();
      for (let round = 0; round < rounds; round++) {
        const user = `ends-${round}-${stays}`;
        const here = await new Member(one.shop.url, user).logIn();
        const there = await new Member(modes[mode].affinity ? one.shop.url : two.shop.url, user).logIn();
        const nonce = await here.nonce();
        let isOver = false;
        const ending = here.post(path, { nonce }).finally(() => {
          isOver = true;
        });
        const statuses = new Set<number>();
        while (!isOver) statuses.add((await there.post('/account/reauthenticate', { password: 'secret' })).status);
        expect((await ending).status).to.equal(200);
        expect([...statuses].filter(status => ![200, 401].includes(status))).to.deep.equal([]);
        await expectOut(there, revocationLagMs);
        expect(await here.isIn()).to.equal(stays);
      }
    });
  }
}

/** Fails if the session is accepted after the lag that the mode states. */
async function expectOut(member: Member, lagMs: number): Promise<void> {
  const beganMs = performance.now();
  while (await member.isIn()) {
    expect(performance.now() - beganMs, 'a session lives on').to.be.at.most(lagMs);
    await delay(10);
  }
}
