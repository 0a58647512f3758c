import { hash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import httpProxy from 'http-proxy';

/**
 * A proxy with a weakness that is common in practice. Its affinity cookie holds the number and address of the backend
 * in plain text, and the proxy does not verify it. It takes those options of `holdfast proxy` that a lab needs.
 */
const { values } = parseArgs({
  args: process.argv.slice(3),
  strict: false,
  options: {
    port: { type: 'string' },
    'admin-port': { type: 'string' },
    backend: { type: 'string', multiple: true },
  },
});

const backends = [values.backend ?? []].flat().map(String);
let turn = 0;

const proxy = httpProxy.createProxyServer({ xfwd: true });
proxy.on('error', (_error, _request, response) => void response.end());

createServer((request, response) => {
  const chosen = findChosen(request);
  const backend = chosen ?? turn++ % backends.length;
  if (chosen === undefined) {
    const { host } = new URL(backends[backend] ?? '');
    const encoded = Buffer.from(host).toString('base64url');
    const hashed = hash('sha256', host, 'hex');
    response.appendHeader('set-cookie', `backend=${backend + 1}.${host}.${encoded}.${hashed}; Path=/`);
    keepAppending(response);
  }
  proxy.web(request, response, { target: backends[backend] });
}).listen(Number(values.port), '127.0.0.1');

/** Answers every request of the admin API: all backends are ready. */
createServer((_request, response) => {
  const listed = backends.map((_url, index) => ({ name: `backend-${index + 1}`, state: 'ready' }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ backends: listed }));
}).listen(Number(values['admin-port']), '127.0.0.1');

/**
 * Returns the index of the backend that a request asks for: by number in the own cookie, or by its name in the cookie or
 * header of another proxy, or by its host. The rest of the own cookie is for people who read logs.
 */
function findChosen({ headers }: IncomingMessage): number | undefined {
  const { cookie = '', host } = headers;
  const number = Number(/(?:^|; *)backend=(\d+)/.exec(cookie)?.[1] ?? 0);
  const name = /(?:^|; *)SERVERID=([^;]*)/.exec(cookie)?.[1] ?? headers['x-backend'];
  const wanted = [
    number - 1,
    Number(/^backend-(\d+)$/.exec(String(name))?.[1] ?? 0) - 1,
    backends.findIndex(url => new URL(url).host === host),
  ];
  return wanted.find(at => at >= 0 && at < backends.length);
}

/** Keeps our cookie although http-proxy copies the headers of the backend over ours. */
function keepAppending(response: import('node:http').ServerResponse): void {
  const ours = response.getHeader('set-cookie');
  const setHeader = response.setHeader.bind(response);
  response.setHeader = (name, value) =>
    setHeader(name, name.toLowerCase() === 'set-cookie' ? [ours, value].flat().map(String) : value);
}
