import { expect } from 'chai';
import type { HostedBackend } from '#src/proxy/hosts.js';
import type { MemberFacts } from '#src/proxy/pool/member.js';
import { keepTickets, listLeft, type ProxySnapshot, planBackends } from '#src/proxy/restart/takeover.js';

type Backend = HostedBackend;

function backend(name: string, weight = 1, url = `http://${name}:1`): Backend {
  return { name, url: new URL(url), host: '', weight };
}

function facts({ name, url, weight = 1 }: Backend): MemberFacts {
  return {
    name,
    identity: url.origin,
    url: url.origin,
    host: '',
    weight,
    maxconn: 0,
    responseMs: undefined,
    incarnation: '3',
    boot: 3,
    selfNamed: false,
    namedMs: 0,
    bornMs: 1,
    probed: true,
    healthy: true,
    suspect: false,
    ejected: false,
    order: 'ready',
    drained: false,
    windowOver: false,
    drainEndsMs: 0,
    returnedMs: 0,
    downMs: 0,
  };
}

function snapshot(listed: readonly Backend[], members: readonly Backend[]): ProxySnapshot {
  return {
    listed: listed.map(({ name, url, weight = 1 }) => ({
      name,
      identity: url.origin,
      url: url.origin,
      host: '',
      weight,
    })),
    members: members.map(member => ({ facts: facts(member), bound: new Map() })),
    left: new Map([['', new Map([['http://gone:1', { name: 'gone', boot: 2 }]])]]),
    bindings: [],
    tickets: new Map(),
  };
}

const [a, b, c] = [backend('a'), backend('b'), backend('c')];

/** Settings and members of the predecessor, then settings and first backends of the successor. */
const rows: readonly [what: string, before: Backend[], members: Backend[], next: Backend[], start: string[]][] = [
  ['the same settings: the same backends', [a, b], [a, b], [a, b], ['a*1', 'b*1']],
  ['a backend is new', [a], [a], [a, b], ['a*1', 'b1']],
  ['a backend is removed', [a, b], [a, b], [b], ['b*1']],
  ['the admin API added one', [a], [a, c], [a], ['a*1', 'c*1']],
  ['the admin API removed one', [a, b], [a], [a, b], ['a*1']],
  ['the admin API weighed one', [a], [backend('a', 5)], [a], ['a*5']],
  ['the new settings weigh one', [a], [backend('a', 5)], [backend('a', 7)], ['a*7']],
  ['the admin API added one that the new settings name', [a], [a, c], [a, c], ['a*1', 'c*1']],
  [
    'the admin API added one that the new settings name otherwise',
    [a],
    [a, c],
    [a, backend('other', 3, 'http://c:1')],
    ['a*1', 'c*3'],
  ],
  [
    'one that the admin API added, and the settings then named otherwise, is removed',
    [a, backend('other', 1, 'http://c:1')],
    [a, c],
    [a],
    ['a*1'],
  ],
  [
    'the new settings give one that the admin API added a name of its own',
    [a],
    [a, c],
    [a, { ...backend('red', 1, 'http://c:1'), identity: 'red' }],
    ['a*1', 'red1'],
  ],
  ['a name moves to another address', [a], [a], [backend('a', 1, 'http://x:1')], ['a1']],
  [
    'the new settings give an added name to another address',
    [a],
    [a, c],
    [a, backend('c', 1, 'http://x:1')],
    ['a*1', 'c1'],
  ],
];

describe('backends with which a successor begins', () => {
  for (const [what, before, members, next, start] of rows) {
    it(what, () => {
      const planned = planBackends(snapshot(before, members), next);
      expect(planned.map(each => `${each.name}${each.snapshot === undefined ? '' : '*'}${each.weight}`)).to.deep.equal(
        start,
      );
    });
  }

  it('counts on for backends that left, so that a backend that returns is another boot', () => {
    const before = snapshot([a, b], [a, b]);
    const left = listLeft(before, planBackends(before, [b]));
    expect([...(left.get('') ?? [])]).to.deep.equal([
      ['http://gone:1', { name: 'gone', boot: 2 }],
      ['http://a:1', { name: 'a', boot: 3 }],
    ]);
  });
});

describe('ticket keys of a successor', () => {
  const keys = Buffer.alloc(48, 1);
  const own = Buffer.alloc(48, 2);

  it('are those of its predecessor for the same certificate, and its own for another one', () => {
    const pair = { cert: 'one', key: 'k', ticketKeys: own };
    expect(keepTickets(pair, { tickets: new Map([['one', keys]]) }).ticketKeys).to.equal(keys);
    expect(keepTickets(pair, { tickets: new Map([['other', keys]]) }).ticketKeys).to.equal(own);
    expect(keepTickets(pair, { tickets: new Map() }).ticketKeys).to.equal(own);
  });
});
