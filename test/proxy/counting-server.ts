/*
 * A backend in a process of its own, to be killed. It writes each request into a file as it carries it out, before it
 * answers. The writes are synchronous, so the file is right even after a SIGKILL.
 */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

const [file = '', name = '', waitMs = '5'] = process.argv.slice(2);

const server = createServer(async (request, response) => {
  if (request.url !== '/health') {
    for await (const _ of request);
    appendFileSync(file, `${request.headers['x-id']}\n`);
    await wait(Number(waitMs));
  }
  response.setHeader('holdfast-incarnation', `${name}-${process.pid}`);
  response.end(name);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ port: address.port });
});
// The test is over, passed or failed.
process.on('disconnect', () => process.exit(0));
