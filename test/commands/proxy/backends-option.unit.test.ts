import { expect } from 'chai';
import { UsageError } from '#src/commands/lib/flags.js';
import { nameBackends, parseWrittenBackend } from '#src/commands/proxy/backends-option.js';

const a = 'http://a:1';
const b = 'http://b:1';
const c = 'http://c:1';
const x = 'http://x:1';
const three = { [a]: 'backend-1', [b]: 'backend-2', [c]: 'backend-3' };

/** What is given (with `name=` where it has one), what was known before, and the names that follow. */
const rows: readonly [
  name: string,
  given: readonly string[],
  known: Readonly<Record<string, string>>,
  names: readonly string[],
][] = [
  ['by place', [a, b, c], {}, ['backend-1', 'backend-2', 'backend-3']],
  ['by their own', [`red=${a}`, `blue=${b}`], {}, ['red', 'blue']],
  ['both', [`red=${a}`, b], {}, ['red', 'backend-2']],
  ['a place that somebody else is called after', [`backend-2=${a}`, b], {}, ['backend-2', 'backend-3']],
  ['nothing changed', [a, b, c], three, ['backend-1', 'backend-2', 'backend-3']],
  ['one at the end', [a, b, c, x], three, ['backend-1', 'backend-2', 'backend-3', 'backend-4']],
  ['the last is gone', [a, b], three, ['backend-1', 'backend-2']],
  ['the middle is gone', [a, c], three, ['backend-1', 'backend-3']],
  ['the order is another', [c, a, b], three, ['backend-3', 'backend-1', 'backend-2']],
  ['another in place of the middle', [a, x, c], three, ['backend-1', 'backend-4', 'backend-3']],
  ['it comes back after it was gone', [b, a], three, ['backend-2', 'backend-1']],
  ['a name for one that had none', [a, `red=${b}`, c], three, ['backend-1', 'red', 'backend-3']],
  ['the name it has, written down', [a, `backend-3=${c}`], three, ['backend-1', 'backend-3']],
  ['a name that was another’s', [`backend-2=${a}`, b], three, ['backend-2', 'backend-4']],
];

describe('names of backends', () => {
  for (const [name, given, known, names] of rows) {
    it(name, () => {
      const backends = given.map(text => {
        const [, own, url = ''] = /^(?:([\w-]+)=)?(.*)$/.exec(text) ?? [];
        return { name: own, url: new URL(url) };
      });
      const named = nameBackends(backends, new Map(Object.entries(known)));
      expect(named.map(backend => backend.name)).to.deep.equal(names);
      expect(named.map(({ url }) => url)).to.deep.equal(backends.map(({ url }) => url));
    });
  }

  it('are the same on a proxy that was reloaded as on one that was started, as long as the list only grows', () => {
    const before = nameBackends([a, b].map(url => ({ name: undefined, url: new URL(url) })));
    const known = new Map(before.map(({ name, url }) => [url.origin, name]));
    const given = [a, b, c].map(url => ({ name: undefined, url: new URL(url) }));
    expect(nameBackends(given, known)).to.deep.equal(nameBackends(given));
  });
});

describe('--backend', () => {
  const url = 'http://127.0.0.1:3001';
  for (const [text, weight] of Object.entries({
    [url]: 1,
    [`${url},weight=3`]: 3,
    [`${url},weight=0`]: 0,
    [`${url},weight=1000`]: 1000,
  })) {
    it(`${text} weighs ${weight}`, () => expect(parseWrittenBackend(text)).to.deep.equal({ address: url, weight }));
  }

  for (const rest of [',maxconn=10', ',weight=1,maxconn=10', ',maxconn=10,weight=1']) {
    it(`${url}${rest} takes 10 requests at once`, () =>
      expect(parseWrittenBackend(url + rest)).to.deep.equal({ address: url, weight: 1, maxconn: 10 }));
  }

  it('has its own time to answer', () =>
    expect(parseWrittenBackend(`${url},response-timeout=5min`)).to.deep.include({ weight: 1, responseMs: 300_000 }));

  for (const rest of [
    ',response-timeout=5',
    ',response-timeout=25h',
    ',',
    ',weight',
    ',weight=',
    ',weight=1001',
    ',weight=-1',
    ',weight=1.5',
    ',weight=1e2',
    ',3',
    ',weight=3,weight=4',
    ', weight=3',
    ',max=3',
    ',maxconn=',
    ',maxconn=3,maxconn=4',
  ]) {
    it(`${url}${rest} is refused with an example`, () =>
      expect(() => parseWrittenBackend(url + rest)).to.throw(
        UsageError,
        `"${url}${rest}": expected behind the address ",weight=N"`,
      ));
  }
});
