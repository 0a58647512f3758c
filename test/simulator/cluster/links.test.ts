import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { bandwidth, breakAnswers, cut, latency, refuseNew, type Toxic } from '#src/simulator/cluster/link-pipe.js';
import { TcpLink } from '#src/simulator/cluster/links.js';
import { portRefuses, waitUntil } from '#src/simulator/cluster/probe.js';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { randomStream } from '#src/simulator/plan/random.js';

/** One side of a connection. It records all bytes that it receives and how the other side ended. */
class Side {
  heard = '';
  ended: string | undefined;
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', chunk => {
      this.heard += chunk.toString('latin1');
    });
    socket.once('end', () => {
      this.ended ??= 'end';
    });
    socket.on('error', error => {
      this.ended = 'code' in error ? String(error.code) : error.message;
    });
  }

  say(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async hears(text: string): Promise<void> {
    const heard = await waitUntil(async () => this.heard.endsWith(text), 2_000);
    if (!heard) expect(this.heard).to.equal(text);
  }

  async ends(how: string): Promise<void> {
    await waitUntil(async () => this.ended !== undefined, 2_000);
    expect(this.ended).to.equal(how);
  }
}

interface Bench {
  readonly link: TcpLink;
  /** The server side of each connection, in the order of arrival. */
  readonly servers: readonly Side[];
  /** Opens a connection and returns its client side and its server side. */
  pair(): Promise<readonly [client: Side, server: Side]>;
  /** Returns a client whose connection the link has accepted. */
  client(): Promise<Side>;
}

async function withServer<T>(use: (port: number, servers: readonly Side[]) => Promise<T>): Promise<T> {
  const servers: Side[] = [];
  const server = createServer({ allowHalfOpen: true }, socket => servers.push(new Side(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  try {
    return await use(typeof address === 'object' ? (address?.port ?? 0) : 0, servers);
  } finally {
    for (const { socket } of servers) socket.destroy();
    server.close();
  }
}

/** Runs a test with a real server behind a link. */
function withLink(use: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    withServer(async (port, servers) => {
      const link = await TcpLink.listen('a->b', port);
      const clients: Side[] = [];
      const client = async (): Promise<Side> => {
        const socket = connect({ host: '127.0.0.1', port: link.port, allowHalfOpen: true });
        await once(socket, 'connect');
        clients.push(new Side(socket));
        return clients.at(-1) ?? expect.fail();
      };
      const pair = async () => {
        const before = servers.length;
        const mine = await client();
        await waitUntil(async () => servers.length > before, 2_000);
        return [mine, servers.at(-1) ?? expect.fail('no connection arrived')] as const;
      };
      try {
        await use({ link, servers, pair, client });
      } finally {
        for (const { socket } of clients) socket.destroy();
        await link.close();
      }
    });
}

const alphabet = Array.from({ length: 251 }, (_, n) => String.fromCharCode(n)).join('');
const bytes = (count: number): string => alphabet.repeat(Math.ceil(count / alphabet.length)).slice(0, count);

/** Waits until the other side has received the last bytes: nothing is left in the link. */
const countSwallowed = ({ traffic }: TcpLink, way: 'forward' | 'back') =>
  waitUntil(async () => traffic[way].swallowedBytes > 0, 2_000);

describe('links: in order', () => {
  it(
    'carry megabytes in both directions, count them, and keep a half-open connection',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const [question, answer] = [bytes(3_000_000), bytes(2_000_000)];
      client.say(question);
      client.socket.end();
      await server.ends('end');
      expect(server.heard === question).to.equal(true);
      server.say(answer);
      server.socket.end();
      await client.ends('end');
      expect(client.heard === answer).to.equal(true);
      expect(link.traffic).to.deep.include({ connections: 1, swallowedConnections: 0, brokenAnswers: 0 });
      expect(link.traffic.forward).to.deep.equal({ bytes: question.length, swallowedBytes: 0, heldBytes: 0 });
      expect(link.traffic.back).to.deep.equal({ bytes: answer.length, swallowedBytes: 0, heldBytes: 0 });
    }),
  );

  it(
    'pass a reset on in both directions',
    withLink(async ({ pair }) => {
      const [client, server] = await pair();
      client.socket.resetAndDestroy();
      await server.ends('ECONNRESET');
      const [other, behind] = await pair();
      behind.socket.resetAndDestroy();
      await other.ends('ECONNRESET');
    }),
  );

  for (const [what, toxics] of [
    ['', []],
    [', also on a slow link', [latency(2, 0, Math.random)]],
  ] satisfies [string, Toxic[]][])
    it(
      `apply back-pressure when the reader is slow${what}`,
      withLink(async ({ link, pair }) => {
        for (const toxic of toxics) await link.disturb(toxic);
        const [client, server] = await pair();
        client.socket.pause();
        const text = bytes(1_000_000);
        for (let times = 0; times < 24; times += 1) server.say(text);
        // When nothing moves any more, the kernel buffers on both sides of the link are full.
        let before = -1;
        await waitUntil(async () => {
          const still = link.traffic.back.bytes === before;
          before = link.traffic.back.bytes;
          return still && before > 0;
        }, 2_000);
        expect(server.socket.writableLength).to.be.greaterThan(5_000_000);
        client.socket.resume();
        await waitUntil(async () => client.heard.length === 24 * text.length, 5_000);
        expect(client.heard === text.repeat(24)).to.equal(true);
      }),
    );

  it('reset a new connection when the other end does not listen', async () => {
    const link = await TcpLink.listen('a->b', await freePort());
    const client = new Side(connect({ host: '127.0.0.1', port: link.port }));
    await client.ends('ECONNRESET');
    await link.close();
  });

  it(
    'leave no connection open after close, whether they are cut or not',
    withLink(async ({ link, pair, client }) => {
      const [one, server] = await pair();
      await link.disturb(cut('both'));
      const other = await client();
      await link.close();
      await Promise.all([one, other, server].map(({ socket }) => once(socket.end(), 'close')));
      expect(await portRefuses(link.port)).to.equal(true);
    }),
  );
});

describe('links: cut', () => {
  const ways = [
    { direction: 'both', arrives: false, answered: false },
    { direction: 'forward', arrives: false, answered: true },
    { direction: 'back', arrives: true, answered: false },
  ] as const;
  for (const { direction, arrives, answered } of ways)
    it(
      `${direction}: requests ${arrives ? 'arrive' : 'do not arrive'}, answers ${answered ? 'arrive' : 'do not arrive'}`,
      withLink(async ({ link, pair }) => {
        const [client, server] = await pair();
        const heal = await link.disturb(cut(direction));
        client.say('question');
        server.say('answer');
        await (arrives ? server.hears('question') : countSwallowed(link, 'forward'));
        await (answered ? client.hears('answer') : countSwallowed(link, 'back'));
        expect([server.heard, client.heard]).to.deep.equal([arrives ? 'question' : '', answered ? 'answer' : '']);
        expect(link.traffic.forward.swallowedBytes).to.equal(arrives ? 0 : 'question'.length);
        expect(link.traffic.back.swallowedBytes).to.equal(answered ? 0 : 'answer'.length);
        expect([client.ended, server.ended]).to.deep.equal([undefined, undefined]);
        await heal();
        await Promise.all([client.ends('ECONNRESET'), server.ends('ECONNRESET')]);
        const [again, behind] = await pair();
        again.say('again');
        await behind.hears('again');
        await heal();
      }),
    );

  it(
    'keeps a connection that sent nothing meanwhile',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      await (await link.disturb(cut('both')))();
      client.say('still there');
      await server.hears('still there');
    }),
  );

  it(
    'accepts new connections meanwhile, and connects them to no server',
    withLink(async ({ link, servers, client }) => {
      const heal = await link.disturb(cut('both'));
      const lost = await client();
      lost.say('hello?');
      await countSwallowed(link, 'forward');
      expect(servers).to.deep.equal([]);
      expect(lost).to.include({ heard: '', ended: undefined });
      expect(link.traffic).to.deep.include({ connections: 1, swallowedConnections: 1 });
      await heal();
      await lost.ends('ECONNRESET');
      expect(servers).to.deep.equal([]);
    }),
  );

  it(
    'swallows ends and resets, too',
    withLink(async ({ link, pair }) => {
      const [polite, one] = await pair();
      const [rude, two] = await pair();
      const [witness, three] = await pair();
      const heal = await link.disturb(cut('forward'));
      polite.socket.end();
      rude.socket.resetAndDestroy();
      witness.say('after them');
      await countSwallowed(link, 'forward');
      for (const side of [one, two, three]) expect(side.ended).to.equal(undefined);
      await heal();
      await Promise.all([one, two, three].map(side => side.ends('ECONNRESET')));
    }),
  );

  it(
    'lasts until the last of two cuts is healed',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const [first, second] = [await link.disturb(cut('forward')), await link.disturb(cut('both'))];
      await first();
      client.say('lost');
      await countSwallowed(link, 'forward');
      expect([server.heard, client.ended]).to.deep.equal(['', undefined]);
      await second();
      await client.ends('ECONNRESET');
    }),
  );
});

describe('links: slow', () => {
  it(
    'latency: delays a request and its answer together, and keeps the order despite jitter',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const heal = await link.disturb(latency(80, 80, randomStream(1, 'a->b')));
      const text = bytes(40_000);
      const began = performance.now();
      for (let at = 0; at < text.length; at += 1_000) client.say(text.slice(at, at + 1_000));
      client.socket.end();
      await server.ends('end');
      expect(server.heard === text).to.equal(true);
      await heal();
      await link.disturb(latency(80, 0, () => 0.5));
      const [asker, answerer] = await pair();
      const askedMs = performance.now();
      asker.say('question');
      await answerer.hears('question');
      answerer.say('answer');
      await asker.hears('answer');
      expect(performance.now() - askedMs).to.be.within(80, 400);
      expect(askedMs - began).to.be.below(1_000);
    }),
  );

  it(
    'bandwidth: all connections share the rate, and healing delivers the rest at once',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const [other, behind] = await pair();
      const heal = await link.disturb(bandwidth(20_000));
      const began = performance.now();
      server.say(bytes(20_000));
      behind.say('later');
      await waitUntil(async () => client.heard.length >= 4_000, 2_000);
      expect(performance.now() - began).to.be.within(180, 600);
      expect(client.heard.length).to.be.below(16_000);
      expect(other.heard).to.equal('');
      await heal();
      await other.hears('later');
      await waitUntil(async () => client.heard.length === 20_000, 100);
      expect(link.traffic.back.heldBytes).to.equal(20_000 + 'later'.length);
      expect(client.heard === bytes(20_000)).to.equal(true);
      expect(performance.now() - began).to.be.below(900);
    }),
  );

  it('gives the same jitter with the same seed', () => {
    const moments = (seed: number) => {
      const toxic = latency(100, 50, randomStream(seed, 'a->b'));
      return Array.from({ length: 50 }, () => toxic.leavesMs?.('forward', 1, 0) ?? 0);
    };
    expect(moments(1)).to.deep.equal(moments(1)).and.not.deep.equal(moments(2));
    expect(Math.min(...moments(1))).to.be.within(25, 30);
    expect(Math.max(...moments(1))).to.be.within(70, 75);
  });
});

describe('links: answers cut off', () => {
  for (const [by, seen] of [
    ['reset', 'ECONNRESET'],
    ['end', 'end'],
  ] as const)
    it(
      `by ${by}: after the given number of bytes of each answer, and not when the answer is shorter`,
      withLink(async ({ link, pair }) => {
        const [client, server] = await pair();
        await link.disturb(breakAnswers(10, by));
        for (const answer of ['0123456789', 'short']) {
          client.say('question');
          await server.hears('question');
          server.say(answer);
          await client.hears(answer);
        }
        client.say('question');
        await server.hears('question');
        server.say('01234');
        await client.hears('01234');
        server.say('56789 too much');
        await client.ends(seen);
        expect(client.heard).to.equal('0123456789short0123456789');
        expect(link.traffic.brokenAnswers).to.equal(1);
        await waitUntil(async () => server.socket.destroyed || server.ended !== undefined, 2_000);
        expect(server.ended).to.not.equal(undefined);
      }),
    );

  it(
    'before the first byte',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const heal = await link.disturb(breakAnswers(0, 'reset'));
      client.say('question');
      await server.hears('question');
      server.say('answer');
      await client.ends('ECONNRESET');
      expect(client.heard).to.equal('');
      await heal();
      const [again, behind] = await pair();
      behind.say('whole');
      await again.hears('whole');
    }),
  );
});

describe('links: new connections', () => {
  it(
    'are refused, while open connections go on',
    withLink(async ({ link, pair }) => {
      const [client, server] = await pair();
      const heal = await link.disturb(refuseNew);
      expect(await portRefuses(link.port)).to.equal(true);
      client.say('still there');
      await server.hears('still there');
      await heal();
      await heal();
      const [again, behind] = await pair();
      again.say('back');
      await behind.hears('back');
    }),
  );

  it(
    'go to the new target after retarget, which resets open connections',
    withLink(({ link, servers, pair, client }) =>
      withServer(async (port, elsewhere) => {
        const [old, server] = await pair();
        link.retarget(port);
        await Promise.all([old.ends('ECONNRESET'), server.ends('ECONNRESET')]);
        const fresh = await client();
        fresh.say('hello');
        await waitUntil(async () => elsewhere.length === 1, 2_000);
        await elsewhere[0]?.hears('hello');
        expect(servers).to.have.length(1);
      }),
    ),
  );
});
