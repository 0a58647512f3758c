/** The server behind bench/driver.ts. It answers like the shop, immediately, and stores nothing. */
import { createServer } from 'node:http';

const cookie = `shop=${'s'.repeat(43)}; Path=/; HttpOnly; SameSite=Lax; Max-Age=1800`;

const server = createServer((request, response) => {
  const user = /who=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'user';
  const headers = { 'content-type': 'application/json', 'holdfast-backend': 'bench' };
  request.resume();
  if (request.method === 'GET') answer(200, { user, items: [{ sku: `${user}.1`, quantity: 1 }] });
  else if (request.url === '/login') answer(200, { user }, { 'set-cookie': [cookie, `who=${user}; Path=/`] });
  else answer(201, { user });

  function answer(status: number, body: object, more: Record<string, string[]> = {}): void {
    response.writeHead(status, { ...headers, ...more }).end(JSON.stringify(body));
  }
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.send?.(address?.port);
});
process.on('disconnect', () => process.exit());
