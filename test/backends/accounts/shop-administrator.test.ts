import { expect } from 'chai';
import { withShop } from '../with-shop.js';
import { enrol } from './authenticator.js';
import { Member } from './member.js';
import { choose } from './shortcuts.js';
import { startTwoShops, type TwoShops } from './two-shops.js';
import { withDirectory } from './with-directory.js';

describe('shop: the administrator, on two backends', () => {
  let shops: TwoShops;
  let admin: Member;

  before(async () => {
    shops = await startTwoShops();
  });

  after(() => shops.stop());

  beforeEach(async () => {
    admin = await shops.administrator().logIn();
  });

  const act = async (route: string, user: string) =>
    admin.post(`/admin/${route}`, { user, nonce: await admin.nonce() });

  async function browsers(user: string, count: number): Promise<readonly Member[]> {
    const urls = Array.from({ length: count }, (_, index) => (index % 2 === 0 ? shops.one.url : shops.two.url));
    return Promise.all(urls.map(url => Object.assign(shops.member(user), { url }).logIn()));
  }

  const whoIsIn = (members: readonly Member[]) => Promise.all(members.map(member => member.isIn()));

  it('is only a user with the administrator’s password', async () => {
    expect((await admin.get('/account')).json).to.include({ user: 'admin', role: 'administrator' });
    expect((await shops.member('admin').tryLogin()).status).to.equal(401);
    const anna = await shops.member('anna').logIn();
    expect((await anna.get('/account')).json).to.include({ role: 'user' });
    for (const route of ['disable', 'enable', 'delete', 'end-sessions', 'end-everyone']) {
      const target = route === 'end-everyone' ? {} : { user: 'berta' };
      const { status, json } = await anna.post(`/admin/${route}`, { ...target, nonce: await anna.nonce() });
      expect([status, json.why], route).to.deep.equal([403, 'not-allowed']);
      expect((await shops.member('nobody').post(`/admin/${route}`, target)).status).to.equal(401);
    }
  });

  it('is not a user who took the name before', () =>
    withDirectory(async directory => {
      const settings = { SHOP_ACCOUNTS: directory };
      await withShop(settings, async ({ url }) => {
        const squatter = await new Member(url, 'admin').logIn();
        expect((await squatter.get('/account')).json).to.include({ role: 'user' });
        const { status, json } = await squatter.post('/account/reauthenticate', { password: 'secret' });
        expect([status, json.why]).to.deep.equal([403, 'not-allowed']);
      });
      await withShop({ ...settings, SHOP_ADMIN_PASSWORD: 'now there is one' }, async ({ url }) => {
        expect((await new Member(url, 'admin').tryLogin('secret')).status).to.equal(401);
        expect((await new Member(url, 'admin').tryLogin('now there is one')).status).to.equal(200);
      });
    }));

  it('needs the password again for each action', async () => {
    const [berta] = await browsers('berta', 1);
    for (const route of ['disable', 'enable', 'delete', 'end-sessions']) {
      const { status, json } = await admin.post(`/admin/${route}`, { user: 'berta', nonce: 'x' });
      expect([status, json.why], route).to.deep.equal([403, 'fresh-authentication-needed']);
    }
    expect((await admin.post('/admin/end-everyone', { nonce: 'x' })).status).to.equal(403);
    expect(await berta?.isIn()).to.equal(true);
  });

  it('disables a user: ends five sessions on both backends, and refuses a login like a wrong password', async () => {
    const five = await browsers('carla', 5);
    expect((await act('disable', 'carla')).json).to.deep.equal({ user: 'carla', ended: 5 });
    expect(await whoIsIn(five)).to.deep.equal([false, false, false, false, false]);
    for (const { url } of [shops.one, shops.two]) {
      const carla = Object.assign(shops.member('carla'), { url });
      const [right, wrong] = [await carla.tryLogin(), await carla.tryLogin('wrong')];
      expect([right.status, right.json]).to.deep.equal([401, { error: 'wrong name or password', why: 'wrong-login' }]);
      expect([wrong.status, wrong.json]).to.deep.equal([right.status, right.json]);
      expect(comparable(right.headers)).to.deep.equal(comparable(wrong.headers));
    }
    await act('enable', 'carla');
    await shops.member('carla').logIn();
    expect(await whoIsIn(five)).to.deep.equal([false, false, false, false, false]);
  });

  it('disables a user with a password of their own, with the same response', async () => {
    const carl = await choose(shops.accounts, await shops.member('carl').logIn(), 'correct horse');
    await act('disable', 'carl');
    for (const password of ['correct horse', 'wrong horse']) {
      const { status, json } = await carl.tryLogin(password);
      expect([status, json.why]).to.deep.equal([401, 'wrong-login']);
    }
    // Right or wrong, each try stays counted.
    const [counter] = Object.values((await shops.accounts.read('carl')).wrongTries);
    expect(counter?.count).to.equal(2);
  });

  it('disables a user whose login waits for its code', async () => {
    const app = await enrol(await shops.member('dora').logIn());
    const waiting = shops.member('dora');
    expect((await waiting.tryLogin()).status).to.equal(202);
    await act('disable', 'dora');
    const { status, json } = await waiting.post('/login/totp', { code: app.code() });
    expect([status, json.why]).to.deep.equal([401, 'wrong-login']);
    expect((await waiting.tryLogin()).json.why).to.equal('wrong-login');
  });

  it('lets no parallel login through while a user is disabled', async () => {
    const logins = Array.from({ length: 12 }, (_, index) => {
      const edda = shops.member('edda');
      edda.url = index % 2 === 0 ? shops.one.url : shops.two.url;
      return edda.tryLogin().then(() => edda);
    });
    const [, ...members] = await Promise.all([act('disable', 'edda'), ...logins]);
    expect(await whoIsIn(members.filter(({ cookies }) => cookies.has('session')))).not.to.include(true);
    expect(await shops.accounts.read('edda')).to.include({ disabled: true });
  });

  it('deletes a user: ends the sessions, and forgets the password, the second factor and the waits', async () => {
    const owner = await choose(shops.accounts, await shops.member('ines').logIn(), 'correct horse');
    const app = await enrol(owner);
    const waiting = Object.assign(shops.member('ines'), { password: 'correct horse' });
    expect((await waiting.tryLogin()).status).to.equal(202);
    const there = Object.assign(shops.member('ines'), { url: shops.two.url, password: 'correct horse' });
    await there.logInWith(app.code());
    expect((await act('delete', 'ines')).json).to.deep.equal({ user: 'ines', ended: 2 });
    expect(await whoIsIn([owner, there])).to.deep.equal([false, false]);
    expect((await waiting.post('/login/totp', { code: app.code() })).json.why).to.equal('wrong-login');
    expect((await waiting.tryLogin('correct horse')).status).to.equal(401);
    await shops.member('ines').logIn();
    expect(await owner.isIn()).to.equal(false);
    expect((await act('delete', 'admin')).status).to.equal(403);
  });

  it('cannot disable the own account, nor an impossible user name', async () => {
    expect((await act('disable', 'admin')).status).to.equal(403);
    for (const user of ['', '../anna', 'a\n', 'Ä']) expect((await act('disable', user)).status).to.equal(400);
    expect(await admin.isIn()).to.equal(true);
  });

  it('ends a wait after wrong passwords', async () => {
    const fred = await choose(shops.accounts, await shops.member('fred').logIn(), 'correct horse');
    const elsewhere = shops.member('fred');
    for (let tries = 1; tries <= 5; tries++) await elsewhere.tryLogin('guess');
    expect((await elsewhere.tryLogin('correct horse')).status).to.equal(429);
    await act('enable', 'fred');
    expect((await elsewhere.tryLogin('correct horse')).status).to.equal(200);
    expect(await fred.isIn()).to.equal(true);
  });

  it('ends the sessions of one user, who may log in again', async () => {
    const [gina, other] = [await browsers('gina', 3), await browsers('gino', 2)];
    expect((await act('end-sessions', 'gina')).json).to.deep.equal({ ended: 3 });
    expect(await whoIsIn([...gina, ...other])).to.deep.equal([false, false, false, true, true]);
    await shops.member('gina').logIn();
  });

  it('ends every session, including the own one', async () => {
    const everyone = [...(await browsers('hans', 2)), ...(await browsers('hugo', 2))];
    expect((await admin.post('/admin/end-everyone', { nonce: await admin.nonce() })).status).to.equal(200);
    expect(await whoIsIn(everyone)).to.deep.equal([false, false, false, false]);
    expect(admin.cookies.has('session')).to.equal(false);
    expect(await admin.isIn()).to.equal(false);
  });
});

/** The parts of a response by which a client could distinguish refusals: everything except the backend and the time. */
function comparable(headers: Headers): readonly (readonly [string, string])[] {
  return [...headers].filter(([name]) => !['date', 'holdfast-backend', 'holdfast-incarnation'].includes(name));
}
