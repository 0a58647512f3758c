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
  const chosen = chosenBy(request);
  const backend = chosen ?? turn++ % backends.length;
  if (chosen === undefined) {
    const { host } = new URL(backends[backend] ?? '');
    response.appendHeader('set-cookie', `backend=${backend + 1}.${host}; Path=/`);
    keepAppending(response);
  }
  proxy.web(request, response, { target: backends[backend] });
}).listen(Number(values.port), '127.0.0.1');

/** Answers every request of the admin API: all backends are ready. */
createServer((_request, response) => {
  const listed = backends.map((_url, index) => ({ name: `backend-${index + 1}`, state: 'ready' }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ backends: listed }));
}).listen(Number(values['admin-port']), '127.0.0.1');

/** Reads the number of the backend. The rest of the cookie is for people who read logs. */
function chosenBy({ headers }: IncomingMessage): number | undefined {
  const number = Number(/(?:^|; *)backend=(\d+)/.exec(headers.cookie ?? '')?.[1] ?? 0);
  return number >= 1 && number <= backends.length ? number - 1 : undefined;
}

/** Keeps our cookie although http-proxy copies the headers of the backend over ours. */
function keepAppending(response: import('node:http').ServerResponse): void {
  const ours = response.getHeader('set-cookie');
  const setHeader = response.setHeader.bind(response);
  response.setHeader = (name, value) =>
    setHeader(name, name.toLowerCase() === 'set-cookie' ? [ours, value].flat().map(String) : value);
}
