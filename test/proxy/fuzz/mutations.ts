import { pick, type Random } from '#src/simulator/plan/random.js';

/** Texts on which parsers are known to disagree. */
const nasty = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\n\n', '\r\r\n', '\0', '\x0b', '\x0c', '\x7f', '\x80', '\xa0', '\x1f', '\x08',
  ' ', '\t', '  ', ' \t', ':', ': ', ' :', ',', ', ', ';', '"', '\\', '(', '=', '-', '+', '_', '0', '5', 'f', 'x', '0x', '#', '@', '?',
  'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'content-length:5\r\n', 'Content-Length : 5\r\n', 'Content-Length',
  'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n', 'transfer-encoding:chunked\r\n', 'Transfer-Encoding\t: chunked\r\n',
  'Transfer-Encoding: chunked\n', 'Transfer-Encoding:\r\n chunked\r\n', 'chunked', ', chunked', 'identity', 'gzip, ',
  'Host: y\r\n', 'Host:\r\n', 'Connection: close\r\n', 'Connection: keep-alive\r\n', 'Connection: x, close ,y\r\n', 'Connection: closed\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n', 'Expect: 100-continue\r\n', 'X: 1\r\n 2\r\n', ' X: 1\r\n', ': 1\r\n', 'X\r\n',
  'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray',
  '0\r\n\r\n', '1\r\nz\r\n', '5;a=b\r\n', ';a="\n"', '10000000000000000\r\n', 'ffffffffffffffff\r\n', 'fffffffffffff\r\n', '-1\r\n', '7fffffff\r\n',
] as const; // biome-ignore format: a list to be read as one

type Mutation = (bytes: string, random: Random) => string;

const at = (bytes: string, random: Random): number => Math.floor(random() * (bytes.length + 1));

/** Picks a sensitive place three times out of four: near a line end or a colon. */
function spot(bytes: string, random: Random): number {
  const from = at(bytes, random);
  if (random() < 0.25) return from;
  const found = bytes.slice(from).search(/[\r\n: ]/);
  return found === -1 ? from : from + found + Math.floor(random() * 2);
}

const mutations: readonly Mutation[] = [
  function insert(bytes, random) {
    const where = spot(bytes, random);
    return bytes.slice(0, where) + pick(random, nasty) + bytes.slice(where);
  },
  function replace(bytes, random) {
    const where = spot(bytes, random);
    return bytes.slice(0, where) + pick(random, nasty) + bytes.slice(where + 1 + Math.floor(random() * 3));
  },
  function flip(bytes, random) {
    const where = at(bytes, random);
    const code = bytes.charCodeAt(where) ^ (1 << Math.floor(random() * 8));
    return Number.isNaN(code)
      ? bytes
      : bytes.slice(0, where) + String.fromCharCode(code & 255) + bytes.slice(where + 1);
  },
  function anyByte(bytes, random) {
    const where = spot(bytes, random);
    return bytes.slice(0, where) + String.fromCharCode(Math.floor(random() * 256)) + bytes.slice(where + 1);
  },
  function remove(bytes, random) {
    const where = spot(bytes, random);
    return bytes.slice(0, where) + bytes.slice(where + 1 + Math.floor(random() ** 3 * 30));
  },
  function repeat(bytes, random) {
    const where = spot(bytes, random);
    const piece = bytes.slice(where, where + 1 + Math.floor(random() ** 2 * 40));
    return bytes.slice(0, where) + piece + bytes.slice(where);
  },
  function swapLines(bytes, random) {
    const lines = bytes.split('\r\n');
    const [one, other] = [Math.floor(random() * lines.length), Math.floor(random() * lines.length)];
    [lines[one], lines[other]] = [lines[other] ?? '', lines[one] ?? ''];
    return lines.join('\r\n');
  },
  function repeatLine(bytes, random) {
    const lines = bytes.split('\r\n');
    const line = Math.floor(random() * lines.length);
    lines.splice(Math.floor(random() * lines.length), 0, lines[line] ?? '');
    return lines.join('\r\n');
  },
  function bareLineEnd(bytes, random) {
    const where = bytes.indexOf('\r\n', at(bytes, random));
    if (where === -1) return bytes;
    return bytes.slice(0, where) + (random() < 0.5 ? '\n' : '\r') + bytes.slice(where + 2);
  },
  function changeNumber(bytes, random) {
    const where = bytes.slice(at(bytes, random)).search(/\d/);
    if (where === -1) return bytes;
    return bytes.slice(0, where) + Math.floor(random() ** 2 * 40) + bytes.slice(where + 1);
  },
  function cutOff(bytes, random) {
    return bytes.slice(0, at(bytes, random));
  },
];

/** Mutates four texts out of five, one to four times. */
export function mutated(bytes: string, random: Random): string {
  if (random() < 0.2) return bytes;
  let out = bytes;
  for (let left = 1 + Math.floor(random() ** 2 * 4); left > 0; left -= 1)
    out = pick(random, mutations)?.(out, random) ?? out;
  return out;
}

/** Splits the bytes into up to five writes. */
export function split(bytes: string, random: Random): string[] {
  const cuts = Array.from({ length: Math.floor(random() ** 2 * 5) }, () => at(bytes, random)).sort((a, b) => a - b);
  const pieces = [0, ...cuts].map((from, nth) => bytes.slice(from, cuts[nth] ?? bytes.length));
  return pieces.filter(piece => piece !== '');
}
