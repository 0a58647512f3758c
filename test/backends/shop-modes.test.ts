import { expect } from 'chai';
import { type ModeName, modes } from '#src/modes.js';
import { type ModeLab, sharedModes, startModeLab } from './mode-lab.js';
import { sessionsOpened, until, Visitor } from './visitor.js';
import { type ShopProcess, startShop, withShop } from './with-shop.js';

describe('shop: where the session lives', () => {
  for (const mode of sharedModes) describe(mode, () => twoBackends(mode));

  it('sticky: a second backend knows nothing of it', () =>
    withShop({ BACKEND_ID: 'backend-1' }, one =>
      withShop({ BACKEND_ID: 'backend-2' }, async two => {
        const anna = await new Visitor(one.url).logIn('anna');
        await anna.add('tea');
        const { status, json } = await new Visitor(two.url, anna.cookie).get('/cart');
        expect(status).to.equal(401);
        expect(json).to.include({ why: 'unknown' });
        expect(await anna.skus()).to.deep.equal(['tea']);
      }),
    ));
});

/** What any backend must do that serves anyone; what was ended on one may live on another for as long as is declared. */
function twoBackends(mode: ModeName): void {
  const { revocationLagMs } = modes[mode];
  let lab: ModeLab;
  let one: ShopProcess;
  let two: ShopProcess;

  before(async () => {
    lab = await startModeLab(mode);
    [one, two] = await Promise.all([startShop(lab.settings('backend-1')), startShop(lab.settings('backend-2'))]);
  });

  after(async () => {
    for (const shop of [one, two]) shop.signal('SIGKILL');
    await Promise.all([one.ended, two.ended]);
    await lab.stop();
  });

  async function expectEnded(url: string, cookie: string | undefined): Promise<void> {
    const latestMs = performance.now() + revocationLagMs;
    for (;;) {
      const askedAtMs = performance.now();
      const { json } = await new Visitor(url, cookie).get('/me');
      if (json.user === null) return;
      expect(askedAtMs, 'still honoured').to.be.below(latestMs);
    }
  }

  it('a second backend knows the session, its cart and its end', async () => {
    const anna = await new Visitor(one.url).logIn('anna');
    await anna.add('tea');
    anna.url = two.url;
    expect((await anna.get('/me')).json).to.include({ user: 'anna', backend: 'backend-2', mode });
    await anna.add('rope');
    anna.url = one.url;
    expect(await anna.skus()).to.deep.equal(['tea', 'rope']);
    const { cookie } = anna;
    await anna.post('/logout', {});
    expect(anna.cookie).to.equal(undefined);
    expect((await new Visitor(one.url, cookie).get('/me')).json.user).to.equal(null);
    await expectEnded(two.url, cookie);
  });

  it('SIGKILL of the backend that has done everything so far costs neither a session nor its end', () =>
    withShop(lab.settings('backend-3'), async three => {
      const anna = await new Visitor(three.url).logIn('anna');
      await anna.add('tea');
      const berta = await new Visitor(three.url).logIn('berta');
      const { cookie } = berta;
      await berta.post('/logout', {});
      three.signal('SIGKILL');
      anna.url = two.url;
      expect(await anna.skus()).to.deep.equal(['tea']);
      await expectEnded(two.url, cookie);
    }));

  it('a backend that boots later knows what was ended before', async () => {
    const anna = await new Visitor(one.url).logIn('anna');
    const { cookie } = anna;
    await anna.post('/logout', {});
    await withShop(lab.settings('backend-3'), async ({ url }) => {
      expect((await new Visitor(url, cookie).get('/me')).json.user).to.equal(null);
    });
  });

  for (const [where, logoutAt] of [
    ['on the same backend', () => one],
    ['on another backend', () => two],
  ] as const) {
    it(`a logout ${where} during a slow write stays one, and the answer of the write brings no cookie back`, async () => {
      const slow = await new Visitor(one.url).logIn('anna');
      const quick = new Visitor(logoutAt().url, slow.cookie);
      const opened = await sessionsOpened(one.url);
      const write = slow.post('/cart?delayMs=150', { sku: 'late' });
      await until(async () => (await sessionsOpened(one.url)) > opened);
      expect((await quick.post('/logout', {})).status).to.equal(200);
      const { status } = await write;
      expect(status).to.be.oneOf(logoutAt() === one || revocationLagMs === 0 ? [401] : [401, 201]);
      expect(slow.cookie === undefined).to.equal(status === 401);
      for (const { url } of [one, two]) await expectEnded(url, slow.cookie);
    });
  }
}
