import { pick, pickWeighted, type Random } from '#src/simulator/plan/random.js';

/*
 * Generates mostly valid messages with everything that a proxy must read. Most malformed input comes from mutations
 * (`mutations.ts`). A few rare cases are written here.
 */

const methods = [
  ['GET', 30],
  ['POST', 30],
  ['HEAD', 5],
  ['PUT', 10],
  ['DELETE', 5],
  ['OPTIONS', 3],
  ['PATCH', 2],
  ['TRACE', 1],
  ['PROPFIND', 1],
  ['CONNECT', 1],
  ['BREW', 1],
] as const;
const targets = [
  '/',
  '/a',
  '/a?b=c',
  '//x/y',
  '/a%20b',
  '*',
  'http://y.example/z?q',
  'http://y',
  '/\xe9',
  'x:80',
  '/a#b',
];
const hosts = ['x', 'shop.example', 'x:80', '[::1]:8080', '127.0.0.1', '', 'a b', 'x/y', 'u@x'];
const plainFields = [
  'X-A: 1',
  'x-a: 2',
  'Accept: */*',
  'Cookie: a=1; b="2"',
  'Cookie: c=3',
  'Content-Type: text/plain',
  'X-Bytes: \xc3\xa9\xff',
  'X-Empty:',
  'X-Wide: \t 1 2\t3 \t',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64)',
  'Authorization: Basic YTpi',
  'Trailer: X-Sum',
];
const hopFields = [
  'Connection: keep-alive',
  'Connection: close',
  'Connection: X-A, X-Empty',
  'Connection: host, content-length, transfer-encoding',
  'Connection: Upgrade',
  'Connection: upgrade, HTTP2-Settings',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'TE: trailers',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: keep-alive',
  'Expect: 100-continue',
  'Expect: nothing',
  'X-Forwarded-For: 6.6.6.6',
  'Via: 1.0 other',
];
const badFramings = [
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length:',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding : chunked',
];
const extensions = ['', '', '', '', ';a', ';a=b', ';a="b;c"', '; a = b'];
const trailers = [
  '',
  '',
  '',
  '',
  'X-Sum: 1\r\n',
  'X-Sum: 1\r\nX-More: 2\r\n',
  'Content-Length: 5\r\n',
  'Host: z\r\n',
  'Upgrade: websocket\r\n',
];
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n';
const interims = [
  `${hints}\r\n`,
  `${hints}\r\n`,
  `${hints}Connection: close\r\n\r\n`,
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.0 100 Continue\r\n\r\n',
];
const statuses = [
  '200 OK',
  '200 OK',
  '204 No Content',
  '304 Not Modified',
  '404 Not Found',
  '500 ',
  '200',
  '299 \xe9',
  '100 Continue',
];

function some(random: Random, items: readonly string[], atMost: number): string[] {
  const count = Math.floor(random() * (atMost + 1));
  return Array.from({ length: count }, () => pick(random, items) ?? '');
}

function text(random: Random): string {
  const length = Math.floor(random() ** 3 * 300);
  // Sometimes text that looks like a message of its own.
  if (random() < 0.2) return 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
  return 'abcdefghijklmnopqrstuvwxyz0123456789\r\n'.repeat(8).slice(0, length);
}

/** A body and the field that frames it. */
function framed(random: Random, mayBeBare: boolean): { field: string[]; body: string } {
  const kind = random();
  const body = text(random);
  if (kind < 0.35 && mayBeBare) return { field: [], body: '' };
  if (kind < 0.65) return { field: [`Content-Length: ${random() < 0.05 ? '000' : ''}${body.length}`], body };
  if (kind < 0.97) return { field: ['Transfer-Encoding: chunked'], body: chunks(random, body) };
  return { field: some(random, badFramings, 2), body };
}

function chunks(random: Random, body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const size = 1 + Math.floor(random() * body.length);
    const data = body.slice(at, at + size);
    const digits = random() < 0.5 ? data.length.toString(16) : data.length.toString(16).toUpperCase();
    out += `${random() < 0.1 ? '00' : ''}${digits}${pick(random, extensions)}\r\n${data}\r\n`;
    at += size;
  }
  return `${out}0${pick(random, extensions)}\r\n${pick(random, trailers)}\r\n`;
}

function shuffled(random: Random, items: string[]): string[] {
  for (let at = items.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [items[at], items[other]] = [items[other] ?? '', items[at] ?? ''];
  }
  return items;
}

export function request(random: Random): string {
  const method = pickWeighted(random, methods) ?? 'GET';
  const target = random() < 0.6 ? '/' : (pick(random, targets) ?? '/');
  const version = random() < 0.93 ? 'HTTP/1.1' : (pick(random, ['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1']) ?? '');
  const { field, body } = framed(random, true);
  const host = random() < 0.9 ? ['Host: x'] : [`Host: ${pick(random, hosts)}`];
  const fields = [...host, ...field, ...some(random, plainFields, 4)];
  if (random() < 0.4) fields.push(...some(random, hopFields, 3));
  if (random() < 0.05) fields.push(...some(random, badFramings, 1));
  return `${method} ${target} ${version}\r\n${shuffled(random, fields).join('\r\n')}\r\n\r\n${body}`;
}

/** Makes a backend's bytes for one request: interim answers, the answer, and sometimes more. */
export function answer(random: Random): string {
  const interim = random() < 0.1 ? pick(random, interims) : '';
  const { field, body } = framed(random, random() < 0.2);
  const fields = [
    ...field,
    ...some(random, plainFields, 3),
    ...(random() < 0.3 ? ['Set-Cookie: a=1; Path=/', 'Set-Cookie: b=2'] : []),
  ];
  if (random() < 0.3) fields.push(...some(random, hopFields.slice(0, 12), 2));
  const version = random() < 0.92 ? 'HTTP/1.1' : 'HTTP/1.0';
  const status = random() < 0.6 ? '200 OK' : pick(random, statuses);
  const lines = shuffled(random, fields).map(line => `${line}\r\n`);
  const more = random() < 0.05 ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray' : '';
  return `${interim}${version} ${status}\r\n${lines.join('')}\r\n${body}${more}`;
}
