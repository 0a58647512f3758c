/** The backend behind every proxy of bench/proxies.ts: a 60-byte JSON answer, at once. */
import { createServer } from 'node:http';

const body = JSON.stringify({ user: 'bench', items: [{ sku: 'one', quantity: 1 }], pad: '......' });
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };

const server = createServer((_request, response) => response.writeHead(200, headers).end(body));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.send?.(address?.port);
});
process.on('disconnect', () => process.exit());
