import { expect } from 'chai';
import { told } from '../../sessions/with-redis.js';
import { type ModeLab, startModeLab } from '../mode-lab.js';
import { until } from '../visitor.js';
import { type Settings, type ShopProcess, startShop } from '../with-shop.js';
import { Member } from './member.js';
import { administratorsPassword } from './two-shops.js';
import { withDirectory } from './with-directory.js';

/** The modes whose cookie carries the session. */
for (const mode of ['sealed', 'jwt'] as const) {
  describe(`shop: ${mode}, when Redis comes back empty`, () => {
    let lab: ModeLab;

    before(async () => {
      lab = await startModeLab(mode);
    });
    after(() => lab.stop());

    it('a user who is disabled then is logged out on every backend, and who re-authenticates goes on', () =>
      withShops(lab, async (one, two) => {
        const alice = await new Member(one.url, 'alice').logIn();
        const admin = Object.assign(new Member(one.url, 'admin'), { password: administratorsPassword });
        await admin.logIn();
        await told(portOf(lab), 'FLUSHALL');
        expect(await alice.isIn()).to.equal(true);

        const disabled = await admin.post('/admin/disable', { user: 'alice', nonce: await admin.nonce() });
        expect([disabled.status, disabled.json]).to.deep.equal([200, { user: 'alice', ended: 0 }]);
        expect(await alice.copy().isIn()).to.equal(false);
        expect((await alice.copy().get('/me')).json.why).to.equal('revoked');
        const elsewhere = alice.copy(two.url);
        for (const lateAtMs = performance.now() + 1_000; performance.now() < lateAtMs && (await elsewhere.isIn()); );
        expect(await elsewhere.copy().isIn()).to.equal(false);

        expect(await admin.isIn()).to.equal(true);
        expect((await admin.sessions()).map(({ current }) => current)).to.deep.equal([true]);
        const { json } = await admin.get('/health');
        expect(json.revocationsAgeMs).to.be.within(0, 1_000);
      }));

    it('answers 503 while it does not reach Redis for longer than it may, and recovers by itself', () =>
      withShops(
        lab,
        async one => {
          const dora = await new Member(one.url, 'dora').logIn();
          lab.server?.freeze();
          try {
            await until(async () => (await dora.get('/me')).status === 503);
            expect(Number((await dora.get('/health')).json.revocationsAgeMs)).to.be.above(1_000);
          } finally {
            lab.server?.thaw();
          }
          expect(await dora.isIn()).to.equal(true);
        },
        { SHOP_REVOCATIONS_AGE_MAX: '1s' },
      ));

    it('a full cart leaves room for re-authentication', () =>
      withShops(lab, async one => {
        const carl = await new Member(one.url, 'carl').logIn();
        for (let at = 0; ; at++) {
          const { status } = await carl.post('/cart', { sku: `${at}-`.padEnd(60, 'x') });
          if (status === 413) break;
          expect(status).to.equal(201);
        }
        await carl.changePassword('a password of my own');
        expect(await carl.isIn()).to.equal(true);
      }));
  });
}

function portOf({ settings }: ModeLab): number {
  return Number(new URL(settings('backend-1').REDIS_URL ?? '').port);
}

function withShops(
  lab: ModeLab,
  work: (one: ShopProcess, two: ShopProcess) => Promise<void>,
  more: Settings = {},
): Promise<void> {
  return withDirectory(async directory => {
    const shared = { SHOP_ACCOUNTS: directory, SHOP_ADMIN_PASSWORD: administratorsPassword, ...more };
    const [one, two] = await Promise.all([
      startShop({ ...lab.settings('backend-1'), ...shared }),
      startShop({ ...lab.settings('backend-2'), ...shared }),
    ]);
    try {
      await work(one, two);
    } finally {
      for (const shop of [one, two]) shop.signal('SIGKILL');
      await Promise.all([one.ended, two.ended]);
    }
  });
}
