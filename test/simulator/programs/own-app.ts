import { createServer } from 'node:http';

/** An app that knows nothing of Holdfast: answers what its environment holds. Healthy at /up alone. */
const { PORT, WHO, STORE } = process.env;
createServer((request, response) => {
  response.statusCode = request.url === '/up' ? 204 : request.url === '/' ? 302 : 200;
  response.end(JSON.stringify({ WHO, STORE, folder: process.cwd() }));
}).listen(Number(PORT), '127.0.0.1');
