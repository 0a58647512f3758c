import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import type { PlannedStep } from '#src/simulator/plan/planned-user.js';
import { drive, kindOf, shopAnswer } from './scripted.js';

interface Address {
  readonly origin: string;
  readonly asked: string[];
  /** Closes the server and all its connections. */
  die(): void;
}

/** Starts a server that answers as the shop and notes its requests. It dies when `lives` returns false. */
async function address(lives: (request: IncomingMessage, nth: number) => boolean = () => true): Promise<Address> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    asked.push(`${kindOf(request)} ${request.headers.cookie ?? ''}`.trim());
    if (lives(request, asked.length)) shopAnswer(request, response);
    else die();
  });
  function die(): void {
    server.close();
    server.closeAllConnections();
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const listening = server.address();
  return { origin: `http://127.0.0.1:${typeof listening === 'object' ? listening?.port : listening}`, asked, die };
}

const adds = (count: number): PlannedStep[] =>
  Array.from({ length: count }, (_, n) =>
    n === 0 ? { atMs: 0, kind: 'login' } : { atMs: n * 15, kind: 'add', token: `t${n}` },
  );

async function withAddresses(one: Address, two: Address, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    one.die();
    two.die();
  }
}

describe('users: two addresses of one host', () => {
  it('start at both in turn, and stay at their address', async () => {
    const [one, two] = [await address(), await address()];
    await withAddresses(one, two, async () => {
      const users = [adds(4), adds(2), adds(3)];
      const { operations } = await drive([one.origin, two.origin], users);
      expect(operations.every(({ outcome }) => outcome === 'ok')).to.equal(true);
      for (const { user, proxy } of operations) expect(proxy, user).to.equal(user === 'u2' ? 'proxy-2' : 'proxy-1');
      expect([one.asked.length, two.asked.length]).to.deep.equal([7, 2]);
    });
  });

  it('switch to the other when one refuses connections, in the same operation with their cookies, and stay there', async () => {
    const two = await address();
    // It dies during its third request. That outcome is unknown, and the next request is refused.
    const one = await address((_request, nth) => nth < 3);
    await withAddresses(one, two, async () => {
      const { operations } = await drive([one.origin, two.origin], [adds(6)]);
      expect(operations.map(({ id }) => id)).to.deep.equal([1, 2, 3, 4, 5, 6]);
      expect(operations.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'ok', 'unknown', 'ok', 'ok', 'ok']);
      expect(one.asked).to.deep.equal(['login', 'add sid=1', 'add sid=1']);
      expect(two.asked).to.deep.equal(['add sid=1', 'add sid=1', 'add sid=1']);
    });
  });

  it('fall back to the other address, and fail when both refuse connections', async () => {
    const origins = [await freePort(), await freePort()].map(port => `http://127.0.0.1:${port}`);
    const { operations } = await drive(origins, [adds(1), adds(1)]);
    expect(operations.map(({ outcome, error }) => [outcome, error])).to.deep.equal([
      ['fail', 'ECONNREFUSED'],
      ['fail', 'ECONNREFUSED'],
    ]);
    const [one, two] = [await address(), await address((_request, nth) => nth < 3)];
    await withAddresses(one, two, async () => {
      const seen = await drive([two.origin, one.origin], [adds(5)]);
      expect(seen.operations.map(({ outcome }) => outcome)).to.deep.equal(['ok', 'ok', 'unknown', 'ok', 'ok']);
    });
  });

  it('time out at a silent one without trying the other, because the request may have arrived', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const listening = silent.address();
    const two = await address();
    try {
      const origin = `http://127.0.0.1:${typeof listening === 'object' ? listening?.port : listening}`;
      const { operations } = await drive([origin, two.origin], [adds(1)], { timeoutMs: 100 });
      expect(operations[0]).to.include({ outcome: 'unknown', error: 'timeout' });
      expect(two.asked).to.deep.equal([]);
    } finally {
      silent.closeAllConnections();
      silent.close();
      two.die();
    }
  });
});
