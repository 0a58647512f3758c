/** A backend that does not handle SIGTERM: it ends by the signal. */
import { createServer } from 'node:http';

createServer((_request, response) => response.end('{}')).listen(Number(process.env.PORT), process.env.HOST);
