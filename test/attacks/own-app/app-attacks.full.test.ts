import { expect } from 'chai';
import { AppUnderAttack } from '#src/attacks/own-app/app.js';
import { type AppFinding, runAppAttacks } from '#src/attacks/own-app/app-attack.js';
import { appAttacks } from '#src/attacks/own-app/attacks/registry.js';
import type { JourneyMapping } from '#src/simulator/scenario/journey/mapping.js';
import { type CookieDefect, cookieJourney, makeCookieApp } from './cookie-app.js';
import { type AppCall, type AppSaid, withServedApp } from './served.js';
import { makeTokenApp, type TokenDefect, tokenJourney } from './token-app.js';

const limitMs = 15_000;

async function attack(
  answer: (call: AppCall) => AppSaid | Promise<AppSaid>,
  mapping: JourneyMapping,
  names: readonly string[] = Object.keys(appAttacks),
  withinMs = limitMs,
): Promise<readonly AppFinding[]> {
  return withServedApp(answer, async origin => {
    const app = new AppUnderAttack({ origin, mapping, userName: number => `user-${number}`, timeoutMs: 5_000 });
    const attacks = Object.fromEntries(Object.entries(appAttacks).filter(([name]) => names.includes(name)));
    const { signal } = new AbortController();
    const untilMs = performance.now() + withinMs;
    try {
      return await runAppAttacks({
        app,
        attacks,
        untilMs,
        signal,
        restartIfEnded: async () => undefined,
        onAttack: () => {},
      });
    } finally {
      await app.close();
    }
  });
}

/** Accepts a second cookie in place of the first one, as "remember me" does. */
function withRemember(answer: (call: AppCall) => Promise<AppSaid>): (call: AppCall) => Promise<AppSaid> {
  return async call => {
    const cookies = (name: string) => [...call.cookies(name), ...call.cookies('remember')].slice(0, 1);
    const said = await answer({ ...call, cookies });
    const line = said.headers?.['set-cookie'];
    if (line === undefined) return said;
    const lines = [line].flat().flatMap(own => [own, own.replace(/^\w+/, 'remember')]);
    return { ...said, headers: { 'set-cookie': lines } };
  };
}

/** Gives the cookie a prefix whose rules it does not follow. */
function withPrefix(said: AppSaid): AppSaid {
  const line = said.headers?.['set-cookie'];
  return line === undefined ? said : { ...said, headers: { 'set-cookie': `__Host-${line}` } };
}

function namesWith(findings: readonly AppFinding[], outcome: string): string[] {
  return findings.filter(({ result }) => result.outcome === outcome).map(({ attack: name }) => name);
}

function describeAll(findings: readonly AppFinding[]): string {
  return findings.map(({ attack: name, result }) => `${name}: ${JSON.stringify(result)}`).join('\n');
}

const jwtAttacks = ['jwt-signature', 'jwt-none', 'jwt-key-confusion', 'jwt-key-id', 'jwt-expired'];
/** They take most of the time, and a defect that is not about them cannot change them. */
const slow = ['id-randomness', 'jwt-expired'];
const quick = Object.keys(appAttacks).filter(name => !slow.includes(name));

const cookieDefects: readonly (readonly [CookieDefect, readonly string[]])[] = [
  ['keep-id', ['fixation', 'id-kept-at-login']],
  ['take-any-id', ['fixation']],
  ['two-sessions', ['id-kept-at-login']],
  ['cookie-only-logout', ['replay-after-logout']],
  ['late-write', ['logout-race']],
  ['no-httponly', ['cookie-attributes']],
  ['with-domain', ['cookie-attributes']],
  ['mixed-cookies', ['cookie-tossing']],
  ['planted-cookie', ['cookie-tossing']],
  ['open-to-sites', ['cookie-attributes', 'cross-site-post']],
  ['foreign-csrf', ['cookie-attributes', 'cross-site-post']],
  ['origin-by-prefix', ['cookie-attributes', 'cross-site-post']],
  ['origin-by-suffix', ['cookie-attributes', 'cross-site-post']],
  ['adds-by-get', ['state-change-by-get']],
  ['id-in-query', ['session-in-url']],
  ['id-in-link', ['session-in-url']],
  ['counted-ids', ['id-randomness']],
  ['digest-ids', ['id-randomness']],
  ['repeated-ids', ['id-randomness']],
  ['old-password-sessions', ['old-password']],
];

const tokenDefects: readonly (readonly ['HS256' | 'RS256', TokenDefect, readonly string[]])[] = [
  ['HS256', 'no-verification', ['jwt-signature', 'jwt-none', 'jwt-key-id']],
  ['HS256', 'short-signature', ['jwt-signature']],
  ['HS256', 'weak-secret', ['jwt-signature']],
  ['HS256', 'alg-none', ['jwt-none']],
  ['RS256', 'key-confusion', ['jwt-key-confusion']],
  ['HS256', 'kid-file', ['jwt-key-id']],
  ['HS256', 'alg-missing', ['jwt-none']],
  ['HS256', 'own-jwk', ['jwt-key-id']],
  ['RS256', 'own-rsa-jwk', ['jwt-key-id']],
  ['HS256', 'no-denylist', ['replay-after-logout']],
  ['HS256', 'refresh-reuse', ['refresh-race']],
  ['HS256', 'refresh-race', ['refresh-race']],
  ['HS256', 'token-in-query', ['session-in-url']],
];

describe('attacks on an app of one’s own', () => {
  it('resists every attack when the app with cookies is correct', async () => {
    const findings = await attack(makeCookieApp(), cookieJourney);
    expect(
      namesWith(findings, 'succeeded').concat(namesWith(findings, 'unknown')),
      describeAll(findings),
    ).to.deep.equal([]);
    expect(namesWith(findings, 'not applicable')).to.have.members([...jwtAttacks, 'refresh-race']);
  });

  for (const alg of ['HS256', 'RS256'] as const)
    it(`resists every attack when the app with ${alg} tokens is correct`, async () => {
      const findings = await attack(makeTokenApp(alg), tokenJourney);
      expect(
        namesWith(findings, 'succeeded').concat(namesWith(findings, 'unknown')),
        describeAll(findings),
      ).to.deep.equal([]);
      const resisted = [
        'replay-after-logout',
        'logout-race',
        'session-in-url',
        'jwt-signature',
        'jwt-none',
        'jwt-key-id',
        'refresh-race',
      ];
      expect(namesWith(findings, 'resisted')).to.have.members([
        ...resisted,
        ...(alg === 'RS256' ? ['jwt-key-confusion'] : []),
      ]);
    });

  for (const [defect, expected] of cookieDefects)
    it(`finds the defect "${defect}" by ${expected.join(', ')} and by no other attack`, async () => {
      const names = expected.some(name => slow.includes(name)) ? expected : quick;
      const findings = await attack(makeCookieApp(defect), cookieJourney, names);
      expect(namesWith(findings, 'succeeded'), describeAll(findings)).to.have.members([...expected]);
      expect(namesWith(findings, 'unknown'), describeAll(findings)).to.deep.equal([]);
    });

  for (const [alg, defect, expected] of tokenDefects)
    it(`finds the defect "${defect}" by ${expected.join(', ')} and by no other attack`, async () => {
      const findings = await attack(makeTokenApp(alg, defect), tokenJourney, quick);
      expect(namesWith(findings, 'succeeded'), describeAll(findings)).to.have.members([...expected]);
      expect(namesWith(findings, 'unknown'), describeAll(findings)).to.deep.equal([]);
    });

  it('resists no attack when the login does not work, when the app fails, or when the time is over', async () => {
    const correct = makeCookieApp();
    const failing: readonly (readonly [(call: AppCall) => AppSaid | Promise<AppSaid>, number, RegExp])[] = [
      [call => (call.route === 'POST /login' ? { status: 403, body: {} } : correct(call)), limitMs, /could not log in/],
      [() => ({ status: 500, body: {} }), limitMs, /status 500 without a login/],
      [call => ({ ...correct(call), body: {} }), limitMs, /control did not work/],
      [async call => withPrefix(await correct(call)), limitMs, /browsers ignore the cookie __Host-sid/],
      [makeCookieApp('other-domain'), limitMs, /its Domain is localhost, and the app is at 127\.0\.0\.1/],
      [withRemember(correct), limitMs, /several of sid, remember open a session alone/],
      [makeCookieApp(), 0, /time of the command was over/],
    ];
    for (const [answer, withinMs, reason] of failing) {
      const findings = await attack(answer, cookieJourney, Object.keys(appAttacks), withinMs);
      expect(namesWith(findings, 'unknown')).to.deep.equal(Object.keys(appAttacks));
      for (const { result } of findings) expect(result.outcome === 'unknown' && result.reason).to.match(reason);
    }
  });

  it('finds that an expired token is accepted, and accepts that it is refused', async () => {
    const [open, closed] = await Promise.all([
      attack(makeTokenApp('HS256', 'no-expiry'), tokenJourney, ['jwt-expired']),
      attack(makeTokenApp('HS256', undefined, true), tokenJourney, ['jwt-expired']),
    ]);
    expect(namesWith(open, 'succeeded'), describeAll(open)).to.deep.equal(['jwt-expired']);
    expect(namesWith(closed, 'resisted'), describeAll(closed)).to.deep.equal(['jwt-expired']);
  });
});
