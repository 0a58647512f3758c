import { expect } from 'chai';
import { UsageError } from '#src/commands/lib/flags.js';
import { listBalanceWarnings, readBalanceOptions } from '#src/commands/proxy/options.js';
import type { SettingValues } from '#src/proxy/settings.js';

type BalanceArgs = Pick<SettingValues, 'policy' | 'hash-key' | 'slow-start'>;

const defaults: BalanceArgs = { policy: 'round-robin', 'hash-key': 'address', 'slow-start': '30s' };

describe('the flags of the routing policy', () => {
  it('are read', () => {
    expect(readBalanceOptions(defaults)).to.deep.equal({
      policy: 'round-robin',
      hashKey: 'address',
      slowStartMs: 30_000,
    });
    expect(readBalanceOptions({ ...defaults, 'slow-start': '0' }).slowStartMs).to.equal(0);
    expect(readBalanceOptions({ ...defaults, 'slow-start': '0ms' }).slowStartMs).to.equal(0);
    expect(readBalanceOptions({ ...defaults, 'hash-key': 'cookie:connect.sid' }).hashKey).to.equal(
      'cookie:connect.sid',
    );
  });

  it('say so when one of them does nothing', () => {
    const byCookie = { ...defaults, 'hash-key': 'cookie:sid' };
    expect(listBalanceWarnings(byCookie)[0]).to.include('--hash-key cookie:sid: only --policy rendezvous looks at it');
    expect(listBalanceWarnings({ ...byCookie, policy: 'rendezvous' })).to.deep.equal([]);
    expect(listBalanceWarnings(defaults)).to.deep.equal([]);
  });

  const wrong: readonly (readonly [args: Partial<BalanceArgs>, says: string])[] = [
    [{ policy: 'rendez-vous' }, '--policy: unknown policy "rendez-vous". Did you mean "rendezvous"?'],
    [{ 'hash-key': 'connect.sid' }, '--hash-key "connect.sid": expected address, header:<name> or cookie:<name>'],
    [{ 'slow-start': '30' }, '--slow-start "30": expected a time such as 500ms, 2s or 1min, at most 1h, or 0.'],
    [{ 'slow-start': '61min' }, '--slow-start "61min": expected a time'],
    [{ 'slow-start': '-1s' }, '--slow-start "-1s": expected a time'],
  ];
  for (const [args, says] of wrong) {
    it(`refuse ${JSON.stringify(args)}`, () =>
      expect(() => readBalanceOptions({ ...defaults, ...args })).to.throw(UsageError, says));
  }
});
