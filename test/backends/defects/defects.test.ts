import { expect } from 'chai';
import { defectNames } from '#backends/defects.js';
import { type WeakVariant, weakVariantNames, weakVariants } from '#src/attacks/weak-variants.js';
import { plantedDefects } from '../../simulator/planted-defects.js';
import { Visitor } from '../visitor.js';
import { withShop } from '../with-shop.js';

/** For each defect, its symptom, and the answer of a sound shop to the same requests. */
const symptoms: Record<string, { look(url: string): Promise<unknown>; sound: unknown; spoilt: unknown }> = {
  'drop-writes': { look: lostOf120, sound: [], spoilt: ['item-50', 'item-100'] },
  'foreign-cart': {
    look: twoCarts,
    sound: ['anna: tea', 'berta: rope', 'berta: rope', 'anna: tea'],
    spoilt: ['anna: tea', 'anna: tea', 'berta: rope', 'anna: tea'],
  },
  'revive-after-logout': {
    look: afterLogout,
    sound: { status: 200, cookie: undefined, replayed: null },
    spoilt: { status: 200, cookie: undefined, replayed: 'anna' },
  },
};

describe('shop: planted defects', () => {
  it('each has a symptom here, or a weak variant for an attack, or a row in the simulator', () => {
    const weak = weakVariantNames.map((name): WeakVariant => weakVariants[name]).map(({ defect }) => defect);
    const shown = new Set([...Object.keys(symptoms), ...weak.flatMap(defect => defect?.split(',') ?? [])]);
    for (const name of Object.keys(plantedDefects)) shown.add(name);
    expect([...shown].sort()).to.deep.equal([...defectNames].sort());
  });

  it('writes planted defects to stderr, and nothing without a defect', async () => {
    await withShop({ SHOP_DEFECT: 'drop-writes, foreign-cart' }, async ({ output }) => {
      expect(output()).to.match(/DEFECT PLANTED: drop-writes: .*\nDEFECT PLANTED: foreign-cart: /);
    });
    await withShop({}, async ({ output }) => expect(output()).not.to.include('DEFECT'));
  });

  it('shows no symptom when none is planted', () =>
    withShop({}, async ({ url }) => {
      for (const { look, sound } of Object.values(symptoms)) expect(await look(url)).to.deep.equal(sound);
    }));

  for (const [name, { look, spoilt }] of Object.entries(symptoms)) {
    it(`${name}: shows its symptom`, () =>
      withShop({ SHOP_DEFECT: name }, async ({ url }) => {
        expect(await look(url)).to.deep.equal(spoilt);
      }));

    it(`${name}: shows no other symptom`, () =>
      withShop({ SHOP_DEFECT: name }, async ({ url }) => {
        const others = Object.entries(symptoms).filter(([other]) => other !== name);
        for (const [other, { look, sound }] of others) expect(await look(url), other).to.deep.equal(sound);
      }));
  }

  it('plants several at once', () =>
    withShop({ SHOP_DEFECT: Object.keys(symptoms).join(', ') }, async ({ url }) => {
      expect(await twoCarts(url)).to.deep.equal(symptoms['foreign-cart']?.spoilt);
      expect(await afterLogout(url)).to.deep.equal(symptoms['revive-after-logout']?.spoilt);
    }));
});

async function lostOf120(url: string): Promise<readonly string[]> {
  const carl = await new Visitor(url).logIn('carl');
  const skus = Array.from({ length: 120 }, (_, index) => `item-${index + 1}`);
  for (const sku of skus) await carl.add(sku);
  const kept = await carl.skus();
  return skus.filter(sku => !kept.includes(sku));
}

async function twoCarts(url: string): Promise<readonly string[]> {
  const anna = await new Visitor(url).logIn('anna');
  const berta = await new Visitor(url).logIn('berta');
  await anna.get('/cart');
  await anna.add('tea');
  await berta.add('rope');
  const answers = [];
  for (const visitor of [anna, berta, berta, anna]) answers.push((await visitor.get('/cart')).json);
  return answers.map(({ user, items }) => `${user}: ${Object(items)[0].sku}`);
}

async function afterLogout(url: string) {
  const anna = await new Visitor(url).logIn('anna');
  const replay = new Visitor(url, anna.cookie);
  const { status } = await anna.post('/logout', {});
  return { status, cookie: anna.cookie, replayed: (await replay.get('/me')).json.user };
}
