/** A backend that takes a while for each request, health checks apart. */
import { createServer } from 'node:http';

const workMs = 300;

createServer(({ url }, response) => {
  setTimeout(() => response.end('{}'), url?.startsWith('/health') ? 0 : workMs);
}).listen(Number(process.env.PORT), process.env.HOST);
