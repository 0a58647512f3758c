import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import httpProxy from 'http-proxy';

/**
 * A proxy as many are set up: its affinity cookie says which backend, in plain words and with the address of it, and
 * whatever it says is believed. It takes the command line of `holdfast proxy` as far as a lab needs it.
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

/** So much of an admin API as says that all is well. */
createServer((_request, response) => {
  const listed = backends.map((_url, index) => ({ name: `backend-${index + 1}`, state: 'ready' }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ backends: listed }));
}).listen(Number(values['admin-port']), '127.0.0.1');

/** The number counts; what stands behind it is for people who read logs. */
function chosenBy({ headers }: IncomingMessage): number | undefined {
  const number = Number(/(?:^|; *)backend=(\d+)/.exec(headers.cookie ?? '')?.[1] ?? 0);
  return number >= 1 && number <= backends.length ? number - 1 : undefined;
}

/** http-proxy copies the backend's headers over ours. */
function keepAppending(response: import('node:http').ServerResponse): void {
  const ours = response.getHeader('set-cookie');
  const setHeader = response.setHeader.bind(response);
  response.setHeader = (name, value) =>
    setHeader(name, name.toLowerCase() === 'set-cookie' ? [ours, value].flat().map(String) : value);
}
