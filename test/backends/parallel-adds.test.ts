import { expect } from 'chai';
import { type ModeName, modeNames, modes } from '#src/modes.js';
import { promisedBy, startModeLab } from './mode-lab.js';
import { itemsOf, Visitor } from './visitor.js';
import { withShop } from './with-shop.js';

const rounds = 80;

interface Balance {
  readonly acknowledged: number;
  readonly kept: number;
}

describe(`shop: two adds at the same time in one session, ${rounds} rounds, on two backends where any will do`, function () {
  this.timeout(60_000);

  for (const mode of modeNames) {
    const { compareAndSet } = promisedBy(mode);

    it(`${mode}: ${compareAndSet ? 'none is lost' : 'as declared, of each two the one answered last is kept'}`, async () => {
      const { acknowledged, kept } = await balanceOf(mode);
      expect(acknowledged).to.be.at.least(rounds);
      if (compareAndSet) expect(kept).to.equal(acknowledged);
      else expect(acknowledged - kept).to.equal(rounds);
    });
  }
});

/** Two connections with the cookies of one browser. What was refused (a conflict) is not lost. */
async function balanceOf(mode: ModeName): Promise<Balance> {
  const lab = await startModeLab(mode);
  try {
    return await withShop(lab.settings('backend-1'), one =>
      withShop(lab.settings('backend-2'), async two => {
        const left = await new Visitor(one.url).logIn('anna');
        const right = left.beside(modes[mode].affinity ? one.url : two.url);
        let acknowledged = 0;
        for (let round = 0; round < rounds; round++) {
          const answers = await Promise.all([left.post('/cart', { sku: 'tea' }), right.post('/cart', { sku: 'rope' })]);
          acknowledged += answers.filter(({ status }) => status === 201).length;
        }
        const { json } = await left.get('/cart');
        const kept = itemsOf(json).reduce((sum, { quantity }) => sum + quantity, 0);
        return { acknowledged, kept };
      }),
    );
  } finally {
    await lab.stop();
  }
}
