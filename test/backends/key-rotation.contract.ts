import { rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { type ModeName, modes } from '#src/modes.js';
import { formatKeyRing, generateKeyRing, type KeyRing } from '#src/shared/key-ring.js';
import { promisedBy } from './mode-lab.js';
import type { Keyed, TwoBackends } from './two-backends.js';
import { itemsOf, until, Visitor } from './visitor.js';

const shopperCount = 2;

export function keyRing(mode: ModeName, pair: () => TwoBackends): void {
  it('key ring: shows the ids of its keys but no key, and reads another ring at SIGHUP', async () => {
    const { one } = pair();
    const ring = fresh(3);
    await give(one, ring);
    const { json } = await new Visitor(one.shop.url).get('/stats');
    expect(json.keys).to.deep.equal(idsOf(ring));
    for (const { secret } of ring) {
      expect(JSON.stringify(json) + one.shop.output()).not.to.contain(secret.toString('hex'));
    }
  });

  it('key ring: keeps the present ring while the file has none, and reports that in one line', async () => {
    const { one } = pair();
    const ring = fresh(1);
    await give(one, ring);
    const anna = await new Visitor(one.shop.url).logIn('anna');
    for (const spoil of [() => rm(one.file), () => writeFile(one.file, 'k1:'), () => writeFile(one.file, '')]) {
      await spoil();
      const said = one.shop.output();
      one.shop.signal('SIGHUP');
      await until(async () => one.shop.output() !== said);
      expect(one.shop.output().slice(said.length)).to.match(/^the key ring stays as it was: .+\n$/);
      expect((await anna.get('/stats')).json.keys).to.deep.equal(idsOf(ring));
      expect((await anna.get('/me')).json.user).to.equal('anna');
    }
  });

  it(`another ring: ${isSigned(mode) ? 'every cookie is forged' : 'no session is affected'}`, async () => {
    const { one } = pair();
    const anna = await new Visitor(one.shop.url).logIn('anna');
    await anna.add('tea');
    const former = new Visitor(one.shop.url, anna.cookie);
    await give(one, fresh(1));
    if (!isSigned(mode)) return expect(await anna.skus()).to.deep.equal(['tea']);
    const before = await forged(one);
    const { status, json } = await anna.get('/cart');
    expect([status, json.why, anna.cookie]).to.deep.equal([401, 'forged', former.cookie]);
    expect((await former.post('/cart', { sku: 'tea' })).status).to.equal(401);
    expect(await forged(one)).to.equal(before + 2);
    await anna.logIn('anna');
    expect(await anna.skus()).to.deep.equal([]);
  });

  if (isSigned(mode)) {
    it('a key in use before every backend has it logs out users of the other backends', async () => {
      const { one, two } = pair();
      const old = fresh(1);
      await give(two, old);
      await give(one, [...fresh(1), ...old]);
      const anna = await new Visitor(one.shop.url).logIn('anna');
      anna.url = two.shop.url;
      expect((await anna.get('/me')).json).to.include({ user: null, why: 'forged' });
    });
  }

  if (modes[mode].affinity) return;

  // Where no key makes the cookie, the order of the backends makes no difference.
  for (const isReversed of isSigned(mode) ? [false, true] : [false]) {
    it(`rotation under load, backend-${isReversed ? 2 : 1} first: logs no user out and loses no item`, async () => {
      const { one, two } = pair();
      const backends = isReversed ? [two, one] : [one, two];
      const [old, next] = [fresh(1), fresh(1)];
      for (const backend of backends) await give(backend, old);
      await whileShopping(backends, async everyoneWrites => {
        // Three steps: every backend gets the new key for reading; then every backend uses it; only then the old key is
        // removed.
        for (const ring of [[...old, ...next], [...next, ...old], next]) {
          for (const backend of backends) {
            await give(backend, ring);
            await everyoneWrites();
          }
        }
      });
    });
  }
}

/** True if the cookie is only as good as the key that made it. */
function isSigned(mode: ModeName): boolean {
  return promisedBy(mode).dataIn === 'browser';
}

function fresh(count: number): KeyRing {
  return Array.from({ length: count }, generateKeyRing).flat();
}

function idsOf(ring: KeyRing): readonly string[] {
  return ring.map(({ id }) => id);
}

/** Resolves when the shop reports the ring. */
async function give({ shop, file }: Keyed, ring: KeyRing): Promise<void> {
  await writeFile(file, formatKeyRing(ring));
  shop.signal('SIGHUP');
  const wanted = idsOf(ring).join();
  await until(async () => String((await new Visitor(shop.url).get('/stats')).json.keys) === wanted);
}

async function forged({ shop }: Keyed): Promise<number> {
  const { json } = await new Visitor(shop.url).get('/stats');
  return Number(Object(json.sessions).forged ?? 0);
}

/** Users that shop continuously, on both backends in turn. `everyoneWrites` resolves when each of them has written
 * twice more on both. It fails if one of them is logged out or misses an item. */
async function whileShopping(
  backends: readonly Keyed[],
  work: (everyoneWrites: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const written = Array.from({ length: shopperCount }, () => 0);
  let isOver = false;
  const shopping = Promise.all(
    written.map(async (_, at) => {
      const shopper = await new Visitor(backends[0]?.shop.url ?? '').logIn(`shopper-${at}`);
      for (let turn = 0; !isOver; turn++) {
        shopper.url = backends[turn % backends.length]?.shop.url ?? '';
        await shopper.add('tea');
        written[at] = turn + 1;
      }
      expect(itemsOf((await shopper.get('/cart')).json)).to.deep.equal([{ sku: 'tea', quantity: written[at] }]);
    }),
  );
  const everyoneWrites = async () => {
    const enough = written.map(count => count + 2 * backends.length);
    const holds = async () => isOver || written.every((count, at) => count >= (enough[at] ?? 0));
    await Promise.race([until(holds), shopping]);
  };
  try {
    await Promise.race([work(everyoneWrites), shopping]);
  } finally {
    isOver = true;
    await shopping;
  }
}
