/** Answers once, then ends: as a backend whose port belongs to another server, which answers in its place. */
import { createServer } from 'node:http';

createServer((_request, response) => {
  response.end('{}', () => {
    console.error('the port is not mine');
    process.exit(1);
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
