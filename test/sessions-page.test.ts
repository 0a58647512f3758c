import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { withRedis } from './sessions/with-redis.js';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/sessions.md'), 'utf8');

describe('docs/sessions.md', () => {
  it('begins with an app that runs as it is shown', () =>
    withRedis(async ({ url }) => {
      const [, shown = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
      expect(shown.split('\n').length).to.be.lessThan(17);
      const code = shown
        .replace('redis://127.0.0.1:6379', url)
        .replace('app.listen(3000)', "export { kept }; export const server = app.listen(0, '127.0.0.1')");
      // Beside the compiled tests, where the package finds itself by its name.
      const file = path.join(import.meta.dirname, `shown-app-${process.pid}.js`);
      await writeFile(file, code);
      try {
        const { kept, server } = await import(pathToFileURL(file).href);
        expect(await kept.ready(5_000)).to.equal(true);
        const post = (route: string, body: object, cookie = '') => {
          const headers = { 'content-type': 'application/json', cookie };
          const sent = { method: 'POST', headers, body: JSON.stringify(body) };
          return fetch(`http://127.0.0.1:${server.address().port}${route}`, sent);
        };
        const added = await post('/cart', { sku: 'tea' });
        expect(await added.json()).to.deep.equal({ cart: ['tea'] });
        const cookie = added.headers.getSetCookie()[0]?.split(';')[0] ?? '';
        const loggedIn = await post('/login', { user: 'anna' }, cookie);
        expect(await loggedIn.json()).to.deep.equal({ user: 'anna', cart: ['tea'] });
        server.closeAllConnections();
        server.close();
        await kept.close();
      } finally {
        await rm(file);
      }
    }));
});
