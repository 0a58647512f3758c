/** A backend that starts at once, ends by SIGTERM with code 0, and has none of the routes of the lab. */
import { createServer } from 'node:http';

const server = createServer(({ url }, response) => {
  response.statusCode = url === '/lab' ? 404 : 200;
  response.end('{}');
});
server.listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
