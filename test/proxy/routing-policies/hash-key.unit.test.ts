import { expect } from 'chai';
import { parseHashKey } from '#src/proxy/routing-policy.js';
import { anExchange } from './routing-policy.contract.js';

const exchange = anExchange({
  clientAddress: '192.0.2.1',
  cookie: name => ({ 'connect.sid': 's%3A1', empty: '' })[name],
  header: name => ({ 'x-shard': '7', empty: '' })[name],
});

describe('hash key', () => {
  const keys: Record<string, string | undefined> = {
    address: '192.0.2.1',
    'header:x-shard': '7',
    'header:X-Shard': '7',
    'header:absent': undefined,
    'header:empty': undefined,
    'cookie:connect.sid': 's%3A1',
    'cookie:Connect.sid': undefined,
    'cookie:empty': undefined,
  };
  for (const [text, key] of Object.entries(keys)) {
    it(`${text} is ${key ?? 'absent'}`, () => expect(parseHashKey(text)?.(exchange)).to.equal(key));
  }

  it('is absent where the peer has no address', () =>
    expect(parseHashKey('address')?.(anExchange({ clientAddress: '' }))).to.equal(undefined));

  for (const text of [
    '',
    'adress',
    'header',
    'header:',
    'cookie:',
    'cookie:a b',
    'cookie:a=1',
    'path:/x',
    'header:a:b',
  ]) {
    it(`rejects "${text}"`, () => expect(parseHashKey(text)).to.equal(undefined));
  }
});
