import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import yargs from 'yargs';
import { addProxyFlags } from '#src/commands/proxy/flags.js';
import { buildProxyOptions } from '#src/commands/proxy/options.js';
import { listSecretFileWarnings } from '#src/commands/proxy/serve.js';
import { type ProxySettings, readSettings } from '#src/commands/proxy/settings.js';
import type { ProxyOptions } from '#src/proxy/options.js';
import { generateKeyRing } from '#src/shared/key-ring.js';
import { root } from '../holdfast.js';

/** A file that does not fit, and what is said of it behind its name. */
const bad: readonly [name: string, text: string, says: string][] = [
  ['an unknown key', 'host: 127.0.0.1\nprot: 1', ':2:1: unknown setting "prot". Did you mean "port"? Known: host, '],
  ['a secret inline', 'secrets: k1:00', ':1:1: unknown setting "secrets"'],
  ['another file', 'config: b.yaml', ':1:1: unknown setting "config"'],
  ['a key twice', 'port: 1\nport: 2', ':2:1: found a key that stands here already'],
  ['broken YAML', 'port: [', ':1:'],
  ['an alias', 'host: &a x\npool: *a', ':2:7: found the alias *a'],
  ['values nested deep', `pool: ${'['.repeat(40)}`, 'nested too deep, expected a configuration'],
  ['a list', '- port', ':1:1: expected flags of holdfast proxy'],
  ['nothing', '', ':1:1: expected flags of holdfast proxy'],
  ['a value out of range', 'pool: x\nport: 70000', ':2: --port: expected a whole number from 0 to 65535, not "70000"'],
  ['a word for a number', 'port: many', ':1: --port: expected a number, not "many"'],
  ['two values for one', 'port: [1, 2]', ':1:7: port: expected one plain value'],
  ['a mapping', 'backend: { a: 1 }', ':1:10: backend: expected a list of plain values'],
  ['an empty list', 'backend: []', ':1:10: backend: expected a list of plain values, at least one'],
  ['no value', 'pool:', ':1: --pool: its value is empty'],
  ['a word for a switch', 'name-backends: maybe', ':1:16: name-backends: expected true or false'],
  ['none of the choices', 'host: x\naffinity: perhaps', ':2: --affinity "perhaps": expected one of "on", "off"'],
  ['a bare number for a time', 'drain: 30', ':1: --drain "30": expected a time such as 500ms'],
  ['a negative count', 'eject-after: -1', ':1: --eject-after: expected a whole number from 0 to 1000, not "-1"'],
  ['a maximum below the first', 'eject-time: 10s\neject-time-max: 5s', ':1: --eject-time 10s is longer than'],
  ['an idle time above all', 'affinity-idle: 9h', ':1: --affinity-idle 9h is longer than --affinity-absolute 8h'],
  ['trust in no address', 'trust: localhost', ':1: --trust: "localhost"'],
  ['one backend twice', 'backend: [http://a:1, "http://a:1/"]', ':1: --backend http://a:1 is given twice'],
  ['one name twice', 'backend: [x=http://a:1, x=http://b:1]', ':1: --backend x is given twice'],
  ['a name that is none', 'backend: ["a b=http://a:1"]', ':1: --backend "a b=http://a:1": expected a name'],
];

describe('configuration file of the proxy', () => {
  it('says what the same flags say', async () => {
    const typed = await optionsOf('', [
      ...['--port', '81', '--backend', 'http://a:1', '--backend', 'red=http://b:1', '--health-interval', '300ms'],
      ...['--name-backends', '--trust', '10.0.0.0/8', '--policy', 'random', '--affinity', 'off'],
    ]);
    const file = await optionsOf(
      'port: 81\nbackend:\n  - http://a:1\n  - red=http://b:1\nhealth-interval: 300ms\n' +
        'name-backends: true\ntrust: 10.0.0.0/8\npolicy: random\naffinity: off\n',
    );
    expect({ ...file, onEvent: undefined }).to.deep.equal({ ...typed, onEvent: undefined });
    expect(file).to.deep.include({ port: 81, policy: 'random', affinity: undefined, namesBackends: true });
    expect(file.backends.map(({ name }) => name)).to.deep.equal(['backend-1', 'red']);
  });

  it('what is typed wins, in every spelling; a list as a whole', async () => {
    const text = 'port: 1\nadmin-port: 2\npool: file\nname-backends: true\nbackend: [http://a:1, http://b:1]\n';
    const typed = ['--port=81', '--adminPort', '82', '--no-name-backends', '--backend', 'http://c:1'];
    const { port, admin, namesBackends, backends, affinity } = await optionsOf(text, typed);
    expect({ port, admin, namesBackends, pool: affinity?.pool }).to.deep.equal({
      port: 81,
      admin: { host: '127.0.0.1', port: 82, token: undefined },
      namesBackends: false,
      pool: 'file',
    });
    expect(backends.map(({ url }) => url.origin)).to.deep.equal(['http://c:1']);
  });

  it('sets times of ejections and affinity', async () => {
    const { ejection, affinity } = await optionsOf('eject-after: 0\neject-time: 1s\naffinity-idle: 1h\n');
    expect(ejection).to.deep.equal({ after: 0, forMs: 1000, forMsMax: 300_000 });
    expect(affinity).to.include({ idleMs: 3_600_000, absoluteMs: 8 * 3_600_000 });
  });

  it('a mistake that was typed is not laid to the file', async () => {
    const error = await failure('port: 1', ['--port', '70000']);
    expect(error).to.match(/^--port: expected/);
  });

  it('a path is relative to the file, "-" and an absolute one are as they are', () =>
    withFile('secrets-file: keys\naccess-log: ../log/access.log', async file => {
      const { args } = await read(file, []);
      expect(args['secrets-file']).to.equal(path.join(path.dirname(file), 'keys'));
      expect(args['access-log']).to.equal(path.resolve(path.dirname(file), '../log/access.log'));
      await writeFile(file, 'secrets-file: /etc/keys\naccess-log: "-"');
      const { args: others } = await read(file, []);
      expect(others).to.include({ 'secrets-file': '/etc/keys', 'access-log': '-' });
    }));

  it('a key ring that every user can read is worth a word', () =>
    withFile('secrets-file: proxy.yaml', async file => {
      const { args } = await read(file, []);
      await chmod(file, 0o604);
      expect(listSecretFileWarnings(args['secrets-file'], 'the key ring')).to.deep.equal([
        `every user of this machine can read the key ring ${file}: chmod 600 ${file}`,
      ]);
      await chmod(file, 0o640);
      expect(listSecretFileWarnings(args['secrets-file'], 'the key ring')).to.deep.equal([]);
    }));

  it('is in the manual as one that works', async () => {
    const manual = await readFile(path.join(root, 'docs/proxy-operate.md'), 'utf8');
    const text = /```yaml\n(# proxy\.yaml\n[^`]*)```/.exec(manual)?.[1] ?? '';
    await withFile(text, async file => {
      const { args, checked } = await read(file, []);
      expect(Object.keys(parse(text))).to.have.length.above(10);
      expect(args['access-log']).to.equal(path.join(path.dirname(file), 'access.log'));
      const { backends, host } = checked(() =>
        buildProxyOptions(args, args.backend ?? [], generateKeyRing(), () => {}),
      );
      expect(host).to.equal('0.0.0.0');
      expect(backends.map(({ name, weight }) => [name, weight])).to.deep.equal([
        ['red', 1],
        ['blue', 1],
        ['green', 3],
      ]);
    });
  });

  it('knows which flags are files', () =>
    withFile('port: 1', async () => {
      const help = await addProxyFlags(yargs([])).wrap(null).getHelp();
      const files = [...help.matchAll(/^ +(?=.*\bfile\b)--([\w-]+) /gim)].map(match => match[1] ?? '');
      expect(files).to.include.members(['secrets-file', 'access-log']);
      for (const flag of files.filter(flag => flag !== 'config')) {
        await withFile(`${flag}: x`, async file => {
          const { args } = await read(file, []);
          expect(new Map(Object.entries(args)).get(flag)).to.equal(path.join(path.dirname(file), 'x'));
        });
      }
    }));

  for (const [name, text, says] of bad) {
    it(`${name}: refused, with the place`, async () => {
      const error = await failure(text);
      expect(error).to.include(says);
      if (says.startsWith(':')) expect(error).to.match(/^[^:]*proxy\.yaml:/);
    });
  }

  it('that is not there: refused', async () => {
    const error = await read('/dev/null/proxy.yaml', []).catch(String);
    expect(error).to.include('--config "/dev/null/proxy.yaml": ENOTDIR');
  });
});

function read(file: string, typed: readonly string[]): Promise<ProxySettings> {
  return readSettings(file, typed, words => addProxyFlags(yargs([...words])));
}

async function optionsOf(text: string, typed: readonly string[] = []): Promise<ProxyOptions> {
  return withFile(text === '' ? 'mode: sticky' : text, async file => {
    const settings = await read(file, typed);
    return settings.checked(args => buildProxyOptions(args, args.backend ?? [], generateKeyRing(), () => {}));
  });
}

async function failure(text: string, typed: readonly string[] = []): Promise<string> {
  return withFile(text, async file => {
    try {
      const settings = await read(file, typed);
      settings.checked(args => buildProxyOptions(args, args.backend ?? [], generateKeyRing(), () => {}));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    throw new Error(`nothing was said against:\n${text}`);
  });
}

async function withFile<T>(text: string, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-config-'));
  const file = path.join(folder, 'proxy.yaml');
  try {
    await writeFile(file, text);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
