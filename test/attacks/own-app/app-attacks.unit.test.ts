import { createHash, randomBytes, randomInt } from 'node:crypto';
import { expect } from 'chai';
import { explainIgnoredCookie } from '#src/attacks/own-app/app-browser.js';
import { buildJwt, claimOther, findJwt, findSecret } from '#src/attacks/own-app/app-jwt.js';
import {
  buildCrossSiteCookies,
  buildNavigationCookies,
  listFormRequests,
} from '#src/attacks/own-app/attacks/cross-site.js';
import { appAttacks } from '#src/attacks/own-app/attacks/registry.js';
import { judgeIds, makeLookAlike } from '#src/attacks/own-app/attacks/session-ids.js';
import { buildMaskedExchange } from '#src/attacks/own-app/masked-exchange.js';
import { readSetCookie } from '#src/attacks/tools/browser.js';
import { makeHmacSigner } from '#src/attacks/tools/forge.js';

const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

describe('attacks on an app of one’s own: the registry', () => {
  for (const [name, { title, asvs }] of Object.entries(appAttacks))
    it(`${name} has a title and valid requirements`, () => {
      expect(title).to.match(/^[a-z].{20,114}[^.]$/);
      for (const id of asvs) expect(id).to.match(/^(\d+\.\d+\.\d+|RFC \d+)$/);
      expect(asvs).not.to.deep.equal([]);
    });
});

describe('attacks on an app of one’s own: the statistics of ids', () => {
  for (const [what, make] of [
    ['128 bits in hexadecimal digits', () => randomBytes(16).toString('hex')],
    ['256 bits in base64url', () => randomBytes(32).toString('base64url')],
    ['a random UUID', () => crypto.randomUUID()],
    [
      'a signed id of Express',
      () => `s%3A${randomBytes(24).toString('base64url')}.${randomBytes(32).toString('base64url')}`,
    ],
    ['random bits behind a counter', (at: number) => `${at}.${randomBytes(16).toString('hex')}`],
  ] as const)
    it(`accepts ${what}`, () => {
      const { repeated, bits, computedFrom } = judgeIds(times(100, make), ['1', '2']);
      expect({ repeated, computedFrom }).to.deep.equal({ repeated: 0, computedFrom: undefined });
      expect(bits).to.be.greaterThan(100);
    });

  for (const [what, make] of [
    ['a counter', (at: number) => `session-${at}`],
    ['a time in milliseconds', (at: number) => String(1_764_572_000_000 + at * 7)],
    ['32 random bits', () => randomBytes(4).toString('hex')],
    ['a short number behind a long prefix', () => `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa${randomInt(10_000)}`],
  ] as const)
    it(`gives few bits to ${what}`, () => {
      expect(judgeIds(times(100, make), []).bits).to.be.lessThan(64);
    });

  it('counts repeated ids, and finds ids that are digests of known values', () => {
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    expect(judgeIds(['a', 'b', 'a'], []).repeated).to.equal(1);
    expect(judgeIds([md5('user-7')], ['user-6', 'user-7']).computedFrom).to.equal('the md5 of "user-7"');
  });
});

describe('attacks on an app of one’s own: what a page of another site can send', () => {
  const set = ['a=1', 'b=2; SameSite=Lax', 'c=3; SameSite=strict', 'd=4; SameSite=None'].map(readSetCookie);
  const held = new Map(['a', 'b', 'c', 'd'].map((name, at) => [name, String(at + 1)]));

  it('sends cookies as a browser does', () => {
    expect(buildCrossSiteCookies(set, held)).to.equal('a=1; d=4');
    expect(buildNavigationCookies(set, held)).to.equal('a=1; b=2; d=4');
    expect(buildCrossSiteCookies(set.slice(1, 2), new Map([['b', '2']]))).to.equal(undefined);
  });

  it('sends JSON as a form, as text and in parts, and names the method that a form does not know', () => {
    const json = { method: 'PUT', path: '/cart', body: '{"sku":"tea"}' } as const;
    const sent = listFormRequests({ method: 'PUT', path: '/cart' }).map(({ build }) => build(json));
    expect(sent.map(({ method }) => method)).to.deep.equal(['POST', 'POST', 'POST']);
    expect(sent[0]?.body).to.equal('_method=PUT&sku=tea');
    expect(sent[1]?.body).to.equal('{"sku":"tea"}');
    expect(sent[2]?.body).to.include('name="sku"\r\n\r\ntea\r\n');
  });
});

describe('attacks on an app of one’s own: tokens and cookies', () => {
  it('finds a token inside a value, and no token in an id', () => {
    const token = buildJwt({ alg: 'HS256' }, { sub: 'ann' }, makeHmacSigner('secret'));
    expect(findJwt(`s:${token}~refresh`)).to.deep.include({ text: token, claims: { sub: 'ann' } });
    expect(findJwt('s%3Aabcdefghijkl.mnopqrstuv.wxyz')).to.equal(undefined);
  });

  it('guesses a common secret, and no random one', () => {
    const secretOf = (secret: string | Buffer) => {
      const jwt = findJwt(buildJwt({ alg: 'HS256' }, { sub: 'ann' }, makeHmacSigner(secret)));
      return jwt && findSecret(jwt);
    };
    expect(secretOf('secret')).to.equal('secret');
    expect(secretOf(randomBytes(32))).to.equal(undefined);
  });

  it('claims to be another user, or adds a claim where no claim holds the name', () => {
    expect(claimOther({ sub: 'ann', mail: 'ann@x' }, 'ann', 'bob')).to.deep.equal({ sub: 'bob', mail: 'bob@x' });
    expect(claimOther({ sid: 'x' }, 'ann', 'bob')).to.deep.equal({ sid: 'x', changed: true });
  });

  it('makes an id of the same form', () => {
    expect(makeLookAlike('s%3AabX9-z_')).to.match(/^[g-z]%\d[A-F][a-f][a-f][G-Z]\d-[g-z]_$/);
  });

  for (const [line, isIgnored] of [
    ['__Host-sid=1; Path=/; HttpOnly', true],
    ['__Host-sid=1; Path=/; Secure; Domain=a.example', true],
    ['__Host-sid=1; Path=/app; Secure', true],
    ['__Secure-sid=1; Path=/', true],
    ['__Host-sid=1; Path=/; Secure', false],
    ['__Secure-sid=1; Secure', false],
    ['sid=1', false],
    ['sid=1; Domain=other.example', true],
    ['sid=1; Domain=shop.example', false],
    ['sid=1; Domain=.example', false],
    ['sid=1; Domain=op.example', true],
  ] as const)
    it(`says that a browser ${isIgnored ? 'ignores' : 'takes'} ${line}`, () => {
      expect(explainIgnoredCookie([line], 'shop.example') !== undefined).to.equal(isIgnored);
    });
});

describe('attacks on an app of one’s own: evidence', () => {
  const secret = 'c2VjcmV0LXNlc3Npb24taWQ';
  const { request, response, body } = buildMaskedExchange(
    'localhost:1',
    {
      request: {
        method: 'POST',
        path: `/login?sid=${secret}`,
        headers: ['content-type', 'application/x-www-form-urlencoded', 'authorization', `Bearer ${secret}`],
        body: 'user=ann&password=hunter2&note=a',
      },
      cookie: `sid=${secret}; lang=en`,
    },
    {
      handedOver: true,
      complete: true,
      status: 200,
      headers: { 'set-cookie': [`sid=${secret}; Path=/; HttpOnly`] },
      body: `{"access_token":"short-one","user":"ann","page":"<input value='${secret}'>"}\u001b[31m`,
    },
    [secret],
  );
  const text = [...request, ...response, body].join('\n');

  it('shows no cookie, token or password in full, and no control character', () => {
    for (const hidden of [secret, 'hunter2', 'short-one', '\u001b']) expect(text).not.to.include(hidden);
  });

  it('shows what is needed to repeat the request', () => {
    expect(request[0]).to.equal('POST /login?sid=c2Vjcm…(23 characters) HTTP/1.1');
    expect(text)
      .to.include('content-type: application/x-www-form-urlencoded')
      .and.include('user=ann&password=***&note=a');
    expect(text).to.include('; Path=/; HttpOnly').and.include('(23 characters)');
  });
});
