import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { describeOutput, describeStep } from '#src/commands/check.js';
import { findHiddenField } from '#src/simulator/app-check/answer-clues.js';
import { type TriedStep, tryJourney } from '#src/simulator/app-check/trial.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { withServer } from '../simulator/users/scripted.js';
import { withHoldfast } from './holdfast.js';

const file = (origin: string, journey = good) => `name: app
why: To be checked.
modes: [redis]
system: { target: "${origin}" }
users:
  arrivals: { rate: 20/s, for: 1s }
  timeout: 1s
  journey:
${journey}`;

/** A journey that fits the app below. */
const good = `    login:
      before: { GET: /login }
      request: { POST: /login, form: { user: "{user}", password: correct-horse, _csrf: "{csrf}" } }
      ok: { status: 302, redirect-to: /home }
    add: { request: { POST: /cart, json: { sku: "{token}" } }, ok: { status: 201 } }
    read: { request: { GET: /cart }, ok: { status: 200 }, items: "$.lines[*].sku", who: $.user.name }
    whoami: { request: { GET: /me }, who: { regexp: "<b>([^<]+)</b>" } }
    remove: { request: { DELETE: "/cart/{token}" } }
    logout: { request: { POST: /logout }, ok: { status: 204 } }
    anonymous: { or-redirect-to: /login }
    carry:
      csrf: { regexp: 'name="_csrf" value="([^"]+)"' }
`;

/** Pages, a form with a hidden field, JSON for the cart; \`leaky\` says more than it should. */
function app() {
  const carts = new Map<string, string[]>();
  return async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const sid = /sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const cart = carts.get(sid);
    const say = (status: number, type: string, text: string, more: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': type, ...more }).end(text);
    const [, place, item = ''] = request.url?.split('/') ?? [];
    const route = `${request.method} /${place}`;
    if (route === 'GET /login') say(200, 'text/html', '<input type="hidden" name="_csrf" value="t0ken">');
    else if (route === 'POST /login') {
      const form = new URLSearchParams(body);
      if (form.get('_csrf') !== 't0ken') return say(403, 'text/html', `no csrf token beside ${form.get('password')}`);
      if (form.get('password') !== 'correct-horse') return say(302, 'text/html', '', { location: '/login?wrong' });
      carts.set('s1d-value', []);
      say(302, 'text/html', 'sid is s1d-value', { location: '/home', 'set-cookie': 'sid=s1d-value; Path=/' });
    } else if (cart === undefined) say(302, 'text/html', '', { location: '/login' });
    else if (route === 'POST /cart') {
      if (request.headers['content-type'] !== 'application/json') return say(415, 'text/plain', 'JSON, please');
      cart.push(JSON.parse(body).sku);
      say(201, 'application/json', '{}');
    } else if (route === 'GET /cart') {
      const lines = cart.map(sku => ({ sku, note: 'x' }));
      say(200, 'application/json', JSON.stringify({ user: { name: 'user-1', mail: 'user-1@x' }, lines }));
    } else if (route === 'GET /me') say(200, 'text/html', '<b>user-1</b>');
    else if (route === 'DELETE /cart') {
      carts.set(
        sid,
        cart.filter(sku => sku !== item),
      );
      say(200, 'text/plain', '');
    } else if (route === 'POST /logout') {
      carts.delete(sid);
      say(204, 'text/plain', '');
    } else say(404, 'text/plain', 'nothing here');
    return undefined;
  };
}

const wrong: readonly (readonly [
  what: string,
  piece: string,
  by: string,
  at: string,
  problem: RegExp,
  hint: RegExp,
])[] = [
  [
    'a wrong password',
    'correct-horse',
    'wrong-horse',
    'login.request',
    /answered as without a login: status 302 to \/login\?wrong/,
    /know the user user-1 with this password\? It was sent: user, password, _csrf/,
  ],
  [
    'a login that leads elsewhere',
    'redirect-to: /home',
    'redirect-to: /cart',
    'login.ok',
    /status 302 to \/home, expected status 302 to \/cart/,
    /ok: \{ status: 302, redirect-to: \/home \}/,
  ],
  [
    'no page before the login',
    '      before: { GET: /login }\n',
    '',
    'carry.csrf',
    /\{csrf\} was found nowhere by the pattern .*; no page was asked for before it/,
    /.*/,
  ],
  [
    'a pattern that finds no field',
    `'name="_csrf" value="([^"]+)"'`,
    `'name="csrf" value="([^"]+)"'`,
    'carry.csrf',
    /GET \/login did not give it/,
    /<input type="hidden" name="_csrf" value="\.\.\.">/,
  ],
  [
    'a field that is not sent',
    ', _csrf: "{csrf}"',
    '',
    'login.request',
    /status 403 \(text\/html\), expected status 302/,
    /hidden field \(CSRF\)/,
  ],
  [
    'a form in place of JSON',
    'json: { sku',
    'form: { sku',
    'add.request',
    /status 415/,
    /it was sent as a form: does the app want JSON/,
  ],
  [
    'another status',
    'status: 201',
    'status: 200',
    'add.ok',
    /status 201 \(application\/json\), expected status 200/,
    /ok: \{ status: 201 \}/,
  ],
  [
    'a path that does not exist',
    'POST: /cart,',
    'POST: /basket,',
    'add.request',
    /status 404/,
    /the app has no POST \/basket/,
  ],
  [
    'items that lie elsewhere',
    '$.lines[*].sku',
    '$.items[*].sku',
    'read.items',
    /\$\.items\[\*\]\.sku leads to nothing/,
    /\$ is a map with the keys user, lines, which has no \.items; the expected value is here: .*"sku":"user-1/,
  ],
  [
    'items under another key',
    '$.lines[*].sku',
    '$.lines[*].note',
    'read.items',
    /finds other items \(x\), and not user-1\./,
    /the answer contains it here: .*"sku":"user-1/,
  ],
  [
    'items of which only the first is found',
    '"$.lines[*].sku"',
    `{ regexp: 'lines[^a-z]+sku[^a-z]+([^"]+)' }`,
    'read.items',
    /finds other items \(user-1\.0\.\w+\), and not user-1\.1\./,
    /the answer contains it here: .*"sku":"user-1\.1.*each item by itself/,
  ],
  [
    'a name that lies elsewhere',
    'who: $.user.name',
    'who: $.name',
    'read.who',
    /\$\.name leads to nothing/,
    /which has no \.name; the expected value is here: .*user-1/,
  ],
  [
    'a name that is written otherwise',
    'who: $.user.name',
    'who: $.user.mail',
    'read.who',
    /finds the name "user-1@x", expected "user-1"/,
    /as: "\{user\}@x"/,
  ],
  [
    'a pattern that finds no name',
    '<b>([^<]+)</b>',
    '<i>([^<]+)</i>',
    'whoami.who',
    /the pattern <i>\(\[\^<\]\+\)<\/i> leads to nothing/,
    /value is here: <b>user-1<\/b>/,
  ],
  [
    'a removal of something else',
    '/cart/{token}',
    '/cart/x{token}',
    'remove.request',
    /is still there after its removal/,
    /.*/,
  ],
  [
    'another answer to strangers',
    'or-redirect-to: /login',
    'status: 401',
    'anonymous',
    /answered with status 302 to \/login/,
    /anonymous: \{ redirect-to: \/login \}/,
  ],
];

/** Starts a server that sends this answer to every connection. */
async function withSocketServer(answer: string, use: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(socket => socket.once('data', () => socket.end(answer.trim() === '' ? '' : answer)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  await use(`http://127.0.0.1:${port}`).finally(() => server.close());
}

async function tried(origin: string, journey: string): Promise<TriedStep[]> {
  const mapping = parseScenario(file(origin, journey), 'app.yaml').users.journey;
  return mapping === 'shop'
    ? expect.fail('the shop')
    : tryJourney(origin, mapping, { user: 'user-1', timeoutMs: 1_000 });
}

describe('holdfast check', () => {
  it('accepts a journey that fits, with every kind of step and condition', () =>
    withServer(app(), async origin => {
      const steps = await tried(origin, good);
      expect(steps.filter(({ advice, note }) => advice ?? note)).to.deep.equal([]);
      expect(steps.map(({ what }) => what)).to.deep.equal([
        ...['read, without a login', 'login', 'add', 'read', 'add, a second item', 'read, with two items'],
        ...['whoami', 'remove', 'read, after remove', 'logout'],
        'read, with the cookie from before',
      ]);
    }));

  for (const [what, piece, by, at, problem, hint] of wrong)
    it(`explains ${what}`, () =>
      withServer(app(), async origin => {
        expect(good).to.include(piece);
        const advice = (await tried(origin, good.replace(piece, by))).flatMap(step => step.advice ?? []);
        expect(advice[0]?.at.join('.'), JSON.stringify(advice)).to.equal(at);
        expect(advice[0]?.problem).to.match(problem);
        expect(advice[0]?.hint ?? '').to.match(hint);
      }));

  it('notes a logout that does not end the session, without blaming the mapping', () =>
    withServer(app(), async origin => {
      const steps = await tried(origin, good.replace('POST: /logout }, ok: { status: 204 }', 'GET: /me }'));
      expect(steps.at(-1)?.note).to.match(/is still accepted: a run counts it as users.logoutNotHonoured/);
    }));

  it('shows at most 300 characters of an answer, without passwords, cookies and escape sequences', () => {
    const mapping = parseScenario(file('http://127.0.0.1:1'), 'app.yaml').users.journey;
    if (mapping === 'shop') return expect.fail('the shop');
    const told = (body: string): string => {
      const location = '/in?s1d-value\u009b31m';
      const headers = { 'content-type': 'text/html', 'set-cookie': 'sid=s1d-value; Path=/', location };
      const exchange = {
        request: { method: 'GET', path: '/cart' },
        reply: { handedOver: true, complete: true, status: 200, headers, body },
      } as const;
      const advice = { at: ['add', 'ok'], problem: 'status 200', hint: 'ok: { status: 200 }' };
      return describeStep(
        { what: 'add', exchange, advice },
        { mapping, place: at => `app.yaml:7 ${at}`, colour: false },
      );
    };
    const text = told(`s1d-value and correct-horse \u001b[31m${'x'.repeat(400)}`);
    expect(text).to.include('*** and *** ').and.include('set-cookie: sid=...').and.include('app.yaml:7 add,ok');
    for (const hidden of ['correct-horse', 's1d-value', '\u001b', '\u009b']) expect(text).not.to.include(hidden);
    expect(text.match(/x+/g)?.at(-1)?.length).to.be.lessThan(300);
    expect(text).to.include('| ...');
    expect(told('{"auth":{"accessToken":"ey.J.x"},"token":"user-1.milk"}')).to.include(
      '{"auth":{"accessToken":"***"},"token":"user-1.milk"}',
    );
    expect(told(`${'x'.repeat(295)}correct-horse`), 'not half of it either').not.to.include('corr');
  });

  const unwell: readonly (readonly [what: string, answer: string, problem: RegExp, hint: RegExp])[] = [
    ['fails', 'HTTP/1.1 500 No\r\ncontent-length: 0', /status 500/, /the app itself failed/],
    ['speaks no HTTP', 'SSH-2.0-x', /no whole answer came: .*HTTP/, /speaks no HTTP/],
    ['closes the connection', '', /no whole answer came: UND_ERR_SOCKET/, /closed the connection/],
  ];

  for (const [what, answer, problem, hint] of unwell)
    it(`explains an app that ${what}`, () =>
      withSocketServer(`${answer}\r\n\r\n`, async origin => {
        const advice = (await tried(origin, good)).flatMap(step => step.advice ?? []);
        expect(advice[0]?.at.join('.')).to.equal('read.request');
        expect(advice[0]?.problem).to.match(problem);
        expect(advice[0]?.hint).to.match(hint);
      }));

  it('finds a token in a page, and shows its name but never its value', () => {
    const meta = '<head><meta name="csrf-token" content="t0p"></head>';
    expect(findHiddenField(meta)).to.equal('a token in its head: <meta name="csrf-token" content="...">');
    const field = '<form><input type="hidden" name="_csrf" value="t0p">';
    expect(findHiddenField(meta + field)).to.equal('a hidden field: <input type="hidden" name="_csrf" value="...">');
    expect(findHiddenField('<meta name="viewport" content="x"><input name="user">')).to.equal(undefined);
  });

  it('shows the last output of the app, with secrets masked, when a step does not fit', () => {
    const mapping = parseScenario(file('http://127.0.0.1:1'), 'app.yaml').users.journey;
    if (mapping === 'shop') return expect.fail('the shop');
    const step = { what: 'login', exchange: { reply: { handedOver: true, complete: true, headers: {}, body: '' } } };
    const lines = [
      ...Array.from({ length: 12 }, (_, index) => `line ${index}.`),
      'no such user: correct-horse \u001b[31m',
    ];
    expect(describeOutput(lines, [step], mapping)).to.equal('');
    const text = describeOutput(lines, [{ ...step, advice: { at: ['login'], problem: 'status 500' } }], mapping);
    expect(text).to.include('| line 11.').and.include('| no such user: *** ').and.not.include('line 2.');
    expect(text).not.to.include('\u001b');
  });

  it('prints the problems with file and line, and sets the exit code', () =>
    withServer(app(), async origin => {
      const broken = good.replace('status: 201', 'status: 200');
      const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-check-'));
      const scenario = path.join(folder, 'app.yaml');
      await writeFile(scenario, file(origin, broken));
      await withHoldfast(['check', scenario], async holdfast => {
        expect(await holdfast.ended()).to.equal(1);
        expect(holdfast.output.stdout).to.match(/✓ login {2,}POST \/login -> status 302 to \/home/);
        expect(holdfast.output.stdout).to.include(`${scenario}:13: users.journey.add.ok`);
        expect(holdfast.output.stdout).to.include('hint: if this answer means success: ok: { status: 201 }');
        expect(holdfast.output.stdout).to.include('one step does not fit');
      }).finally(() => rm(folder, { recursive: true }));
    }));
});

describe('holdfast init', () => {
  it('quotes the name of the file where a shell needs it', () =>
    withHoldfast(['init', 'my app.yaml'], async holdfast => {
      expect(await holdfast.ended()).to.equal(0);
      expect(holdfast.output.stdout).to.include("node dist/cli.js run 'my app.yaml' ");
    }));

  it('writes a valid scenario, and never overwrites a file', () =>
    withHoldfast(['init', 'own.yaml'], async holdfast => {
      expect(await holdfast.ended()).to.equal(0);
      const text = await readFile(path.join(holdfast.folder, 'own.yaml'), 'utf8');
      expect(parseScenario(text, 'own.yaml').system.backends.own?.command).to.equal('node server.js');
      expect(holdfast.output.stdout).to.include('node dist/cli.js check own.yaml');
      await withHoldfast(['init', path.join(holdfast.folder, 'own.yaml')], async again => {
        expect(await again.ended()).to.equal(3);
        expect(again.output.stderr).to.match(
          /exists already and is not overwritten. Try another name: node dist\/cli\.js init .*own-2.yaml/,
        );
        expect(await readFile(path.join(holdfast.folder, 'own.yaml'), 'utf8')).to.equal(text);
      });
    }));
});
