/** A backend that answers and takes no SIGTERM. */
import { createServer } from 'node:http';

process.on('SIGTERM', () => undefined);
createServer((_request, response) => response.end('{}')).listen(Number(process.env.PORT), process.env.HOST);
