import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { writeHar } from '#src/record/har.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { cookie, exchange, type PassValues, passesOf } from '../record/infer/exchanges.js';
import { type Holdfast, root, until, withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';

const app = path.join(root, 'dist/test/record/apps/single-page.js');
const flags = ['--port', '0', '--ready', '/health', '--env', 'SESSIONS={run-dir}'];
const started = [...flags, '--', process.execPath, app];

/** Sends a request to the recording, as a browser does that knows only this host name. */
function ask(
  address: string,
  method: string,
  route: string,
  headers: Readonly<Record<string, string>> = {},
  body?: object,
) {
  const { host, port } = new URL(address);
  const type = { 'content-type': 'application/json' };
  return new Promise<{ readonly status: number | undefined; readonly json: unknown }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: route, method, headers: { host, ...type, ...headers } };
    const sent = request(options, async answer => {
      let text = '';
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode, json: JSON.parse(text) });
    });
    sent.on('error', reject).end(body && JSON.stringify(body));
  });
}

/** Goes through the app as its page does. The third pass has no login. */
async function clickThrough(address: string, number: number): Promise<void> {
  if (number === 3) return void (await ask(address, 'GET', '/api/cart'));
  const login = await ask(address, 'POST', '/api/login', {}, { user: `hf-user-${number}`, password: 'secret' });
  const token = String(Reflect.get(Object(Reflect.get(Object(login.json), 'data')), 'accessToken'));
  const headers = { authorization: `Bearer ${token}` };
  await ask(address, 'POST', '/api/cart/lines', headers, { product: { title: `hf-item-${number}` }, count: 1 });
  await ask(address, 'GET', '/api/cart', headers);
  await ask(address, 'DELETE', '/api/login', headers);
}

/** Does all three passes. `finish` ends each one. */
async function clickAll(
  seen: () => string,
  finish: (control: string) => unknown,
  click: typeof clickThrough,
): Promise<void> {
  const control = /says what to do: (\S+)/.exec(seen())?.[1] ?? '';
  for (const number of [1, 2, 3]) {
    const line = new RegExp(`pass ${number} of 3: (\\S+)`);
    await until(
      () => line.test(seen()),
      5_000,
      () => `pass ${number} in: ${seen()}`,
    );
    const address = line.exec(seen())?.[1] ?? '';
    await click(address, number);
    await finish(control);
  }
}

async function clickPasses(holdfast: Holdfast, click = clickThrough): Promise<void> {
  await holdfast.sees('says what to do: ');
  const finish = (control: string) => ask(control, 'POST', '/done');
  await clickAll(() => holdfast.output.stdout, finish, click);
}

async function recordWith(holdfast: Holdfast): Promise<number> {
  await clickPasses(holdfast);
  return holdfast.ended();
}

describe('holdfast record', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-record-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string) => path.join(folder, name);

  it('writes a scenario that fits, and leaves nothing else', () =>
    withHoldfast(['record', '--out', file('a.yaml'), '--save', file('a.har'), ...started], async holdfast => {
      const code = await recordWith(holdfast);
      const { stdout, stderr } = holdfast.output;
      expect(code, stdout + stderr).to.equal(0);
      expect(stdout).to.include('✓ an answer that shows hf-item-1').and.include('the journey fits');
      expect(stdout).to.include('It holds the password').and.not.include('secret');
      expect((await stat(file('a.har'))).mode & 0o777).to.equal(0o600);
      const { system, modes, users } = await readScenario(file('a.yaml'));
      expect(modes).to.deep.equal(['sticky']);
      expect(system.backends).to.deep.include({ count: 3, env: { SESSIONS: '{run-dir}' } });
      expect(users.journey === 'shop' ? undefined : users.journey.add.request.path).to.equal('/api/cart/lines');
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      expect(await readdir(holdfast.folder)).to.deep.equal([]);
    }));

  describe('without --save', () => {
    /** The flags of a command that starts `app` for the passes, and `command` for the check. */
    const withCheck = (command: string) => [
      ...flags,
      ...['--mode', 'redis', '--', `[ -e again ] && exec ${command}; touch again; exec ${process.execPath} ${app}`],
    ];

    async function expectKept({ output, folder: here }: Holdfast, kept: string): Promise<void> {
      expect((await stat(path.join(here, kept))).mode & 0o777).to.equal(0o600);
      const { stderr } = output;
      expect(stderr).to.include(
        `the passes are kept in ${kept}. This file holds passwords and cookies, and only you can read it: delete it when`,
      );
      expect(stderr).to.include(
        `go on with them, without clicking again: node dist/cli.js record --har ${kept} --mode`,
      );
    }

    it('keeps the passes at Ctrl-C, under a new name', () =>
      withHoldfast(['record', ...withCheck('sleep 60')], async holdfast => {
        await writeFile(path.join(holdfast.folder, 'holdfast-passes.har'), 'of another day');
        await clickPasses(holdfast);
        await holdfast.sees('holdfast.yaml is written');
        holdfast.child.kill('SIGINT');
        expect(await holdfast.ended()).to.equal(130);
        await expectKept(holdfast, 'holdfast-passes-2.har');
        expect(await readFile(path.join(holdfast.folder, 'holdfast-passes.har'), 'utf8')).to.equal('of another day');
        expect(holdfast.output.stderr).to.include("--env 'SESSIONS={run-dir}' --out holdfast-2.yaml -- ");
        expect(await holdfast.children()).to.deep.equal([]);
        const kept = path.join(holdfast.folder, 'holdfast-passes-2.har');
        const { code, stderr } = await commandLine(['record', '--har', kept, '--out', file('kept.yaml')]);
        expect(code, stderr).to.equal(0);
        const files = [path.join(holdfast.folder, 'holdfast.yaml'), file('kept.yaml')];
        const [a, b] = await Promise.all(files.map(name => readScenario(name)));
        expect(b?.users.journey).to.deep.equal(a?.users.journey);
      }));

    it('keeps the passes when the check finds a step that does not fit', () =>
      withHoldfast(
        ['record', ...withCheck(`${process.execPath} ${path.join(path.dirname(app), 'strict.js')}`)],
        async holdfast => {
          await clickPasses(holdfast);
          expect(await holdfast.ended(), holdfast.output.stdout).to.equal(1);
          await expectKept(holdfast, 'holdfast-passes.har');
        },
      ));

    it('keeps the passes from which no journey can be inferred', () =>
      withHoldfast(['record', '--mode', 'redis', ...started], async holdfast => {
        await clickPasses(holdfast, async (address, number) => {
          if (number === 3) await ask(address, 'GET', '/news');
          else await clickThrough(address, number);
        });
        expect(await holdfast.ended()).to.equal(3);
        expect(holdfast.output.stderr).to.include('the pass without a login never asks for GET /api/cart');
        await expectKept(holdfast, 'holdfast-passes.har');
        expect(await readdir(holdfast.folder)).to.deep.equal(['holdfast-passes.har']);
      }));
  });

  it('keeps the passes beside the scenario when the folder of --save is gone', async () => {
    await mkdir(file('gone'));
    await withHoldfast(['record', '--save', file('gone/e.har'), ...started], async holdfast => {
      await clickPasses(holdfast, async (address, number) => {
        if (number === 3) await rm(file('gone'), { recursive: true });
        await clickThrough(address, number);
      });
      expect(await holdfast.ended()).to.equal(3);
      const { stderr } = holdfast.output;
      expect(stderr).to.include(`--save: "${file('gone/e.har')}" cannot be written`);
      expect(stderr).to.include('the passes are kept in holdfast-passes.har.');
      expect(await readdir(holdfast.folder)).to.deep.equal(['holdfast-passes.har']);
    });
  });

  it('writes the same journey from the saved passes', async () => {
    const { code, stdout, stderr } = await commandLine(['record', '--har', file('a.har'), '--out', file('b.yaml')]);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.include(`next: node dist/cli.js check ${file('b.yaml')}`);
    const [a, b] = await Promise.all(['a.yaml', 'b.yaml'].map(name => readScenario(file(name))));
    expect(b?.users.journey).to.deep.equal(a?.users.journey);
  });

  it('records an app that runs already, and leaves it running', async () => {
    const running = spawn(process.execPath, [app], { env: { ...process.env, PORT: '0', SESSIONS: folder } });
    try {
      const [line] = await once(running.stdout, 'data');
      const backend = `http://127.0.0.1:${JSON.parse(String(line)).port}`;
      await withHoldfast(['record', '--port', '0', '--backend', backend, '--out', file('d.yaml')], async holdfast => {
        expect(await recordWith(holdfast), holdfast.output.stderr).to.equal(0);
        expect(await holdfast.children()).to.deep.equal([]);
      });
      const { system, faults } = await readScenario(file('d.yaml'));
      expect({ target: system.target, faults }).to.deep.equal({ target: backend, faults: [] });
      expect(running.exitCode).to.equal(null);
    } finally {
      running.kill();
    }
  });

  it('takes Enter in a terminal for a pass that is done, and ends the app at Ctrl-C', async () => {
    const words = [process.execPath, path.join(root, 'dist/cli.js'), 'record', '--out', file('c.yaml'), ...started];
    const child = spawn('script', ['-qec', words.map(word => `'${word}'`).join(' '), '/dev/null'], { cwd: folder });
    try {
      let seen = '';
      child.stdout.on('data', chunk => {
        seen += String(chunk).replaceAll('\r', '');
      });
      const ended = new Promise<number | null>(resolve => child.once('close', resolve));
      await until(
        () => seen.includes('press Enter here'),
        15_000,
        () => seen,
      );
      child.stdin.write('\n');
      await until(
        () => seen.includes('not seen: a request with hf-user-1'),
        5_000,
        () => seen,
      );
      const [, old] = /pass 1 of 3: (\S+)/.exec(seen) ?? [];
      child.stdin.write('again\n');
      const addresses = () => [...seen.matchAll(/pass 1 of 3: (\S+)/g)].map(([, address = '']) => address);
      await until(
        () => addresses().length === 2,
        5_000,
        () => seen,
      );
      const [, address = ''] = addresses();
      expect(address).not.to.equal(old);
      await clickThrough(address, 1);
      child.stdin.write('\n');
      await until(
        () => seen.includes('pass 2 of 3'),
        5_000,
        () => seen,
      );
      child.stdin.write('\u0003');
      expect(await ended).to.equal(130);
      expect(await readdir(folder)).to.not.include('c.yaml');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('leaves no process, no temporary file and no scenario at Ctrl-C', () =>
    withHoldfast(['record', ...started], async holdfast => {
      await holdfast.sees('says what to do: ');
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended()).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      expect(await readdir(holdfast.folder)).to.deep.equal([]);
    }));

  it('ends with 4 when the app ends', () =>
    withHoldfast(
      ['record', ...flags, '--', `${process.execPath} ${app} & echo $! > pid; wait; exit 3`],
      async holdfast => {
        await holdfast.sees('says what to do: ');
        process.kill(Number(await readFile(path.join(holdfast.folder, 'pid'), 'utf8')), 'SIGKILL');
        expect(await holdfast.ended()).to.equal(4);
        expect(holdfast.output.stderr).to.include('the app has ended: ').and.include('ended with code 3');
      },
    ));

  it('says how to make the app ready when it does not start', async () => {
    const { code, stderr, left } = await commandLine(['record', '--', 'exit 7']);
    expect(code).to.equal(4);
    expect(stderr).to.include('ended with code 7').and.include('record: --ready PATH names a path');
    expect(left).to.deep.equal([]);
  });

  it('ends with 4 when the app that should run already does not listen', async () => {
    const { code, stderr } = await commandLine(['record', '--port', '0', '--backend', 'http://127.0.0.1:1']);
    expect(code).to.equal(4);
    expect(stderr).to.include('no app listens at http://127.0.0.1:1').and.include('ECONNREFUSED');
  });

  it('asks nothing without a terminal: it ends with 3 and the flag that answers the question', async () => {
    const key = (it: PassValues) => ({ json: { sku: it.item, key: `a1b2-${it.n}` }, headers: cookie(it) });
    const passes = passesOf({ add: it => [exchange('POST /cart', key(it), { json: {} })] });
    await writeFile(file('asks.har'), writeHar(passes, 'http://127.0.0.1:1'));
    const words = ['record', '--har', file('asks.har'), '--out', file('asks.yaml')];
    const asked = await commandLine(words);
    expect(asked.code).to.equal(3);
    expect(asked.stderr).to.include("\n  --answer 'add $.key=2'    send another text each time (the name of the item)");
    expect((await commandLine([...words, '--answer', 'add $.key=9'])).stderr).to.include('--answer: found "9"');
    const { code, stdout, stderr } = await commandLine([...words, '--answer', 'add $.key=2', '--answer', 'red=1']);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.include('! --answer red=1: the passes leave no such question').and.not.include('--answer add');
    const { journey } = (await readScenario(file('asks.yaml'))).users;
    expect(journey === 'shop' ? undefined : journey.add.request.json).to.deep.equal({ sku: '{token}', key: '{token}' });
  });

  it('ends with 130 at Ctrl-C while a question waits for its answer, and writes nothing', async () => {
    const words = [
      process.execPath,
      path.join(root, 'dist/cli.js'),
      'record',
      '--har',
      file('asks.har'),
      '--out',
      'q.yaml',
    ];
    const child = spawn('script', ['-qec', words.map(word => `'${word}'`).join(' '), '/dev/null'], { cwd: folder });
    try {
      let seen = '';
      child.stdout.on('data', chunk => {
        seen += String(chunk);
      });
      const ended = new Promise<number | null>(resolve => child.once('close', resolve));
      await until(
        () => seen.includes('Enter takes 1: '),
        15_000,
        () => seen,
      );
      child.stdin.write('\u0003');
      expect(await ended).to.equal(130);
      expect(await readdir(folder)).to.not.include('q.yaml');
    } finally {
      child.kill('SIGKILL');
    }
  });

  for (const [words, expected] of [
    [[], 'which app? Such as: node dist/cli.js record -- npm start'],
    [['npm', 'start'], 'write -- before the command: node dist/cli.js record -- npm start'],
    [['--out', 'there.yaml', '--', 'x'], '"there.yaml" exists already'],
    [['--out', 'none/a.yaml', '--', 'x'], 'the folder "none" does not exist'],
    [['--out', '/dev/null/a.yaml', '--', 'x'], 'the folder "/dev/null" does not exist'],
    [['--har', '/dev'], '"/dev" cannot be read'],
    [['--backend', 'http://shop.example'], 'expected a loopback address'],
    [['--port', '80', '--', 'x'], '--port: expected a whole number from 1024'],
    [['--har', 'none.har'], '"none.har" cannot be read'],
    [['--har', 'there.yaml'], '"there.yaml" is not JSON'],
    [['--har', 'a.har', '--save', 'b.har'], '--har and --save exclude each other'],
    [['--answer', 'read', '--', 'x'], '--answer: found "read", expected question=candidate'],
    [['--users', 'ann', '--', 'x'], '--users: found "ann", expected two different values'],
    [['--env', 'REDIS_URL', '--', 'x'], '--env: found "REDIS_URL", expected a variable'],
    [['--mode', 'redi', '--', 'x'], 'redi'],
  ] as const)
    it(`is refused with 3 for ${words.join(' ') || 'no app'}`, async () => {
      const given = words.map(word => (word === 'there.yaml' ? file(word) : word));
      await writeFile(file('there.yaml'), 'name: a\n');
      const { code, stderr, left } = await commandLine(['record', ...given]);
      expect(code, stderr).to.equal(3);
      expect(stderr.replaceAll(`${folder}/`, '')).to.include(expected);
      expect(left).to.deep.equal([]);
    });
});
