import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { commandLine } from './in-process.js';

const folder = path.resolve(import.meta.dirname, '../../../test/attacks/own-app/apps');
const fragile = path.resolve(import.meta.dirname, '../attacks/own-app/apps/fragile.js');
const app = path.join(folder, 'express-jwt.yaml');
const bearer = path.join(folder, 'ruby.yaml');
const program = '../../../../dist/test/attacks/own-app/apps/express-jwt.js';

/** The part of the JSON contract that these tests read. */
interface Result {
  readonly schema: number;
  readonly app: string;
  readonly attacks: readonly {
    readonly attack: string;
    readonly title: string;
    readonly asvs: readonly string[];
    readonly outcome: string;
    readonly tries: number;
    readonly reason?: string;
    readonly exchanges?: readonly { readonly request: readonly string[]; readonly response: readonly string[] }[];
  }[];
}

type Change = readonly [from: string | RegExp, to: string];

/** Runs `body` with a changed copy of a scenario. */
async function withScenario<T>(
  changes: readonly Change[],
  body: (file: string) => Promise<T>,
  scenario = app,
): Promise<T> {
  const place = await mkdtemp(path.join(tmpdir(), 'holdfast-attack-'));
  try {
    const file = path.join(place, 'app.yaml');
    const text = await readFile(scenario, 'utf8');
    await writeFile(
      file,
      changes.reduce((changed, [from, to]) => changed.replace(from, to), text),
    );
    return await body(file);
  } finally {
    await rm(place, { recursive: true });
  }
}

/** Returns a port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

describe('holdfast attack --app: the command', function () {
  this.timeout(30_000);

  for (const [args, message] of [
    [['--app', 'my.yaml', '--mode', 'redis'], '--app and --mode exclude each other'],
    [['--app', 'my.yaml', '--mode', 'redis'], 'Type: node dist/cli.js attack --app my.yaml'],
    [['--app', 'my.yaml', '--markdown', 'a.md'], 'Type: node dist/cli.js attack --app my.yaml --json attacks.json'],
    [['--app', app, '--attack', 'fixatoin'], 'unknown attack "fixatoin". Did you mean "fixation"?'],
    [['--app', app, '--attack', 'totp-guess'], 'unknown attack "totp-guess"'],
    [['--app', 'missing.yaml'], 'missing.yaml'],
    [['--app', path.resolve(folder, '../../../../scenarios/kill-one.yaml')], 'Type: node dist/cli.js attack'],
  ] as const)
    it(`exits with 3 for ${args.map(word => path.basename(word)).join(' ')} and says: ${message}`, async () => {
      const { code, stderr, left } = await commandLine(['attack', ...args]);
      expect(code, stderr).to.equal(3);
      expect(stderr).to.include(message);
      expect(left).to.deep.equal([]);
    });

  it('exits with 4 when the app does not start, and shows what it wrote', () =>
    withScenario([[/command: .*/, 'command: echo "no such module" >&2; exit 7']], async file => {
      const { code, stderr, left } = await commandLine(['attack', '--app', file]);
      expect(code, stderr).to.equal(4);
      expect(stderr).to.include('no such module');
      expect(left).to.deep.equal([]);
    }));

  it('exits with 2 when nothing answers at system.target: no attack is resisted without evidence', async () => {
    const target = `system: { target: "http://127.0.0.1:${await closedPort()}" }\n\nusers:`;
    await withScenario([[/system:[\s\S]*?users:/, target]], async file => {
      const { code, stdout } = await commandLine(['attack', '--app', file]);
      expect(code, stdout).to.equal(2);
      expect(stdout).to.include('unknown: GET /cart was not answered: ECONNREFUSED').and.not.include('resisted (');
    });
  });

  it('exits with 2 when the control does not work, and says what was answered', () =>
    withScenario(
      [
        [program, path.join(folder, program)],
        ['password: secret', 'password: wrong'],
      ],
      async file => {
        const args = ['attack', '--app', file, '--attack', 'jwt-none,replay-after-logout'];
        const { code, stdout } = await commandLine(args);
        expect(code, stdout).to.equal(2);
        expect(stdout).to.include('a user could not log in: POST /login was answered with status 401');
        expect(stdout).to.include('inconclusive: 0 succeeded, 0 resisted, 0 not applicable, 2 unknown');
      },
    ));

  it('starts an app again that an attack has ended, and counts no resistance for that attack', () =>
    withScenario(
      [
        [/command: .*/, `command: exec node ${fragile}`],
        ['$.token', '$.access_token'],
      ],
      async file => {
        const { code, stdout } = await commandLine([
          'attack',
          '--app',
          file,
          '--attack',
          'jwt-none,replay-after-logout',
        ]);
        expect(code, stdout).to.equal(2);
        expect(stdout).to.match(/replay-after-logout.*resisted/);
        expect(stdout).to.match(
          /jwt-none: unknown: .*the app ended during this attack and was started again: ended with code 9/,
        );
      },
      bearer,
    ));

  it('writes JSON with the requirement, the tries and the proof of each attack, and shows no secret in full', async () => {
    const place = await mkdtemp(path.join(tmpdir(), 'holdfast-attack-'));
    try {
      const json = path.join(place, 'found.json');
      const args = ['attack', '--app', app, '--attack', 'jwt-none,replay-after-logout,fixation', '--json', json];
      const { code, stdout } = await commandLine(args, { DEFECT: 'alg-none' });
      expect(code, stdout).to.equal(1);
      const text = await readFile(json, 'utf8');
      const { attacks, ...head }: Result = JSON.parse(text);
      expect(head).to.include({ schema: 1, app });
      const outcomes = attacks.map(({ attack, outcome, asvs }) => [attack, outcome, asvs]);
      expect(outcomes).to.deep.equal([
        ['fixation', 'resisted', ['7.2.4']],
        ['replay-after-logout', 'resisted', ['7.4.1']],
        ['jwt-none', 'succeeded', ['9.1.2']],
      ]);
      const found = attacks.find(({ outcome }) => outcome === 'succeeded');
      expect(found?.reason).to.include('alg "none"');
      expect(found?.exchanges?.[0]?.request[0]).to.equal('GET /cart HTTP/1.1');
      expect(found?.exchanges?.[0]?.response[0]).to.equal('HTTP/1.1 200');
      for (const shown of [text, stdout]) expect(shown).not.to.match(/eyJ[\w-]{10}|password[^\n]{1,20}secret/);
    } finally {
      await rm(place, { recursive: true });
    }
  });
});
