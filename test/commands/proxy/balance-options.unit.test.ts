import { expect } from 'chai';
import { UsageError } from '#src/commands/lib/flags.js';
import { parseWrittenBackend } from '#src/commands/proxy/backends-option.js';
import { listBalanceWarnings, readBalanceOptions } from '#src/commands/proxy/options.js';
import type { SettingValues } from '#src/proxy/settings.js';

type BalanceArgs = Pick<SettingValues, 'policy' | 'hash-key' | 'slow-start'>;

const defaults: BalanceArgs = { policy: 'round-robin', 'hash-key': 'address', 'slow-start': '30s' };

describe('flags about who is chosen', () => {
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

describe('--backend', () => {
  const url = 'http://127.0.0.1:3001';
  for (const [text, weight] of Object.entries({
    [url]: 1,
    [`${url},weight=3`]: 3,
    [`${url},weight=0`]: 0,
    [`${url},weight=1000`]: 1000,
  })) {
    it(`${text} weighs ${weight}`, () => expect(parseWrittenBackend(text)).to.deep.equal({ address: url, weight }));
  }

  for (const rest of [',maxconn=10', ',weight=1,maxconn=10', ',maxconn=10,weight=1']) {
    it(`${url}${rest} takes 10 requests at once`, () =>
      expect(parseWrittenBackend(url + rest)).to.deep.equal({ address: url, weight: 1, maxconn: 10 }));
  }

  it('has its own time to answer', () =>
    expect(parseWrittenBackend(`${url},response-timeout=5min`)).to.deep.include({ weight: 1, responseMs: 300_000 }));

  for (const rest of [
    ',response-timeout=5',
    ',response-timeout=25h',
    ',',
    ',weight',
    ',weight=',
    ',weight=1001',
    ',weight=-1',
    ',weight=1.5',
    ',weight=1e2',
    ',3',
    ',weight=3,weight=4',
    ', weight=3',
    ',max=3',
    ',maxconn=',
    ',maxconn=3,maxconn=4',
  ]) {
    it(`${url}${rest} is refused with an example`, () =>
      expect(() => parseWrittenBackend(url + rest)).to.throw(
        UsageError,
        `"${url}${rest}": expected behind the address ",weight=N"`,
      ));
  }
});
