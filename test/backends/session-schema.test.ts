import { expect } from 'chai';
import { startModeLab } from './mode-lab.js';
import { Visitor } from './visitor.js';
import { withShop } from './with-shop.js';

describe('shops that write sessions in two schemas', () => {
  // One mode keeps the session in a store, the other in the browser.
  for (const mode of ['redis', 'sealed'] as const)
    it(`cannot read the sessions of each other, and a login replaces the session: ${mode}`, async () => {
      const lab = await startModeLab(mode);
      const settings = (name: string, schema: string) => ({ ...lab.settings(name), SHOP_SESSION_SCHEMA: schema });
      try {
        await withShop({ ...settings('backend-1', '1'), BACKEND_VERSION: 'A' }, old =>
          withShop({ ...settings('backend-2', '2'), BACKEND_VERSION: 'B' }, async changed => {
            const anna = await new Visitor(old.url).logIn('anna');
            await anna.post('/cart', { sku: 'tea' });
            const there = anna.beside(changed.url);
            const refused = await there.get('/cart');
            expect([refused.status, refused.json.why]).to.deep.equal([401, 'malformed']);
            expect((await there.post('/cart', { sku: 'jam' })).status).to.equal(401);
            expect(await anna.skus(), 'it is still there for the old version').to.deep.equal(['tea']);

            await there.logIn('anna');
            const whoami = await there.get('/me');
            expect([whoami.json.user, whoami.headers.get('holdfast-version')]).to.deep.equal(['anna', 'B']);
            expect(await there.skus()).to.deep.equal([]);
            const back = await anna.get('/me');
            expect([back.json.user, back.headers.get('holdfast-version')]).to.deep.equal([null, 'A']);
          }),
        );
      } finally {
        await lab.stop();
      }
    });
});
