import { expect } from 'chai';
import { cookieName } from '#src/sessions/cookie.js';
import { SessionTooLarge } from '#src/sessions/errors.js';
import { defaultLimits, type SessionData } from '#src/sessions/session.js';
import { expectRejection } from './expect-rejection.js';
import { issued, living, type StrategyBench } from './session-endings.contract.js';

/** The part of the contract of `SessionStrategy` about the cookie of a token, and the room in it. */
export function sessionTokensContract(bench: StrategyBench): void {
  const { declared } = bench;
  const isInStore = declared.dataIn === 'store';

  it('opens a token under the cookie name only under which it was issued', async () => {
    const names = [cookieName(true), cookieName(false)];
    for (const name of names) {
      const { token, session } = await bench.strategy().begin('anna', {}, { cookie: name });
      const changed = issued(
        await bench.strategy().change(session, data => void Object.assign(data, { cart: ['tea'] })),
      );
      const rotated = issued(await bench.strategy().rotate(changed.session));
      const kept = await bench.strategy().endOthers(rotated.session);
      const last = kept === 'gone' ? expect.fail('it goes on') : kept.issued.token;
      const other = names.find(each => each !== name);
      for (const each of [token, changed.token, rotated.token, last])
        expect(await bench.strategy().open(each, other)).to.be.oneOf(['unknown', 'forged']);
      expect(living(await bench.strategy().open(last, name)).record.data).to.deep.equal({ cart: ['tea'] });
      await bench.strategy().end(living(await bench.strategy().open(last, name)));
      expect(await bench.strategy().open(last, name)).to.be.oneOf(['unknown', 'revoked']);
    }
  });

  it('a full session has room for security, and then takes edits that make it no larger', async () => {
    const { session } = await bench.strategy().begin('u'.repeat(64), { cart: '' });
    const fill = (bytes: number) => (data: SessionData) =>
      void Object.assign(data, { cart: 'x'.repeat(bytes - '{"cart":""}'.length) });
    const ordinaryMax = isInStore ? defaultLimits.dataBytesMax : declared.dataBytesMax;
    const full = issued(await bench.strategy().change(session, fill(ordinaryMax)));
    const add = (data: SessionData) => void Object.assign(data, { nonce: 'n'.repeat(240) });
    if (isInStore) await expectRejection(bench.strategy().change(full.session, add), SessionTooLarge);
    const rotated = issued(await bench.strategy().rotate(full.session));
    const secured = issued(await bench.strategy().change(rotated.session, add, 'reserve'));
    expect(`__Host-session${secured.token}`.length).to.be.at.most(4_096);
    const opened = living(await bench.strategy().open(secured.token));
    await expectRejection(bench.strategy().change(opened, fill(ordinaryMax + 200)), SessionTooLarge);
    const spent = issued(await bench.strategy().change(opened, data => void delete data.nonce));
    expect(living(await bench.strategy().open(spent.token)).record.data).to.deep.equal(full.session.record.data);
  });
}
