import { expect } from 'chai';
import { type SessionsOptions, sessions } from '#src/sessions/index.js';
import { stores } from '#src/sessions/registry.js';
import type { StoreSettings } from '#src/sessions/session-store.js';
import { memory } from '#src/sessions/stores/memory.js';
import { storeNames } from '#src/shared/stores.js';
import { withApp } from './with-app.js';

const keys = `k1:${'ab'.repeat(32)}`;
const known = Object.keys(stores);
const servers: readonly string[] = storeNames;

describe('options of sessions', () => {
  for (const [options, message] of [
    [{}, `the option "store" is missing. Known: ${known.join(', ')}`],
    [{ store: 'reddis' }, 'unknown store "reddis". Did you mean "redis"?'],
    [{ store: 'redis', url: 'redis:/x' }, 'expected an address of Redis'],
    [{ store: 'memory', strateggy: 'sealed' }, 'unknown option "strateggy". Did you mean "strategy"?'],
    [{ store: 'memory', strategy: 'seal' }, 'unknown strategy "seal". Did you mean "sealed"?'],
    [{ store: 'redis', url: 'redis://127.0.0.1', strategy: 'sealed' }, 'needs the keys that all processes share'],
    [{ store: 'memory', keys: 'k1:secret' }, 'the key ring cannot be used'],
    [{ store: 'memory', keys: 5 }, 'the option "keys" cannot be used: expected "id:hex,id:hex"'],
    [{ store: 'memory', limits: { idle: 5 } }, 'unknown field "idle". Did you mean "idleMs"?'],
    [{ store: 'memory', limits: { idleMs: '5' } }, 'the field "idleMs" cannot be used: expected a whole number'],
    [{ store: 'memory', limits: { absoluteMs: 1e10 } }, '(100 days)'],
    [{ store: 'postgres', url: 'postgresql://h/db', keyPrefix: 'shop' }, 'give each app a schema of its own'],
    [{ store: 'memory', keyPrefix: 'shop' }, 'the store "memory" has no key prefix: give each app its own process'],
    [{ store: 'memory', maxPerUser: 0 }, 'the option "maxPerUser" cannot be used: expected a whole number from 1'],
    [{ store: 'memory', cookie: 'sid' }, 'the option "cookie" cannot be used: expected an object'],
    [{ store: 'memory', cookie: { name: '__Host-sid' } }, 'its prefix is added by itself'],
    [{ store: 'memory', cookie: { name: 'a b' } }, 'the field "name" cannot be used'],
    [{ store: 'memory', cookie: { domain: 'a.example; Path=/x' } }, 'expected a host name'],
    [{ store: 'memory', cookie: { sameSite: 'Lax' } }, 'unknown value "Lax"'],
    [{ store: 'memory', cookie: { sameSite: 'none', secure: false } }, 'needs TLS'],
    [{ store: 'memory', cookie: { partitioned: true, secure: false } }, 'needs TLS'],
    [{ store: 'memory', strategy: 'sealed', keys: () => [] }, 'it holds no key'],
    [{ store: 'memory', strategy: 'sealed', keys: () => keys }, 'a function that returns the ring'],
    [{ store: 'memory', limits: { idleMs: 86_400_000 } }, 'limits.absoluteMs is 43200000: set it too'],
    [{ store: 'memory', limits: { remember: { idleMs: 5 } } }, 'needs both: idleMs and absoluteMs'],
    [{ store: 'memory', limits: { remember: { idleMs: 5, absoluteMs: 5 } } }, 'must be longer than limits.absoluteMs'],
    [{ store: new Map() }, 'or a store of your own: an object with capabilities and open'],
    [{ store: { open: () => ({}), capabilities: {} } }, 'or a store of your own'],
    [{ store: 'memory', secret: 'x' }, 'It is called "keys"'],
    [{ store: 'memory', ttl: 60 }, 'It is called "limits.idleMs"'],
    [{ store: 'memory', cookie: { maxAge: 60 } }, 'limits.remember'],
    [{ store: 'memory', cookie: { httpOnly: false } }, 'The cookie is always HttpOnly'],
    [{ store: 'memory', resave: false }, 'Leave it out'],
  ] as const) {
    it(`are refused: ${JSON.stringify(options)}`, async () => {
      // An app in JavaScript has no type that refuses them.
      const given: unknown = options;
      const error = await sessions(given as SessionsOptions).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(TypeError).with.property('message').that.contains(message);
      expect(String(error)).to.match(/^TypeError: sessions: /);
      expect(String(error)).not.to.contain('k1:secret');
    });
  }

  for (const store of known) {
    it(`open the store "${store}" ${servers.includes(store) ? 'only with its address' : 'without an address'}`, async () => {
      const given = { store, ...(servers.includes(store) ? {} : { url: 'redis://127.0.0.1' }) };
      const error = await sessions(given as SessionsOptions).catch(String);
      expect(error).to.contain(
        `the store "${store}" ${servers.includes(store) ? 'needs its address' : 'has no address'}`,
      );
      if (!servers.includes(store)) await (await sessions({ store } as SessionsOptions)).close();
    });
  }

  it('name every server of a store', () => {
    expect(known).to.include.members(servers);
  });

  it('that are refused open no store', async () => {
    let opened = 0;
    const open = (settings: StoreSettings) => {
      opened++;
      return memory.open(settings);
    };
    const entry = { capabilities: memory.capabilities, open };
    const error = await sessions({ store: entry, strategy: 'sealed', keys }).catch(String);
    expect(error).to.contain('needs a store with a list of revoked tokens');
    expect(opened).to.equal(0);
  });

  for (const [cookie, tls, expected] of [
    [{ name: 'shop' }, true, /^__Host-shop=[\w-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/],
    [{ name: 'shop' }, false, /^shop=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/],
    [{ domain: 'a.example' }, true, /^__Secure-session=[\w-]+; Domain=a\.example; Path=\/; HttpOnly; Secure; /],
    [{ path: '/shop' }, true, /^__Secure-session=[\w-]+; Path=\/shop; HttpOnly; Secure; SameSite=Lax$/],
    [
      { sameSite: 'none', partitioned: true },
      true,
      /^__Host-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=None; Partitioned$/,
    ],
    [{ partitioned: true }, false, /; HttpOnly; SameSite=Lax$/],
    [{ sameSite: 'strict', secure: true }, false, /^__Host-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/],
    [{ secure: false }, true, /^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/],
  ] as const) {
    it(`set the cookie of ${JSON.stringify(cookie)} ${tls ? 'over TLS' : 'over plain HTTP'}`, () =>
      withApp(
        { '/in': (_request, response, session) => void session.login('anna').then(() => response.end()) },
        async ({ ask }) => {
          const headers: Record<string, string> = tls ? { 'x-forwarded-proto': 'https' } : {};
          const answer = await ask('/in', '', headers);
          expect(answer.headers.get('set-cookie')).to.match(expected);
          expect((await ask('/', answer.cookie, headers)).text).to.contain('"anna"');
        },
        { cookie },
      ));
  }

  it('take keys as text', () =>
    withApp(
      { '/in': (_request, response, session) => void session.login('anna').then(() => response.end()) },
      async ({ ask }) => expect((await ask('/in')).cookie).to.match(/^session=v1\.k1\./),
      { strategy: 'sealed', keys },
    ));
});
