import { expect } from 'chai';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import type { OperationOutcome } from '#src/simulator/history/records.js';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { drive, type Handler, json, kindOf, shopAnswer, steps, withServer } from './scripted.js';

type Kind = PlannedStep['kind'];
const writes: readonly Kind[] = ['login', 'add', 'remove', 'logout'];
const reads: readonly Kind[] = ['read', 'whoami'];

interface Row {
  readonly what: string;
  readonly answer: Handler;
  readonly write: OperationOutcome;
  readonly read: OperationOutcome;
  readonly error: RegExp;
  readonly identity?: null | string;
}

const plain =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, headers).end('a page');

const rows: readonly Row[] = [
  {
    what: 'a reset after the request',
    answer: request => request.socket.resetAndDestroy(),
    write: 'unknown',
    read: 'fail',
    error: /ECONNRESET|UND_ERR_SOCKET/,
  },
  {
    what: 'a close without an answer',
    answer: request => request.socket.destroy(),
    write: 'unknown',
    read: 'fail',
    error: /UND_ERR_SOCKET|ECONNRESET/,
  },
  {
    what: 'a truncated body',
    answer: (request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"user":', () => request.socket.destroy());
    },
    write: 'unknown',
    read: 'fail',
    error: /UND_ERR|ECONNRESET|closed/,
  },
  { what: 'silence', answer: () => undefined, write: 'unknown', read: 'fail', error: /^timeout$/ },
  {
    what: 'silence in the middle of the body',
    answer: (_request, response) => response.writeHead(200, { 'content-length': 100 }).write('{"user":'),
    write: 'unknown',
    read: 'fail',
    error: /^timeout$/,
  },
  { what: 'a 503', answer: plain(503), write: 'unknown', read: 'fail', error: /^status 503$/ },
  { what: 'a 500', answer: plain(500), write: 'unknown', read: 'fail', error: /^status 500$/ },
  {
    what: 'a 503 of the proxy for a request that was not sent',
    answer: plain(503, { 'proxy-status': 'holdfast; error=destination_unavailable; outcome=not-sent' }),
    write: 'fail',
    read: 'fail',
    error: /^status 503$/,
  },
  {
    what: 'a 502 of the proxy for a request that may have arrived',
    answer: plain(502, { 'proxy-status': 'holdfast; error=connection_terminated; outcome=unknown' }),
    write: 'unknown',
    read: 'fail',
    error: /^status 502$/,
  },
  {
    what: 'a 503 of another proxy, whatever it claims',
    answer: plain(503, { 'proxy-status': 'other; error=x; outcome=not-sent' }),
    write: 'unknown',
    read: 'fail',
    error: /^status 503$/,
  },
  ...[
    'holdfast-not; error=x; outcome=not-sent',
    'holdfast.example; outcome=not-sent',
    'other; error=x, another; outcome=not-sent',
    'holdfast; error=x; outcome=unknown, other; outcome=not-sent',
    'holdfast; error=x; outcome=not-sent-at-all',
    'holdfast; error=x; outcome=unknown; details="; outcome=not-sent"',
    'other; details="a, holdfast; outcome=not-sent"',
    'other; details="a, holdfast; outcome=not-sent',
  ].map(
    (claim): Row => ({
      what: `a 502 that says ${claim}`,
      answer: plain(502, { 'proxy-status': claim }),
      write: 'unknown',
      read: 'fail',
      error: /^status 502$/,
    }),
  ),
  {
    what: 'a 503 of the proxy among entries of others',
    answer: plain(503, { 'proxy-status': 'other; details="a, \\"b", holdfast;error=x;outcome=not-sent' }),
    write: 'fail',
    read: 'fail',
    error: /^status 503$/,
  },
  {
    what: 'anonymous',
    answer: (_q, response) => json(response, 401, { error: 'x' }),
    write: 'fail',
    read: 'fail',
    error: /^status 401$/,
    identity: null,
  },
  { what: 'a 404', answer: plain(404), write: 'fail', read: 'fail', error: /^status 404$/ },
  { what: 'a page instead of JSON', answer: plain(204), write: 'unknown', read: 'fail', error: /^status 204$/ },
];

describe('users: what an answer means', () => {
  for (const { what, answer, write, read, error, identity } of rows)
    it(`${what}: a write is ${write}, a read is ${read}`, async () => {
      for (const kind of [...writes, ...reads]) {
        // The limit is short only where a time-out is expected. Elsewhere a busy machine must not cause one.
        const operation = await only(kind, answer, error?.source === '^timeout$' ? 80 : 5_000);
        expect(operation.outcome, kind).to.equal(writes.includes(kind) ? write : read);
        expect(operation.error, kind).to.match(error);
        expect(operation.identity, kind).to.equal(identity);
      }
    });

  it('a refused connection: any operation fails', async () => {
    const origin = `http://127.0.0.1:${await freePort()}`;
    for (const kind of [...writes, ...reads]) {
      const [operation] = (await drive(origin, [steps(kind)])).operations;
      expect(operation).to.include({ kind, outcome: 'fail', error: 'ECONNREFUSED' });
      expect(operation).to.not.have.property('status');
    }
  });

  it('a complete answer of the shop: ok, with its user and its backend', async () => {
    const answer: Handler = (request, response) => {
      response.setHeader('holdfast-backend', 'backend-2');
      response.setHeader('holdfast-incarnation', 'ab12');
      shopAnswer(request, response);
    };
    for (const kind of [...writes, ...reads]) {
      const operation = await only(kind, answer);
      expect(operation).to.include({ outcome: 'ok', backend: 'backend-2', incarnation: 'ab12' });
      expect(operation.identity, kind).to.equal(kind === 'logout' ? undefined : 'u1');
      expect(operation).to.not.have.property('error');
    }
  });

  it('a cart: each token as often as its quantity says, and two lines of one token add up', async () => {
    const items = [
      { sku: 'a', quantity: 1 },
      { sku: 'b', quantity: 2 },
      { sku: 'a', quantity: 1 },
    ];
    const { items: seen } = await only('read', (_q, response) => json(response, 200, { user: 'u1', items }));
    expect(seen).to.deep.equal(['a', 'b', 'b', 'a']);
  });

  it('a cart of tokens that are names of object properties: none is hidden', async () => {
    const items = ['__proto__', 'constructor', 'toString'].map(sku => ({ sku, quantity: 1 }));
    const { items: seen } = await only('read', (_q, response) => json(response, 200, { user: 'u1', items }));
    expect(seen).to.deep.equal(items.map(({ sku }) => sku));
  });

  it('a malformed cart, or an answer without a user: not ok', async () => {
    const noCounts = [-1, 0.5, 1e300].map(quantity => ({ user: 'u1', items: [{ sku: 'a', quantity }] }));
    const noCarts = [{ user: 'u1' }, { user: 'u1', items: [{ sku: 1 }] }, { user: null, items: [] }];
    for (const body of [...noCarts, ...noCounts]) {
      const operation = await only('read', (_q, response) => json(response, 200, body));
      expect(operation, JSON.stringify(body)).to.include({ outcome: 'fail' });
      expect(operation).to.not.have.property('items');
    }
  });

  it("another user's answer: ok, since the checker judges identities", async () => {
    const operation = await only('read', (request, response) => shopAnswer(request, response, 'u2'));
    expect(operation).to.include({ outcome: 'ok', identity: 'u2' });
  });

  it('a time-out: it lasts exactly its limit, to the microsecond', async () => {
    const operation = await only('read', () => undefined, 80);
    expect(operation.doneMs - operation.sentMs).to.be.closeTo(80, 0.001);
  });
});

/** Returns the only record of a single step. If the script breaks the login, no other step follows. */
async function only(kind: Kind, answer: Handler, timeoutMs = 5_000) {
  return withServer(
    (request, response, nth) =>
      kindOf(request) === kind ? answer(request, response, nth) : shopAnswer(request, response),
    async origin => {
      const { operations } = await drive(origin, [steps(kind)], { timeoutMs });
      expect(operations).to.have.length(1);
      const [operation] = operations;
      if (operation === undefined) throw new Error('no record');
      return operation;
    },
  );
}
