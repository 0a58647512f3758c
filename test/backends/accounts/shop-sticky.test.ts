import { expect } from 'chai';
import { runShop, type ShopProcess, startShop } from '../with-shop.js';
import { Member } from './member.js';
import { freshDirectory } from './with-directory.js';

/** Each backend keeps its sessions in its memory. The directory of the accounts lists them for both. */
describe('shop: sessions in the memory of two backends', () => {
  let one: ShopProcess;
  let two: ShopProcess;
  let directory: Awaited<ReturnType<typeof freshDirectory>>;

  const boot = (name: string) =>
    startShop({ BACKEND_ID: name, SHOP_ACCOUNTS: directory.directory, SHOP_ADMIN_PASSWORD: 'of the administrator' });

  before(async () => {
    directory = await freshDirectory();
    [one, two] = await Promise.all([boot('backend-1'), boot('backend-2')]);
  });

  after(async () => {
    for (const shop of [one, two]) shop.signal('SIGKILL');
    await Promise.all([one.ended, two.ended]);
    await directory.remove();
  });

  /** Logs in at the first backend, the second, the first, and so on. */
  const browsers = (user: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) => new Member(index % 2 === 0 ? one.url : two.url, user).logIn()),
    );

  const whoIsIn = (members: readonly Member[]) => Promise.all(members.map(member => member.isIn()));

  const administrator = () => Object.assign(new Member(one.url, 'admin'), { password: 'of the administrator' }).logIn();

  it('are listed and ended from either backend', async () => {
    const [here, there] = await browsers('anna', 2);
    const [listed, other] = [await here?.sessions(), (await there?.sessions())?.find(({ current }) => !current)];
    expect(listed).to.have.length(2);
    expect((await there?.postProved('/account/sessions/end', { handle: other?.handle }))?.status).to.equal(200);
    expect(await whoIsIn([here, there].filter(each => each !== undefined))).to.deep.equal([false, true]);
  });

  it('end on both backends, except the present one and then all', async () => {
    const four = await browsers('berta', 4);
    expect((await four[0]?.postProved('/account/sessions/end-others'))?.json).to.deep.equal({ ended: 3 });
    expect(await whoIsIn(four)).to.deep.equal([true, false, false, false]);
    const more = await browsers('berta', 3);
    expect((await more[1]?.postProved('/logout-everywhere'))?.json).to.deep.equal({ ended: 4 });
    expect(await whoIsIn([...four, ...more])).not.to.include(true);
  });

  it('end on both backends when the administrator ends them', async () => {
    const [carla, dora] = [await browsers('carla', 5), await browsers('dora', 2)];
    const admin = await administrator();
    const disabled = await admin.post('/admin/disable', { user: 'carla', nonce: await admin.nonce() });
    expect(disabled.json).to.deep.equal({ user: 'carla', ended: 5 });
    expect(await whoIsIn([...carla, ...dora])).to.deep.equal([false, false, false, false, false, true, true]);
    expect((await admin.post('/admin/end-everyone', { nonce: await admin.nonce() })).status).to.equal(200);
    expect(await whoIsIn(dora)).to.deep.equal([false, false]);
  });

  it('belong to the first of two backends with one name; the second exits with 4', async () => {
    const [here] = await browsers('fred', 1);
    const settings = { BACKEND_ID: 'backend-1', SHOP_ACCOUNTS: directory.directory };
    const expectRefused = async () => {
      const { code, output } = await runShop(settings);
      expect(code).to.equal(4);
      expect(output).to.match(
        /^Another backend with BACKEND_ID backend-1 and SHOP_ACCOUNTS \S+ is running: give each .*\n$/,
      );
    };
    await expectRefused();
    one.signal('SIGSTOP');
    try {
      await expectRefused();
    } finally {
      one.signal('SIGCONT');
    }
    expect(await here?.sessions()).to.have.length(1);
    expect(await here?.isIn()).to.equal(true);
  });

  it('are no longer listed after their backend restarted', async () => {
    const [here, there] = await browsers('edda', 2);
    two.signal('SIGKILL');
    await two.ended;
    two = await boot('backend-2');
    expect(await here?.sessions()).to.have.length(1);
    expect(await there?.copy(two.url).isIn()).to.equal(false);
  });
});
