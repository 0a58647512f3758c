import { expect } from 'chai';
import { AwaitedHead } from '#src/proxy/engines/wire/answer-head.js';
import { makeAnswerBody, makeRequestBody, noBody, type WireBody } from '#src/proxy/engines/wire/body.js';
import { Incoming } from '#src/proxy/engines/wire/incoming.js';
import { RequestHead } from '#src/proxy/engines/wire/request-head.js';
import { badAnswerBodies, badAnswerHeads, excesses } from './desync-rows.js';
import { badBodies, badHeads, oddRequests } from './smuggling-rows.js';

/** Longer messages are split only at this many places. */
const everywhereBytesMax = 600;
const placesOfLong = 20;
const limits = { headerBytesMax: 16 * 1024, headerFieldsMax: 100, bodyBytesMax: 0 };
const next = 'GET /next HTTP/1.1\r\nHost: x\r\n\r\n';

/** Messages whose meaning depends on a few bytes that a split can separate. */
const tornRequests: Readonly<Record<string, string>> = {
  'empty lines before and between requests': `\r\n\r\n${next}\r\n\r\n\r\n${next}`,
  'as many empty lines as are ignored': `${'\r\n'.repeat(4)}${next}${'\r\n'.repeat(4)}${next}`,
  'one empty line too many': `${next}${'\r\n'.repeat(5)}${next}`,
  'a CR alone before a request': `\r${next}`,
  'a head in two spellings of its fields':
    'POST / HTTP/1.1\r\nHOST:x\r\ncontent-LENGTH:\t2 \r\nCookie:a=1\r\ncookie:b\r\n\r\nok',
  'line ends in a body': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n',
  'a body that looks like a request': `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${next.length}\r\n\r\n${next}`,
  'chunks whose data looks like chunks':
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0A;a="b\\";c"\r\n0\r\n\r\n\r\n\r\n!\r\n00;x\r\nX-Sum: 1\r\nY:\r\n\r\n',
  'no chunk but the last': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
};

const tornAnswers: Readonly<Record<string, string>> = {
  'interim answers, and the answer': `${'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3)}HTTP/1.1 200\r\nContent-Length: 4\r\n\r\n\r\n\r\n`,
  'an answer that ends with its connection': 'HTTP/1.0 200 OK\r\n\r\n\r\n\r\nuntil the end',
  'a switch of protocols':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi\r\n\r\n',
};

/** Reads one connection's bytes; returns one entry per thing that was read. */
type Read = (pieces: readonly string[]) => string[];

describe('wire: bytes split anywhere', () => {
  const requests = {
    ...tornRequests,
    ...mapped(badHeads, ([bytes]) => bytes),
    ...badBodies,
    ...mapped(oddRequests, ([bytes]) => bytes),
  };
  const answers = {
    ...tornAnswers,
    ...badAnswerHeads,
    ...badAnswerBodies,
    ...mapped(excesses, ({ answer, excess }) => answer + excess),
  };

  it('mean the same as in one piece: requests', () => {
    for (const [what, bytes] of Object.entries(requests)) meansTheSame(readRequests, what, bytes + next);
  });

  for (const how of ['chunks', 'closing'] as const) {
    it(`mean the same as in one piece: answers, framed for the client by ${how}`, () => {
      for (const [what, bytes] of Object.entries(answers)) meansTheSame(readAnswer(how), what, bytes);
    });
  }

  it('are a chunk size below 2^31, and no larger one', () => {
    const read = (size: string) =>
      makeRequestBody({ chunked: true, length: -1 }).read(Buffer.from(`${size}\r\nab`), 0, []);
    for (const size of ['7fffffff', '00007fffffff', '7FFFFFFF']) expect(read(size), size).to.equal(size.length + 4);
    for (const size of ['80000000', 'ffffffff', '100000000', 'fffffffff']) expect(read(size), size).to.equal(-1);
  });

  it('mean the same in the fast path as in the general one', () => {
    let heads = 0;
    for (const [what, bytes] of Object.entries(requests)) {
      const incoming = new Incoming(limits);
      const end = incoming.endOfHeadIn(bytes);
      if (end === -1) continue;
      heads += 1;
      expect([described(incoming.headIn(bytes, end))], what).to.deep.equal(readRequests([bytes]).slice(0, 1));
    }
    expect(heads).to.be.greaterThan(100);
  });
});

function mapped<T>(rows: Readonly<Record<string, T>>, bytesOf: (row: T) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(rows).map(([what, row]) => [what, bytesOf(row)]));
}

function meansTheSame(read: Read, what: string, bytes: string): void {
  const whole = read([bytes]);
  const step = bytes.length <= everywhereBytesMax ? 1 : Math.ceil(bytes.length / placesOfLong);
  for (let at = 1; at < bytes.length; at += step)
    expect(read([bytes.slice(0, at), bytes.slice(at)]), `${what}, split at ${at}`).to.deep.equal(whole);
  const pieces = Array.from({ length: Math.ceil(bytes.length / step) }, (_, nth) =>
    bytes.slice(nth * step, (nth + 1) * step),
  );
  expect(read(pieces), `${what}, in pieces of ${step}`).to.deep.equal(whole);
}

/** Reads heads and bodies as a client's connection does. */
function readRequests(pieces: readonly string[]): string[] {
  const incoming = new Incoming(limits);
  const read: string[] = [];
  let body: WireBody = noBody;
  let passedOn = '';
  for (const piece of pieces) {
    incoming.add(Buffer.from(piece, 'latin1'));
    for (;;) {
      if (!body.done) {
        const bytes = incoming.take() ?? Buffer.alloc(0);
        const out: Buffer[] = [];
        const end = body.read(bytes, 0, out);
        if (end === -1) return [...read, 'no body'];
        passedOn += Buffer.concat(out).toString('latin1');
        if (end < bytes.length) incoming.add(bytes.subarray(end));
        if (!body.done) break;
        read.push(passedOn);
        passedOn = '';
      }
      const head = incoming.nextHead();
      if (head === undefined) break;
      read.push(described(head));
      if (!(head instanceof RequestHead)) return read;
      body = makeRequestBody(head);
    }
  }
  return [...read, `${passedOn} and so on`];
}

function described(head: ReturnType<Incoming['nextHead']>): string {
  return JSON.stringify({ ...head });
}

/** Reads interim heads, the head, and the forwarded part of its body. */
function readAnswer(how: 'chunks' | 'closing'): Read {
  return pieces => {
    const read: string[] = [];
    const awaited = new AwaitedHead(limits.headerBytesMax, '', head => void read.push(JSON.stringify(head)));
    let body: WireBody | undefined;
    let passedOn = '';
    let excess = '';
    for (const piece of pieces) {
      let bytes: Buffer = Buffer.from(piece, 'latin1');
      let at = 0;
      if (body === undefined) {
        const arrived = awaited.read(bytes);
        if (arrived === 'flaw') return [...read, 'no head'];
        if (arrived === 'more') continue;
        read.push(JSON.stringify(arrived.head));
        ({ bytes, at } = arrived);
        // A body that ends with its connection is put into chunks as it arrives.
        const { chunked, length } = arrived.head;
        body = makeAnswerBody(arrived.head, chunked || length !== -1 ? how : 'closing');
      }
      const out: Buffer[] = [];
      const end = body.read(bytes, at, out);
      if (end === -1) return [...read, 'no body'];
      passedOn += Buffer.concat(out).toString('latin1');
      excess += bytes.toString('latin1', end);
    }
    return [...read, passedOn, excess, String(body?.done)];
  };
}
