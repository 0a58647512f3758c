import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { root, withHoldfast } from '../holdfast.js';
import { commandLine, type Said } from '../in-process.js';

const killOne = path.join(root, 'scenarios/kill-one.yaml');

interface Row {
  readonly name: string;
  /** The words of the command line. */
  readonly args: readonly string[];
  readonly code: number;
  /** Texts that the output must contain. */
  readonly says: readonly (string | RegExp)[];
  /** Run it in a separate process, because it starts processes or tests the program itself. */
  readonly alone?: true;
}

const rows: readonly Row[] = [
  { name: 'no command', alone: true, args: [], code: 3, says: ['node dist/cli.js <command>', 'which command?'] },
  { name: 'an unknown command', alone: true, args: ['strat'], code: 3, says: ['start'] },
  {
    name: 'an unknown flag',
    args: ['run', killOne, '--sede', '7'],
    code: 3,
    says: ['unknown flag --sede. Did you mean --seed?', 'node dist/cli.js run --help'],
  },
  {
    name: 'an unknown mode',
    args: ['run', killOne, '--mode', 'redsi'],
    code: 3,
    says: ['unknown mode "redsi"', 'Did you mean "redis"?'],
  },
  {
    name: 'an unknown mode of the proxy',
    args: ['proxy', '--mode', 'stiky'],
    code: 3,
    says: ['Did you mean "sticky"?'],
  },
  {
    name: 'an unknown mode of the load',
    alone: true,
    args: ['load', '--mode', 'sticky,nothing'],
    code: 3,
    says: ['unknown mode "nothing"'],
  },
  {
    name: 'an unknown policy',
    args: ['proxy', '--policy', 'round-robbin'],
    code: 3,
    says: ['Did you mean "round-robin"?'],
  },
  {
    name: 'an unknown engine',
    args: ['proxy', '--engine', 'wier'],
    code: 3,
    says: ['unknown engine "wier"', 'http-proxy'],
  },
  {
    name: "a Redis of one's own to be attacked",
    args: ['attack', '--redis-url', 'redis://127.0.0.1:6379'],
    code: 3,
    says: ['redis-url', 'node dist/cli.js attack --help'],
  },
  { name: 'a missing scenario file', args: ['run', 'no-such.yaml'], code: 3, says: ['no-such.yaml'] },
  {
    name: 'a seed that is no number',
    args: ['run', killOne, '--seed', 'seven'],
    code: 3,
    says: ['--seed: expected a number, not "seven"'],
  },
  {
    name: 'a plan of two scenarios',
    args: ['run', killOne, path.join(root, 'scenarios/hang-one.yaml'), '--plan', 'plan.json'],
    code: 3,
    says: ['--plan holds the plan of one scenario'],
  },
  {
    name: 'a plan together with a seed',
    args: ['run', killOne, '--plan', 'plan.json', '--seed', '7'],
    code: 3,
    says: ['--plan and --seed'],
  },
  {
    name: 'an output folder that cannot be made',
    args: ['run', killOne, '--out', '/proc/holdfast'],
    code: 3,
    says: ['--out: the folder "/proc/holdfast" is not writable', 'Choose another place with --out.'],
  },
  {
    name: 'a plan file without a plan',
    args: ['run', killOne, '--plan', killOne],
    code: 3,
    says: ['kill-one.yaml:1: found no JSON', 'expected a plan'],
  },
  { name: 'a negative repeat', args: ['run', killOne, '--repeat', '0'], code: 3, says: ['--repeat'] },
  {
    name: 'a missing output folder',
    args: ['run', killOne, '--json', 'no/such/out.json'],
    code: 3,
    says: ['--json', 'no/such'],
  },
  {
    name: 'two scenarios into one file',
    args: ['run', killOne, path.join(root, 'scenarios/hang-one.yaml'), '--json', 'out.json'],
    code: 3,
    says: ['{scenario}'],
  },
  {
    name: 'a backend that is not a URL',
    args: ['proxy', '--backend', 'localhost'],
    code: 3,
    says: ['--backend "localhost"', 'http://127.0.0.1:3001'],
  },
  {
    name: 'a backend with a path',
    args: ['proxy', '--backend', 'http://127.0.0.1:1/x'],
    code: 3,
    says: ['without path'],
  },
  {
    name: 'both kinds of backends',
    args: ['proxy', '--backends', '3', '--backend', 'http://127.0.0.1:1'],
    code: 3,
    says: ['give one of the two'],
  },
  {
    name: 'a port out of range',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--port', '70000'],
    code: 3,
    says: ['--port', '65535'],
  },
  {
    name: 'a --trust that is not an address',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--trust', 'localhost'],
    code: 3,
    says: ['--trust', '"localhost"', '10.0.0.0/8'],
  },
  {
    name: 'a bad interval',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--health-interval', '2'],
    code: 3,
    says: ['500ms'],
  },
  { name: 'a missing history file', args: ['report', 'no-such.ndjson'], code: 3, says: ['no-such.ndjson'] },
  {
    name: 'another unknown command',
    args: ['nonsense'],
    code: 3,
    says: ['unknown command "nonsense"', 'node dist/cli.js --help'],
  },
  { name: 'a seed that is empty', args: ['run', killOne, '--seed', ''], code: 3, says: ['--seed: its value is empty'] },
  { name: 'a file that is empty', args: ['run', killOne, '--json='], code: 3, says: ['--json: its value is empty'] },
  { name: 'an empty host', args: ['proxy', '--host', ''], code: 3, says: ['--host: its value is empty'] },
  {
    name: 'a flag twice',
    args: ['run', killOne, '--json', 'a', '--json', 'b'],
    code: 3,
    says: ['--json is given more than once'],
  },
  {
    name: 'two modes of one proxy',
    args: ['proxy', '--mode', 'sticky', '--mode', 'redis'],
    code: 3,
    says: ['--mode is given more than once'],
  },
  {
    name: 'an invalid address, without showing its password',
    args: ['run', killOne, '--redis-url', 'http://me:hush@127.0.0.1:6379'],
    code: 3,
    says: ['--redis-url "http://***@127.0.0.1:6379"', 'such as redis://127.0.0.1:6379'],
  },
  {
    name: 'a Sentinel group without the name of its primary',
    args: ['run', killOne, '--redis-url', 'redis+sentinel://:hush@h1:1,h2:2'],
    code: 3,
    says: ['--redis-url "redis+sentinel://***@h1:1,h2:2"', 'the name of the primary is missing'],
  },
  {
    name: 'a database in a Cluster',
    args: ['proxy', '--mode', 'redis', '--redis-url', 'redis+cluster://h1:1/2'],
    code: 3,
    says: ['--redis-url "redis+cluster://h1:1/2"', '"/2": a cluster has no databases'],
  },
  {
    name: 'replicas that are not a number',
    args: ['load', '--redis-url', 'redis://h1:1?replicas=one'],
    code: 3,
    says: ['replicas=one is not a number from 0 to 100'],
  },
  {
    name: 'a file name that is too long',
    args: ['attack', '--json', `${'a'.repeat(300)}.json`],
    code: 3,
    says: ['--json', 'cannot be written', 'ENAMETOOLONG'],
  },
  {
    name: 'an invalid port of PostgreSQL',
    args: ['load', '--postgres-url', 'postgresql://me:hush@127.0.0.1:99999/db'],
    code: 3,
    says: ['--postgres-url "postgresql://***@127.0.0.1:99999/db"', 'port 99999 is not within 1 and 65535'],
  },
  {
    name: 'an invalid port of memcached',
    args: ['load', '--memcached', 'memcached://127.0.0.1:0'],
    code: 3,
    says: ['--memcached', 'port 0 is not within 1 and 65535'],
  },
  {
    name: 'an unreachable store',
    alone: true,
    args: ['load', '--mode', 'memcached', '--connections', '1', '--memcached', 'memcached://127.0.0.1:1'],
    code: 4,
    says: [/^holdfast: no user could log in: .* answered 503 .* is it up\?$/m],
  },
  {
    name: "another store's address",
    args: ['load', '--postgres-url', 'redis://127.0.0.1:6379'],
    code: 3,
    says: ['--postgres-url', 'such as postgresql://user@127.0.0.1:5432/db'],
  },
  {
    name: 'a fault that would strike the user’s own server',
    args: ['run', path.join(root, 'scenarios/redis-outage.yaml'), '--redis-url', 'redis://127.0.0.1:6379'],
    code: 3,
    says: ['--redis-url names your own server', '"redis-outage"', 'never touched'],
  },
  {
    name: 'a memory limit for the user’s own server',
    args: ['run', path.join(root, 'scenarios/eviction.yaml'), '--memcached', 'memcached://127.0.0.1:11211'],
    code: 3,
    says: ['--memcached names your own server', '"eviction" needs one with 1 MB'],
  },
  {
    name: 'a store for backends that are not started',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--memcached', 'memcached://127.0.0.1:11211'],
    code: 3,
    says: ['--memcached', '--backend names your own'],
  },
  { name: 'results into a folder', args: ['run', killOne, '--json', '.'], code: 3, says: ['--json "." is a folder'] },
  { name: 'figures into a folder', args: ['load', '--json', '.'], code: 3, says: ['is a folder'] },
  {
    name: 'two kinds of results into one file',
    args: ['run', killOne, '--json', 'a', '--html', './a'],
    code: 3,
    says: ['--json and --html both name'],
  },
  {
    name: 'one scenario twice',
    args: ['run', killOne, killOne, '--json', '{scenario}.json'],
    code: 3,
    says: ['"kill-one"', '--repeat'],
  },
  { name: 'an invalid pool name', args: ['proxy', '--pool', 'a b'], code: 3, says: ['--pool "a b"'] },
  {
    name: 'an invalid health path',
    args: ['proxy', '--health-path', 'health'],
    code: 3,
    says: ['such as /health'],
  },
  { name: 'an interval of years', args: ['proxy', '--health-interval', '99999h'], code: 3, says: ['at most 24h'] },
  {
    name: 'one port for both listeners',
    args: ['proxy', '--port', '18080', '--admin-port', '18080'],
    code: 3,
    says: ['both 18080'],
  },
  {
    name: 'the same backend twice',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--backend', 'http://127.0.0.1:1/'],
    code: 3,
    says: ['given twice'],
  },
  { name: '--affinity without a value', args: ['proxy', '--affinity'], code: 3, says: ['affinity'] },
  {
    name: 'a host of another machine',
    args: ['proxy', '--backend', 'http://127.0.0.1:1', '--host', 'nohost.invalid', '--port', '0', '--admin-port', '0'],
    code: 3,
    says: ['--host "nohost.invalid"'],
  },
  { name: 'no connections', args: ['load', '--connections', '0'], code: 3, says: ['--connections'] },
];

describe('bad command lines', () => {
  for (const { name, args, code, says, alone } of rows) {
    it(`exit with ${code} for ${name}`, async () => {
      const said = await (alone ? inProcessOfItsOwn(args) : commandLine(args));
      expect(said.code, said.stderr).to.equal(code);
      for (const text of says) {
        if (typeof text === 'string') expect(said.stderr).to.include(text);
        else expect(said.stderr).to.match(text);
      }
      expect(said.stderr).not.to.match(/\n {4}at /);
      expect(said.left).to.deep.equal([]);
    });
  }

  it('exit with 3 for a secrets file with a short key, and never show the secret', async () => {
    const env = { HOLDFAST_SECRETS: 'a:c0ffee' };
    const { code, stderr } = await commandLine(['proxy', '--backend', 'http://127.0.0.1:1'], env);
    expect(code).to.equal(3);
    expect(stderr).to.include('HOLDFAST_SECRETS: ').and.include('32 bytes').and.not.include('c0ffee');
  });

  it('print file, line and the expected value for a scenario with a mistake', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'));
    try {
      const file = path.join(folder, 'bad.yaml');
      await writeFile(file, 'name: bad\nwhy: x\nmodes: [stikcy]\n');
      const { code, stderr } = await commandLine(['run', file]);
      expect(code).to.equal(3);
      expect(stderr).to.include('bad.yaml:3').and.include('sticky');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('exit with 4 and name the port when a port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      for (const backends of [
        ['--backend', 'http://127.0.0.1:1'],
        ['--backends', '1'],
      ]) {
        await withHoldfast(['proxy', ...backends, '--port', String(port), '--admin-port', '0'], async holdfast => {
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
          expect(holdfast.output.stderr)
            .to.include(String(port))
            .and.match(/in use/);
          expect(await holdfast.children()).to.deep.equal([]);
          expect(await holdfast.temporaryFiles()).to.deep.equal([]);
        });
      }
    } finally {
      server.close();
    }
  });

  it('exit with 4 and name the flag when the admin port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const address = server.address();
    const port = String(typeof address === 'object' && address !== null ? address.port : 0);
    try {
      const args = ['proxy', '--backend', 'http://127.0.0.1:1', '--port', '0', '--admin-port', port];
      const { code, stderr } = await commandLine(args);
      expect(code, stderr).to.equal(4);
      expect(stderr).to.include(`port ${port} on 127.0.0.1 is in use; choose another with --admin,`);
    } finally {
      server.close();
    }
  });

  it('name a backend that is down from the start, with the request; exit with 0 on SIGTERM', () =>
    withHoldfast(['proxy', '--backend', 'http://127.0.0.1:1', '--port', '0', '--admin-port', '0'], async holdfast => {
      await holdfast.sees(
        'backend-1: down from the start; GET http://127.0.0.1:1/health was not answered 2xx: ECONNREFUSED (is it running?',
      );
      holdfast.child.kill('SIGTERM');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
    }));

  it('use no colours in CI without a terminal', () =>
    withHoldfast(
      ['run', 'no-such.yaml'],
      async holdfast => {
        await holdfast.ended();
        expect(holdfast.output.stderr).to.include('holdfast: no-such.yaml').and.not.include('\u001b');
      },
      { CI: '1', NO_COLOR: '' },
    ));

  it('keep the exit code of the run when the reader of the output is gone', () =>
    withHoldfast(['proxy', '--backend', 'http://127.0.0.1:1', '--port', '0', '--admin-port', '0'], async holdfast => {
      await holdfast.sees('down from the start');
      holdfast.child.stderr?.destroy();
      holdfast.child.kill('SIGTERM');
      expect(await holdfast.ended()).to.equal(0);
    }));

  it('exit with 4 and say how to install redis-server when it is missing', () =>
    withHoldfast(
      ['run', killOne, '--mode', 'redis'],
      async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
        expect(holdfast.output.stderr).to.include('redis-server').and.include('install');
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      },
      { PATH: '/nowhere' },
    ));
});

describe('help', () => {
  for (const command of ['start', 'proxy', 'run', 'load', 'report']) {
    it(`holdfast ${command} --help has a description${command === 'start' ? '' : ' and an example'}`, async () => {
      const { code, stdout, stderr } = await commandLine([command, '--help']);
      expect(code, stderr).to.equal(0);
      expect(stdout).to.include(`node dist/cli.js ${command}`);
      if (command !== 'start') expect(stdout).to.include('Examples:');
    });
  }
});

async function inProcessOfItsOwn(args: readonly string[]): Promise<Said> {
  return withHoldfast(args, async holdfast => {
    const code = await holdfast.ended();
    const left = [...(await holdfast.children()), ...(await holdfast.temporaryFiles())];
    return { code, ...holdfast.output, left };
  });
}
