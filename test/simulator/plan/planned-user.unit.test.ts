import { deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { requireSku } from '#backends/routes/routes.js';
import { isOfOtherRun, makeNonce, nonceShape, tokenOf } from '#src/simulator/plan/planned-user.js';
import { drive, json, steps, withServer } from '../users/scripted.js';

describe('the items of a run', () => {
  it('contain the nonce of the run, and are the same for the same nonce', () => {
    const token = tokenOf('user-3.7', 'k2f9');
    expect(token).to.match(/^user-3\.7\.k2f9[0-9a-z]{8}$/);
    expect(tokenOf('user-3.7', 'k2f9')).to.equal(token);
    expect(tokenOf('user-3.8', 'k2f9').slice(-8)).to.not.equal(token.slice(-8));
    expect(tokenOf('user-3.7', 'k2fa').slice(-8)).to.not.equal(token.slice(-8));
  });

  it('do not compress: 100 of them keep more than half of their length', () => {
    const cart = Array.from({ length: 100 }, (_, index) => tokenOf(`user-3.${index}`, 'k2f9').slice(-8)).join('');
    expect(deflateRawSync(cart).length).to.be.greaterThan(cart.length / 2);
  });

  for (const [item, isOther, what] of [
    [tokenOf('user-3.7', 'aaaa'), true, 'the same item of another run'],
    [tokenOf('a.b.c', 'zz99'), true, 'an item of another plan'],
    [tokenOf('user-3.7', 'k2f9'), false, 'an item of this run'],
    ['user-3.7', false, 'an item as it stands in a plan'],
    ['user-3.7.aaaa00000000', false, 'an item of that shape that no run made'],
    [tokenOf('user-3.7', 'aaaa').replace('user-3', 'user-4'), false, 'an item whose name was changed'],
    ['blue-shirt', false, 'an item of the app'],
    ['', false, 'no item'],
  ] as const)
    it(`${isOther ? 'belong' : 'do not belong'} to another run: ${what}`, () => {
      expect(isOfOtherRun(item, 'k2f9')).to.equal(isOther);
    });

  it('have a random nonce of four characters of base 36', () => {
    expect(makeNonce(() => 0)).to.equal('0000');
    expect(makeNonce(() => 0.999_999)).to.equal('zzzz');
    expect(makeNonce(Math.random)).to.match(nonceShape);
  });

  it('are accepted by the toy shop, even for the longest item in a plan file', () => {
    const longest = tokenOf('x'.repeat(64), 'k2f9');
    expect(requireSku(longest)).to.equal(longest);
  });

  it('are sent by users and recorded, for an add and its remove', async () => {
    const asked: string[] = [];
    const { operations } = await withServer(
      (request, response) => {
        let body = '';
        request.on('data', chunk => (body += chunk));
        request.on('end', () => {
          asked.push(`${request.url} ${body}`);
          json(response, request.method === 'POST' && request.url === '/cart' ? 201 : 200, { user: 'u1' });
        });
      },
      origin => drive(origin, [steps('login', 'add', 'remove')], { nonce: 'k2f9' }),
    );
    const token = tokenOf('t1', 'k2f9');
    expect(asked.slice(1)).to.deep.equal([`/cart {"sku":"${token}"}`, `/cart/${token} `]);
    expect(operations.map(one => one.token)).to.deep.equal([undefined, token, token]);
    expect(operations.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'ok', 'ok']);
  });
});
