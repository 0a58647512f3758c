/** A backend that names itself in each answer, as the toy shop does, and starts sooner. */
import { createServer } from 'node:http';

createServer((_request, response) => {
  response.setHeader('holdfast-backend', process.env.BACKEND_ID ?? '');
  response.end('{}');
}).listen(Number(process.env.PORT), process.env.HOST);
