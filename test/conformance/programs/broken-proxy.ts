import { readFileSync } from 'node:fs';
import http from 'node:http';

/**
 * A small reverse proxy with cookie affinity: `node broken-proxy.js CONFIG`. The defects of the configuration are what
 * the failure table must find:
 *
 * - `forgets`: it sets a cookie at the first visit, and does not read it
 * - `repeats`: it sends any request again to another backend when the first one broke off
 * - `completes`: it ends a cut answer as if it were whole
 * - `doubles`: it sets its cookie twice in one answer
 * - `expires`: its cookie has a lifetime of one second, and is valid longer (this is no defect)
 * - `invents`: it answers by itself where no backend does
 * - `ignores`: it reads its configuration once. Otherwise SIGHUP makes it read the list of backends again
 */
let lines = readLines();
const valuesOf = (key: string) => lines.flatMap(line => (line.startsWith(`${key} `) ? [line.split(' ').slice(1)] : []));
let backends = readBackends();
const has = (defect: string) => valuesOf('defect').flat().includes(defect);
const answerWithinMs = 2_000;
let turn = 0;

const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => forward(request, response, Buffer.concat(chunks), choose(request), 1));
});
server.listen(Number(valuesOf('listen').flat()[0]), '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
process.on('SIGHUP', () => {
  if (has('ignores')) return;
  lines = readLines();
  backends = readBackends();
});

function readLines(): string[] {
  return readFileSync(process.argv[2] ?? '', 'utf8').split('\n');
}

function readBackends() {
  return valuesOf('backend').map(([name = '', port]) => ({ name, port: Number(port) }));
}

function choose({ headers: { cookie = '' } }: http.IncomingMessage): number {
  const wanted = /(?:^|; )lb=(backend-\d+)/.exec(cookie)?.[1];
  const bound = has('forgets') ? -1 : backends.findIndex(({ name }) => name === wanted);
  turn += 1;
  return bound < 0 ? turn % backends.length : bound;
}

function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  body: Buffer,
  index: number,
  triesLeft: number,
): void {
  const backend = backends[index];
  const { method, url, headers } = request;
  const toBackend = http.request({ host: '127.0.0.1', port: backend?.port, method, path: url, headers });
  let answered = false;
  toBackend.setTimeout(answerWithinMs, () => toBackend.destroy());
  toBackend.on('response', answer => {
    answered = true;
    pass(answer, response, `lb=${backend?.name}; Path=/`, headers.cookie);
  });
  toBackend.on('error', error => {
    if (answered) return;
    // A refused connection has reached no backend, so it is safe to try another one.
    const isSafe = 'code' in error && error.code === 'ECONNREFUSED';
    const next = (index + 1) % backends.length;
    if (triesLeft > 0 && (isSafe || has('repeats'))) forward(request, response, body, next, triesLeft - 1);
    else response.writeHead(has('invents') ? 200 : 502).end('no backend');
  });
  toBackend.end(body);
}

function pass(answer: http.IncomingMessage, response: http.ServerResponse, plain: string, cookie = ''): void {
  const isNew = !cookie.includes(has('forgets') ? 'lb=' : (plain.split(';')[0] ?? ''));
  const own = has('expires') ? `${plain}; Max-Age=1` : plain;
  const added = has('doubles') ? ['lb=old; Path=/', own] : isNew ? [own] : [];
  const cookies = [...(answer.headers['set-cookie'] ?? []), ...added];
  const head = { ...answer.headers, ...(cookies.length > 0 && { 'set-cookie': cookies }) };
  // Without the length of the backend the answer is chunked, and the proxy can end it.
  if (has('completes')) delete head['content-length'];
  response.writeHead(answer.statusCode ?? 502, head);
  answer.on('data', chunk => response.write(chunk));
  answer.on('end', () => response.end());
  answer.on('error', () => undefined);
  answer.on('close', () => {
    if (answer.complete) return;
    if (has('completes')) response.end();
    else response.socket?.destroy();
  });
}
