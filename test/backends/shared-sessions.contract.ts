import { expect } from 'chai';
import { type ModeName, modes } from '#src/modes.js';
import type { TwoBackends } from './two-backends.js';
import { sessionsOpened, until, Visitor } from './visitor.js';
import { withShop } from './with-shop.js';

/** For modes in which a backend serves only its own logins. */
export function ownSessions(pair: () => TwoBackends): void {
  it('does not know the session on a second backend', async () => {
    const { one, two } = pair();
    const anna = await new Visitor(one.shop.url).logIn('anna');
    await anna.add('tea');
    const { status, json } = await new Visitor(two.shop.url, anna.cookie).get('/cart');
    expect(status).to.equal(401);
    expect(json).to.include({ why: 'unknown' });
    expect(await anna.skus()).to.deep.equal(['tea']);
  });
}

/** For modes in which any backend serves every user. A session that was ended on one backend may live on another for
 * the declared delay. */
export function sharedSessions(mode: ModeName, pair: () => TwoBackends): void {
  const { revocationLagMs } = modes[mode];
  const one = () => pair().one.shop;
  const two = () => pair().two.shop;

  async function expectEnded(url: string, cookie: string | undefined): Promise<void> {
    const latestMs = performance.now() + revocationLagMs;
    for (;;) {
      const askedAtMs = performance.now();
      const { json } = await new Visitor(url, cookie).get('/me');
      if (json.user === null) return;
      expect(askedAtMs, 'still honoured').to.be.below(latestMs);
    }
  }

  it('shows a session, its cart and its end on a second backend', async () => {
    const anna = await new Visitor(one().url).logIn('anna');
    await anna.add('tea');
    anna.url = two().url;
    expect((await anna.get('/me')).json).to.include({ user: 'anna', backend: 'backend-2', mode });
    await anna.add('rope');
    anna.url = one().url;
    expect(await anna.skus()).to.deep.equal(['tea', 'rope']);
    const { cookie } = anna;
    await anna.post('/logout', {});
    expect(anna.cookie).to.equal(undefined);
    expect((await new Visitor(one().url, cookie).get('/me')).json.user).to.equal(null);
    await expectEnded(two().url, cookie);
  });

  it('loses neither a session nor its end after SIGKILL of the backend that served it', async () => {
    const cara = await new Visitor(one().url).logIn('cara');
    const ended = cara.cookie;
    await cara.post('/logout', {});
    await withShop(pair().settings('backend-3'), async three => {
      expect((await new Visitor(three.url, ended).get('/me')).json.user, 'ended before it booted').to.equal(null);
      const anna = await new Visitor(three.url).logIn('anna');
      await anna.add('tea');
      const berta = await new Visitor(three.url).logIn('berta');
      const { cookie } = berta;
      await berta.post('/logout', {});
      three.signal('SIGKILL');
      anna.url = two().url;
      expect(await anna.skus()).to.deep.equal(['tea']);
      await expectEnded(two().url, cookie);
    });
  });

  for (const [where, logoutAt] of [
    ['on the same backend', one],
    ['on another backend', two],
  ] as const) {
    it(`a logout ${where} during a slow write is final, and the response of the write sets no cookie`, async () => {
      const slow = await new Visitor(one().url).logIn('anna');
      const quick = new Visitor(logoutAt().url, slow.cookie);
      const opened = await sessionsOpened(one().url);
      const write = slow.post('/cart?delayMs=150', { sku: 'late' });
      await until(async () => (await sessionsOpened(one().url)) > opened);
      expect((await quick.post('/logout', {})).status).to.equal(200);
      const { status, headers } = await write;
      expect(status).to.be.oneOf(logoutAt === one || revocationLagMs === 0 ? [401] : [401, 201]);
      if (status === 401) expect(headers.getSetCookie()).to.deep.equal([]);
      for (const { url } of [one(), two()]) await expectEnded(url, slow.cookie);
    });
  }
}
