import { expect } from 'chai';
import { withRedis } from '../sessions/with-redis.js';
import { until, Visitor } from './visitor.js';
import { withShop } from './with-shop.js';

const redisShop = (url: string, name: string) => ({ HOLDFAST_MODE: 'redis', REDIS_URL: url, BACKEND_ID: name });

describe('shop: where the session lives', () => {
  it('redis: a second backend knows the session, its cart and its end', () =>
    withRedis(redis =>
      withShop(redisShop(redis.url, 'backend-1'), one =>
        withShop(redisShop(redis.url, 'backend-2'), async two => {
          const anna = await new Visitor(one.url).logIn('anna');
          await anna.add('tea');
          anna.url = two.url;
          expect((await anna.get('/me')).json).to.include({ user: 'anna', backend: 'backend-2', mode: 'redis' });
          await anna.add('rope');
          one.signal('SIGKILL');
          expect(await anna.skus()).to.deep.equal(['tea', 'rope']);
          const replay = new Visitor(two.url, anna.cookie);
          await anna.post('/logout', {});
          expect((await replay.get('/me')).json).to.include({ user: null, why: 'unknown' });
        }),
      ),
    ));

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

  it('redis down: 503 with Retry-After and the cookie kept, still healthy; back again: served without a restart', () =>
    withRedis(redis =>
      withShop(redisShop(redis.url, 'backend-1'), async shop => {
        const anna = await new Visitor(shop.url).logIn('anna');
        expect((await anna.get('/health')).json).to.include({ status: 'ready', store: 'up' });
        await redis.kill();
        for (const attempt of [anna.get('/me'), anna.get('/cart'), anna.post('/cart', { sku: 'tea' })]) {
          const { status, headers } = await attempt;
          expect(status).to.equal(503);
          expect(Number(headers.get('retry-after'))).to.be.at.least(1);
          expect(headers.get('set-cookie')).to.equal(null);
        }
        const { status, json } = await anna.get('/health');
        expect(status).to.equal(200);
        expect(json).to.include({ status: 'ready', store: 'down' });
        await redis.restart();
        await until(async () => (await new Visitor(shop.url, anna.cookie).get('/me')).status === 200);
        expect((await anna.get('/me')).json).to.include({ user: null, why: 'unknown' });
        await anna.logIn('anna');
        expect((await anna.get('/health')).json).to.include({ store: 'up' });
      }),
    ));

  it('redis not there at boot: it boots all the same and says so', () =>
    withShop(redisShop('redis://127.0.0.1:1', 'backend-1'), async shop => {
      const { status, json } = await new Visitor(shop.url).get('/health');
      expect(status).to.equal(200);
      expect(json).to.include({ store: 'down' });
      expect((await new Visitor(shop.url).post('/login', { user: 'anna', password: 'secret' })).status).to.equal(503);
      shop.signal('SIGTERM');
      expect((await shop.ended).code).to.equal(0);
    }));
});
