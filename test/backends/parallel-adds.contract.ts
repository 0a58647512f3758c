import { expect } from 'chai';
import { type ModeName, modes } from '#src/modes.js';
import { promisedBy } from './mode-lab.js';
import type { TwoBackends } from './two-backends.js';
import { itemsOf, Visitor } from './visitor.js';

const rounds = 15;

interface Balance {
  readonly acknowledged: number;
  readonly kept: number;
}

/** Two parallel adds, on two backends if any backend may serve. */
export function parallelAdds(mode: ModeName, pair: () => TwoBackends): void {
  const { compareAndSet } = promisedBy(mode);

  it(`two parallel adds in one session, ${rounds} rounds: ${compareAndSet ? 'loses none' : 'keeps the last response of each two, as declared'}`, async () => {
    const { acknowledged, kept } = await balanceOf(mode, pair());
    expect(acknowledged).to.be.at.least(rounds);
    if (compareAndSet) expect(kept).to.equal(acknowledged);
    else expect(acknowledged - kept).to.equal(rounds);
  });
}

/** Two connections with the cookies of one browser. A refused add (a conflict) does not count as lost. */
async function balanceOf(mode: ModeName, { one, two }: TwoBackends): Promise<Balance> {
  const left = await new Visitor(one.shop.url).logIn('anna');
  const right = left.beside(modes[mode].affinity ? one.shop.url : two.shop.url);
  let acknowledged = 0;
  for (let round = 0; round < rounds; round++) {
    const answers = await Promise.all([left.post('/cart', { sku: 'tea' }), right.post('/cart', { sku: 'rope' })]);
    acknowledged += answers.filter(({ status }) => status === 201).length;
  }
  const { json } = await left.get('/cart');
  const kept = itemsOf(json).reduce((sum, { quantity }) => sum + quantity, 0);
  return { acknowledged, kept };
}
