/**
 * A sticky proxy on the package http-proxy, as people write it: a cookie names the backend, and there are no health
 * checks and no retries. node server.mjs CONFIG.mjs
 */
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import httpProxy from 'http-proxy';

const { port, affinity, namesBackends, backends } = await import(pathToFileURL(process.argv[2]).href);
const proxy = httpProxy.createProxyServer({ xfwd: true });
let next = 0;

createServer((request, response) => {
  const [, named] = /(?:^|;\s*)backend=([^;]*)/.exec(request.headers.cookie ?? '') ?? [];
  let backend = affinity ? backends.find(({ name }) => name === named) : undefined;
  if (backend === undefined) {
    // A new browser gets the next backend, and a cookie that names it.
    backend = backends[next++ % backends.length];
    if (affinity) response.setHeader('set-cookie', `backend=${backend.name}; Path=/; HttpOnly`);
  }
  if (namesBackends) response.setHeader('holdfast-backend', backend.name);
  proxy.web(request, response, { target: backend.target });
}).listen(port, '127.0.0.1');

// A backend that cannot be reached: the user gets 502.
proxy.on('error', (_error, _request, response) => {
  if (!response.headersSent) response.writeHead?.(502);
  response.end();
});
