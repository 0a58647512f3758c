import { expect } from 'chai';
import { type ModeName, modeNames } from '#src/modes.js';
import { newSessionId } from '#src/sessions/session.js';
import { type ModeLab, promisedBy, startModeLab } from './mode-lab.js';
import { Visitor } from './visitor.js';
import { type ShopProcess, startShop, withShop } from './with-shop.js';

const cookieBytesMax = 4_096;
/** The cookie of a session of another shop. */
let foreign: string | undefined;
const longName = 'n'.repeat(64);
const longSku = (number: number) => String(number).padStart(64, 'x');

describe('shop: the cookie of a session', () => {
  before(async () => {
    foreign = await withShop({ HOLDFAST_MODE: 'sticky' }, async ({ url }) => {
      return (await new Visitor(url).logIn('anna')).cookie;
    });
  });

  for (const mode of modeNames) describe(mode, () => cookiesOf(mode));
});

function cookiesOf(mode: ModeName): void {
  const isInBrowser = promisedBy(mode).dataIn === 'browser';
  let lab: ModeLab;
  let shop: ShopProcess;

  before(async () => {
    lab = await startModeLab(mode);
    shop = await startShop(lab.settings('backend-1'));
  });

  after(async () => {
    shop.signal('SIGKILL');
    await shop.ended;
    await lab.stop();
  });

  async function counted(work: () => Promise<void>): Promise<Readonly<Record<string, number>>> {
    const before = await counts(shop);
    await work();
    const after = await counts(shop);
    const changes = Object.entries(after).map(([name, count]): [string, number] => [name, count - (before[name] ?? 0)]);
    return Object.fromEntries(changes.filter(([, change]) => change > 0));
  }

  it('two copies count as none, because the shop cannot tell which is genuine', async () => {
    const anna = await new Visitor(shop.url).logIn('anna');
    const berta = await new Visitor(shop.url).logIn('berta');
    const pairs = [
      [anna, anna],
      [anna, berta],
      [berta, anna],
    ] as const;
    const seen = await counted(async () => {
      for (const [first, second] of pairs) {
        const both = new Visitor(shop.url, `${first.cookie}; other=1; ${second.cookie}`);
        const { status, json, headers } = await both.post('/cart', { sku: 'tea' });
        expect([status, json.why, headers.getSetCookie()]).to.deep.equal([401, 'malformed', []]);
      }
    });
    expect(seen).to.deep.equal({ malformed: pairs.length });
    for (const visitor of [anna, berta]) expect(await visitor.skus()).to.deep.equal([]);
  });

  it('counts each reason for a missing session under its own name', async () => {
    const ended = await new Visitor(shop.url).logIn('anna');
    const { cookie } = ended;
    await ended.post('/logout', {});
    const seen = await counted(async () => {
      for (const each of [undefined, 'session=', 'session=x', `session=${newSessionId('anna')}`, foreign, cookie]) {
        expect((await new Visitor(shop.url, each).get('/me')).json.user).to.equal(null);
      }
    });
    expect(seen).to.deep.equal(
      isInBrowser ? { absent: 1, malformed: 4, revoked: 1 } : { absent: 1, malformed: 2, unknown: 3 },
    );
  });

  if (!isInBrowser) return;

  it('never exceeds the size that browsers keep: a larger one returns 413 and changes nothing', async () => {
    const anna = await new Visitor(shop.url).logIn(longName);
    let kept = 0;
    for (;;) {
      const { cookie } = anna;
      const { status, json, headers } = await anna.post('/cart', { sku: longSku(kept) });
      expect(`__Host-${anna.cookie}`.length).to.be.at.most(cookieBytesMax);
      if (status !== 201) {
        expect(status).to.equal(413);
        expect(json.why).to.equal('session-too-large');
        expect(json.error).to.match(/ would hold \d+ bytes; at most \d+ are kept/);
        expect([headers.get('set-cookie'), anna.cookie]).to.deep.equal([null, cookie]);
        break;
      }
      kept++;
    }
    expect(await anna.skus())
      .to.have.length(kept)
      .and.to.include(longSku(kept - 1));
    expect((await anna.delete(`/cart/${longSku(0)}`)).status).to.equal(200);
    await anna.add(longSku(kept));
    expect(await anna.skus()).to.have.length(kept);
  });
}

async function counts({ url }: ShopProcess): Promise<Readonly<Record<string, number>>> {
  const { json } = await new Visitor(url).get('/stats');
  return Object(json.sessions);
}
