import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { describeTunnel, findForward } from '#src/commands/check.js';
import { type TriedStep, tryJourney } from '#src/simulator/app-check/trial.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { starterScenario } from '#src/simulator/scenario/starter.js';
import { type Handler, withServer } from '../simulator/users/scripted.js';
import { withHoldfast } from './holdfast.js';

interface Words {
  readonly login?: string;
  readonly read?: string;
  readonly anonymous: string;
  readonly cookie?: string;
}

const who = ', who: { regexp: "<b>([^<]+)</b>" }';

function tried(
  origin: string,
  { login = '', read = who, anonymous, cookie }: Words,
  user = 'user-1',
): Promise<TriedStep[]> {
  const { journey } = parseScenario(
    `name: app
why: To be checked.
modes: [redis]
system: { target: "${origin}" }
users:
  arrivals: { rate: 20/s, for: 1s }
  journey:
    login: { request: { POST: /login, form: { user: "{user}", password: right } }${login} }
    add: { request: { POST: "/add/{token}" } }
    read: { request: { GET: /cart }, items: { regexp: "<li>([^<]+)" }${read} }
    logout: { request: { POST: /logout } }
    anonymous: ${anonymous}
`,
    'app.yaml',
  ).users;
  if (journey === 'shop') return expect.fail('the shop');
  return tryJourney(origin, journey, { user, timeoutMs: 1_000, cookie });
}

const loginPage = '<p>Please log in to go on</p><form><input type="password" name="password"></form>';

/** An app that answers 200 without a login too: only the text says whether a user is logged in. */
function pages(password = 'right', refusal: Handler = (_request, response) => response.end(loginPage)): Handler {
  const items: string[] = [];
  let session: string | undefined;
  return async (request, response, nth) => {
    let form = '';
    for await (const chunk of request) form += chunk;
    const [, place = '', item = ''] = request.url?.split('/') ?? [];
    if (place === 'login') {
      if (!form.includes(`password=${password}`)) return refusal(request, response, nth);
      session = new URLSearchParams(form).get('user') ?? '';
      return response.setHeader('set-cookie', 'sid=1; Path=/').end('<p>Welcome</p>');
    }
    if (session === undefined || request.headers.cookie !== 'sid=1') return response.end(loginPage);
    if (place === 'add') items.push(item);
    if (place === 'logout') session = undefined;
    return response.end(`<b>${session}</b>${items.map(each => `<li>${each}</li>`).join('')}`);
  };
}

const texts = (steps: readonly TriedStep[]) => steps.map(({ note, advice }) => note ?? advice?.hint ?? '').join('\n');

describe('holdfast check, with misleading answers', () => {
  it('accepts pages that answer 200 without a login when anonymous checks the body', () =>
    withServer(pages(), async origin => {
      const steps = await tried(origin, { anonymous: '{ body: /Please log in/ }' });
      expect(steps.filter(({ advice, note }) => advice ?? note)).to.deep.equal([]);
    }));

  it('suggests a condition on the body, and does not claim that the old cookie is still accepted', () =>
    withServer(pages(), async origin => {
      const steps = await tried(origin, { anonymous: '{ status: 401 }' });
      expect(steps[0]?.advice?.hint).to.match(/cannot tell .* anonymous: \{ body: \/Please log in\/ \}$/);
      expect(texts(steps)).not.to.include('still accepted');
      expect(steps.at(-1)?.note).to.match(/is not known: anonymous does not fit yet/);
    }));

  it('suggests a path in the body when the answer is JSON', () =>
    withServer(
      (_request, response) => response.end('{"user":null,"items":[]}'),
      async origin => {
        const steps = await tried(origin, { anonymous: '{ status: 401 }' });
        expect(steps[0]?.advice?.hint).to.match(/anonymous: \{ path: \$\.user, absent: true \}$/);
      },
    ));

  const refusals: readonly (readonly [what: string, words: Words, refusal: Handler | undefined])[] = [
    [
      'a 401 where strangers are redirected',
      { anonymous: '{ redirect-to: /login }' },
      (_request, response) => response.writeHead(401).end('{"error":"no"}'),
    ],
    [
      'a redirect to the login page',
      { anonymous: '{ body: /Please log in/ }', login: ', ok: { status: 200 }' },
      (_request, response) => response.writeHead(302, { location: '/login?error=1' }).end(),
    ],
    ['the login page with status 200', { anonymous: '{ status: 401 }', login: ', ok: { status: 302 } ' }, undefined],
    [
      'a 422 that names the credentials',
      { anonymous: '{ body: /Please log in/ }' },
      (_request, response) => response.writeHead(422).end('{"error":"invalid credentials"}'),
    ],
    [
      'errors in the body of a 200',
      { anonymous: '{ body: /Please log in/ }', login: ', ok: { path: $.errors, absent: true }' },
      (_request, response) => response.end('{"errors":[{"message":"no"}]}'),
    ],
  ];

  for (const [what, words, refusal] of refusals)
    it(`asks for user and password when a login is answered with ${what}`, () =>
      withServer(pages('wrong', refusal), async origin => {
        const steps = await tried(origin, words, 'shopper1@x.org');
        const login = steps.find(step => step.what === 'login')?.advice;
        expect(login?.at).to.deep.equal(['login', 'request']);
        expect(login?.hint).to.include('does the app know the user shopper1@x.org with this password?');
        expect(login?.hint).to.include('It was sent: user, password');
        expect(texts(steps)).not.to.include('anonymous: { status: 401 }');
      }));

  it('says that the app does not set the cookie that the scenario names', () =>
    withServer(pages(), async origin => {
      const anonymous = '{ body: /Please log in/ }';
      const steps = await tried(origin, { anonymous, cookie: 'sidd' });
      const advice = steps.find(({ what }) => what === 'session cookie')?.advice;
      expect(advice?.problem).to.equal('after the login there is no cookie "sidd", which users.cookie names');
      expect(texts(await tried(origin, { anonymous, cookie: 'sid' }))).not.to.include('users.cookie');
    }));

  it('names the condition on the body that an answer does not meet', () =>
    withServer(pages(), async origin => {
      const steps = await tried(origin, {
        anonymous: '{ body: /Please log in/ }',
        read: `${who}, ok: { body: /Cart/ }`,
      });
      const { advice } = steps.find(({ what }) => what === 'read') ?? {};
      expect(advice?.at).to.deep.equal(['read', 'ok']);
      expect(advice?.problem).to.equal('status 200, expected a status from 200 to 399 and a body that matches /Cart/');
    }));
});

describe('a tunnel of kubectl port-forward', () => {
  for (const [words, what] of [
    ['/usr/local/bin/kubectl -n shop port-forward pod/app-1 8080:80', 'pod/app-1 8080:80'],
    ['oc port-forward svc/app 8080', 'svc/app 8080'],
    ['kubectl -n ingress port-forward svc/ingress-nginx-controller 8080:80', undefined],
    ['kubectl get pods', undefined],
    ['ssh -L 8080:app:80 host', undefined],
  ] as const)
    it(`is ${what === undefined ? 'not ' : ''}detected in "${words}"`, () =>
      expect(findForward(words.split(' '))).to.equal(what));

  it('is found by its listening port, and reported with what to forward instead', async () => {
    const listen =
      'import { createServer } from "node:net"; const server = createServer().listen(0, "127.0.0.1", () => console.log(server.address().port))';
    const child = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      listen,
      'kubectl',
      'port-forward',
      'pod/app-1',
      '8080:80',
    ]);
    try {
      // Systems without /proc get no warning.
      const isSeen = process.platform === 'linux';
      const [port] = await once(createInterface(child.stdout), 'line');
      const warning = await describeTunnel(`http://127.0.0.1:${port}`);
      if (!isSeen) return expect(warning).to.equal(undefined);
      expect(warning).to.include('kubectl port-forward pod/app-1 8080:80').and.include('it ends with its pod');
      expect(warning).to.include('Forward the ingress');
    } finally {
      child.kill();
    }
    return withServer(
      (_request, response) => response.end(),
      async origin => expect(await describeTunnel(origin)).to.equal(undefined),
    );
  });
});

describe('holdfast init -', () => {
  it('prints the starter and writes no file', () =>
    withHoldfast(['init', '-'], async holdfast => {
      expect(await holdfast.ended()).to.equal(0);
      expect(holdfast.output.stdout).to.equal(starterScenario);
      expect(await readdir(holdfast.folder)).to.deep.equal([]);
    }));
});
