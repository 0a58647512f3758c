import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { raw } from '../ask.js';
import { withRecorder } from '../recording-backend.js';
import { noEdits, withEngine } from './with-engine.js';

/** Edits as the dispatcher might make them. */
const edits = {
  ...noEdits,
  request: { 'holdfast-affinity': 'broken; reason=down' },
  ownCookie: 'holdfast',
  onAnswer: () => [['set-cookie', 'holdfast=new'] as const, ['cache-control', 'private'] as const],
};
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function asks(line: string, fields = '', body = ''): string {
  return `${line}\r\nHost: shop.example:8080\r\nConnection: close\r\n${fields}\r\n${body}`;
}

/** A request and the backend's answer. `ok` is the default. */
const exchanges: Record<string, readonly [request: string, answer?: string]> = {
  'a head of a browser': [
    asks(
      'GET /a//b/../c%20d?x=//y&z=%E2%82%AC HTTP/1.1',
      'Cookie: a=1; holdfast=old; b=2\r\nAccept: text/html,*/*;q=0.8\r\nUser-Agent: x\r\nX-Odd: caf\xe9\r\nX-Empty:\r\n',
    ),
  ],
  'hop-by-hop fields': [
    asks('GET / HTTP/1.1', 'Keep-Alive: timeout=9\r\nTE: trailers\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n'),
  ],
  'fields that only a proxy can set': [
    asks(
      'GET / HTTP/1.1',
      'X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nHoldfast-Affinity: 1\r\nVia: 1.0 a\r\n',
    ),
  ],
  'several lines of one field': [asks('GET / HTTP/1.1', 'X-A: 1\r\nAccept: a/b\r\nX-A: 2\r\nAccept: c/d\r\n')],
  'HTTP/1.0': [asks('GET /old HTTP/1.0')],
  'OPTIONS for the server': [asks('OPTIONS * HTTP/1.1')],
  'a target in absolute form': [asks('GET http://other.example/x?y HTTP/1.1')],
  'a body with a length': [asks('PUT / HTTP/1.1', 'Content-Length: 5\r\nContent-Type: a/b\r\n', 'hello')],
  'a body in chunks': [asks('DELETE / HTTP/1.1', 'Transfer-Encoding: chunked\r\n', '5;x=y\r\nhello\r\n0\r\n\r\n')],
  'an empty body': [asks('POST / HTTP/1.1', 'Content-Length: 0\r\n')],
  'no body where one is usual': [asks('POST / HTTP/1.1')],
  HEAD: [asks('HEAD / HTTP/1.1'), 'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nETag: "x"\r\n\r\n'],
  'an answer in chunks': [
    asks('GET / HTTP/1.1'),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  ],
  'an answer with lines that repeat': [
    asks('GET / HTTP/1.1'),
    'HTTP/1.1 404 Nowhere To Be Seen\r\nSet-Cookie: a=1\r\nSet-Cookie: holdfast=app\r\nVary: a\r\nVary: b\r\nContent-Length: 0\r\n\r\n',
  ],
  'an answer with hop-by-hop fields': [
    asks('GET / HTTP/1.1'),
    'HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nProxy-Status: holdfast; error=x\r\nCache-Control: public\r\nContent-Length: 0\r\n\r\n',
  ],
  'an interim answer': [asks('GET / HTTP/1.1'), `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok}`],
  '204': [asks('GET / HTTP/1.1'), 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'],
  '304': [asks('GET / HTTP/1.1'), 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n'],
};

describe('engines: the same message through each', () => {
  for (const [what, [request, answer = ok]] of Object.entries(exchanges)) {
    it(`shows backend and client the same: ${what}`, async () => {
      const [first, ...others] = await Promise.all(
        Object.values(engines).map(({ make }) => seenOf(make, request, answer)),
      );
      for (const other of others) expect(other).to.deep.equal(first);
    });
  }
});

interface Seen {
  readonly byBackend: Message;
  readonly byClient: readonly Message[];
}

async function seenOf(make: EngineFactory, request: string, answer: string): Promise<Seen | undefined> {
  let seen: Seen | undefined;
  await withRecorder(
    (_, { socket }) => socket.write(answer, 'latin1'),
    ({ url, connections }) =>
      withEngine(
        make,
        [url],
        async engine => {
          const answers = await raw(engine.url, request);
          const byClient = answers.split(/(?=HTTP\/1\.1 \d\d\d )/).map(messageIn);
          seen = { byBackend: withoutZero(messageIn(connections[0]?.bytes ?? '')), byClient };
        },
        { edits },
      ),
  );
  return seen;
}

/** Drops a length of 0: to a server it means the same as none (RFC 9112 §6.3). */
function withoutZero({ fields, ...rest }: Message): Message {
  return { ...rest, fields: fields.filter(field => field !== 'content-length: 0') };
}

interface Message {
  readonly line: string;
  readonly fields: readonly string[];
  readonly body: string;
}

/**
 * Normalizes a message. Order and spelling of fields have no meaning, nor does their split into lines (RFC 9110 §5.3).
 */
function messageIn(bytes: string): Message {
  const end = bytes.indexOf('\r\n\r\n');
  const [line = '', ...lines] = bytes.slice(0, end).split('\r\n');
  const fields = new Map<string, string>();
  for (const each of lines) {
    const [, name = '', value = ''] = /^([^:]+):[ \t]*(.*)$/.exec(each) ?? [];
    const known = fields.get(name.toLowerCase());
    fields.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`);
  }
  for (const name of ofTheConnection) fields.delete(name);
  return { line, fields: [...fields].map(([name, value]) => `${name}: ${value}`).sort(), body: bytes.slice(end + 4) };
}

/** These differ, because each engine keeps connections in its own way and has its own clock. */
const ofTheConnection = ['connection', 'keep-alive', 'date'];
