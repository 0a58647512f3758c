import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { parseHar, readHar, splitPasses, writeHar } from '#src/record/har.js';
import { harBytesMax, type Passes, RecordingError } from '#src/record/recording.js';
import { exchange } from './exchanges.js';

const typed = [
  { user: 'hf-user-1', item: 'hf-item-1' },
  { user: 'hf-user-2', item: 'hf-item-2' },
] as const;

interface MadeEntry {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly sent?: string;
  readonly status?: number;
  readonly answerHeaders?: readonly (readonly [string, string])[];
  readonly content?: object;
}

let clock = 0;

/** Returns an entry as Chrome writes it. */
function entry({
  url = 'http://app.test/',
  method = 'GET',
  headers = [['Cookie', 'sid=1']],
  sent,
  ...answer
}: MadeEntry) {
  const { status = 200, answerHeaders = [], content = { size: 2, mimeType: 'text/html', text: 'ok' } } = answer;
  const toNamed = (pairs: readonly (readonly [string, string])[]) => pairs.map(([name, value]) => ({ name, value }));
  clock += 1_000;
  return {
    _initiator: { type: 'other' },
    startedDateTime: new Date(clock).toISOString(),
    time: 1,
    request: {
      ...{ method, url, httpVersion: 'http/2.0', headers: toNamed(headers), queryString: [], cookies: [] },
      ...(sent === undefined ? {} : { postData: { mimeType: 'application/x-www-form-urlencoded', text: sent } }),
    },
    response: { status, statusText: '', headers: toNamed(answerHeaders), cookies: [], content, redirectURL: '' },
    cache: {},
    timings: {},
  };
}

function har(entries: readonly object[]): string {
  return JSON.stringify({
    log: { version: '1.2', creator: { name: 'WebInspector', version: '537.36' }, pages: [], entries },
  });
}

function problemOf(text: string): string {
  try {
    parseHar(text, 'a.har');
  } catch (error) {
    if (error instanceof RecordingError) return error.message;
    throw error;
  }
  return expect.fail('it was read');
}

describe('a HAR file', () => {
  for (const [title, text, expected] of [
    ['no JSON', '<html>', '"a.har" is not JSON'],
    ['another JSON', '{"entries":[]}', '"a.har" is not a HAR file: at log'],
    [
      'a HAR with a wrong part',
      har([{ ...entry({}), response: { status: 'ok' } }]),
      'at log.entries.0.response.status',
    ],
    ['empty', har([]), '"a.har" has no requests'],
    ['without cookies', har([entry({ headers: [] })]), 'Export HAR (with sensitive data)'],
    ['without bodies', har([entry({ content: { size: 700, mimeType: 'text/html' } })]), '"a.har" has no bodies'],
  ] as const)
    it(`is refused by name when it is ${title}`, () => {
      expect(problemOf(text)).to.include(expected).and.include('a.har');
    });

  it('is refused by name when it is too large, before it is read', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-har-'));
    const file = path.join(folder, 'large.har');
    await writeFile(file, '');
    await truncate(file, harBytesMax + 1);
    const problem = await readHar(file).catch(error => error.message);
    await rm(folder, { recursive: true });
    expect(problem).to.include('large.har" has 209715201 bytes, expected at most 209715200');
  });

  it('is read without cookies when its requests have bearer tokens', () => {
    const { exchanges } = parseHar(har([entry({ headers: [['authorization', 'Bearer x']] })]), 'a.har');
    expect(exchanges).to.have.length(1);
  });

  it('loses pseudo headers of HTTP/2, and keeps each cookie apart', () => {
    const [read] = parseHar(
      har([
        entry({
          headers: [
            [':authority', 'app.test'],
            [':path', '/'],
            ['Cookie', 'sid=1'],
          ],
          answerHeaders: [
            ['set-cookie', 'a=1; Path=/\nb=2; Path=/'],
            ['Location', 'http://app.test/cart'],
          ],
          url: 'http://app.test/cart?x=1#here',
        }),
      ]),
      'a.har',
    ).exchanges;
    expect(read?.path).to.equal('/cart?x=1');
    expect(read?.requestHeaders).to.deep.equal([
      ['host', 'app.test'],
      ['cookie', 'sid=1'],
    ]);
    expect(read?.responseHeaders).to.deep.equal([
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2; Path=/'],
      ['location', '/cart'],
    ]);
  });

  it('is read with bodies in base64, answers from the cache, and forms given as fields', () => {
    const cached = { size: 2, mimeType: 'application/json', encoding: 'base64', text: btoa('{"a":1}') };
    const fromCache = entry({ status: 304, content: cached });
    const form = entry({ method: 'POST' });
    const postData = { mimeType: 'application/x-www-form-urlencoded', params: [{ name: 'a b', value: 'ü' }] };
    const { exchanges } = parseHar(har([fromCache, { ...form, request: { ...form.request, postData } }]), 'a.har');
    expect(exchanges[0]).to.include({ status: 200, responseBody: '{"a":1}' });
    expect(exchanges[1]?.requestBody).to.equal('a+b=%C3%BC');
  });

  it('is sorted by time, without requests that were blocked or need no server', () => {
    const late = entry({ url: 'http://app.test/late' });
    const early = { ...entry({ url: 'http://app.test/early' }), startedDateTime: new Date(0).toISOString() };
    const { exchanges } = parseHar(har([late, early, entry({ status: 0 }), entry({ url: 'data:,x' })]), 'a.har');
    expect(exchanges.map(({ path }) => path)).to.deep.equal(['/early', '/late']);
  });

  it('keeps what was saved', () => {
    const passes: Passes = {
      first: {
        ...typed[0],
        exchanges: [
          exchange({
            method: 'POST',
            requestHeaders: [
              ['content-type', 'application/x-www-form-urlencoded'],
              ['host', '127.0.0.1:1'],
              ['cookie', 'a=1'],
            ],
            requestBody: 'user=hf-user-1',
          }),
        ],
      },
      second: {
        ...typed[1],
        exchanges: [
          exchange({ requestHeaders: [['host', '127.0.0.1:1']], path: '/x?user=hf-user-2', responseBody: 'ü' }),
        ],
      },
      anonymous: [exchange({ requestHeaders: [['host', '127.0.0.1:1']], status: 401 })],
    };
    const text = writeHar(passes, 'http://127.0.0.1:1');
    expect(splitPasses([parseHar(text, 'a.har')], typed)).to.deep.equal(passes);
  });
});

/** One pass as a browser records it. */
function passEntries(user: string, item: string) {
  return [
    entry({ url: 'http://app.test/login', answerHeaders: [['set-cookie', 'sid=1']] }),
    entry({ url: 'http://app.test/style.css', content: { size: 1, mimeType: 'text/css', text: 'a{}' } }),
    entry({ url: 'https://metrics.test/', content: { size: 1, mimeType: 'text/plain', text: user } }),
    entry({ url: 'http://app.test/login', method: 'POST', sent: `user=${user}&password=x`, status: 302 }),
    entry({ url: 'http://app.test/cart', method: 'POST', sent: `sku=${item}`, status: 302 }),
    entry({ url: 'http://app.test/cart', content: { size: 1, mimeType: 'text/html', text: `${user} ${item}` } }),
    entry({ url: 'http://app.test/logout', method: 'POST', status: 302 }),
  ];
}
const lastPage = () => [entry({ url: 'http://app.test/cart', status: 302 }), entry({ url: 'http://app.test/login' })];
const paths = (exchanges: readonly { readonly method: string; readonly path: string }[]) =>
  exchanges.map(({ method, path }) => `${method} ${path}`);
const onePass = ['GET /login', 'GET /style.css', 'POST /login', 'POST /cart', 'GET /cart', 'POST /logout'];

describe('the passes of HAR files', () => {
  it('are cut at the logins of one file', () => {
    const text = har([
      ...passEntries('hf-user-1', 'hf-item-1'),
      ...passEntries('hf-user-2', 'hf-item-2'),
      ...lastPage(),
    ]);
    const { first, second, anonymous } = splitPasses([parseHar(text, 'a.har')], typed);
    expect(paths(first.exchanges)).to.deep.equal(onePass);
    expect(paths(second.exchanges)).to.deep.equal(onePass);
    expect(paths(anonymous)).to.deep.equal(['GET /cart', 'GET /login']);
    expect(second.exchanges[0]?.startedMs).to.equal(0);
  });

  it('begin where the browser has no cookies any more', () => {
    const afterLogout = () => entry({ url: 'http://app.test/login?bye', headers: [['cookie', 'sid=1']] });
    const fresh = () => entry({ url: 'http://app.test/', headers: [] });
    const entries = [
      ...[...passEntries('hf-user-1', 'hf-item-1'), afterLogout(), fresh()],
      ...[...passEntries('hf-user-2', 'hf-item-2'), afterLogout(), fresh(), ...lastPage()],
    ];
    const { first, second, anonymous } = splitPasses([parseHar(har(entries), 'a.har')], typed);
    expect(paths(first.exchanges)).to.deep.equal([...onePass, 'GET /login?bye']);
    expect(paths(second.exchanges)).to.deep.equal(['GET /', ...onePass, 'GET /login?bye']);
    expect(paths(anonymous)).to.deep.equal(['GET /', 'GET /cart', 'GET /login']);
  });

  it('are cut when the last pass reads by POST', () => {
    const logins = [...passEntries('hf-user-1', 'hf-item-1'), ...passEntries('hf-user-2', 'hf-item-2')];
    const last = entry({ url: 'http://app.test/graphql', method: 'POST', sent: '{"query":"{ cart { sku } }"}' });
    const text = har([...logins, last]);
    expect(paths(splitPasses([parseHar(text, 'a.har')], typed).anonymous)).to.deep.equal(['POST /graphql']);
  });

  it('are three files in order', () => {
    const parts = [passEntries('hf-user-1', 'hf-item-1'), passEntries('hf-user-2', 'hf-item-2'), lastPage()];
    const passes = splitPasses(
      parts.map((entries, index) => parseHar(har(entries), `${index}.har`)),
      typed,
    );
    expect(paths(passes.second.exchanges)).to.deep.equal(onePass);
    expect(paths(passes.anonymous)).to.deep.equal(['GET /cart', 'GET /login']);
  });

  for (const [title, entries, count, expected] of [
    ['two files', passEntries('hf-user-1', 'hf-item-1'), 2, 'found 2 files, expected one'],
    ['a file without the login', lastPage(), 1, 'no request with hf-user-1 or hf-user-2'],
    ['a file with one pass alone', passEntries('hf-user-1', 'hf-item-1'), 1, 'no request with hf-user-2'],
    [
      'a file without the last pass',
      [...passEntries('hf-user-1', 'hf-item-1'), ...passEntries('hf-user-2', 'hf-item-2')],
      1,
      'once more without a login',
    ],
  ] as const)
    it(`are refused for ${title}`, () => {
      const recordings = Array.from({ length: count }, () => parseHar(har(entries), 'a.har'));
      expect(() => splitPasses(recordings, typed)).to.throw(RecordingError, expected);
    });
});
