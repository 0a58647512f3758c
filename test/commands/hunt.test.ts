import { expect } from 'chai';
import { Redis } from 'ioredis';
import { describeRepeatedRun } from '#src/commands/hunt.js';
import { rotatingShop } from '../hunt/rotating-shop-scenario.js';
import { withRedis } from '../sessions/with-redis.js';
import { withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';
import { short, written } from './ran.js';

const kill = '[{ id: kill, at: 200ms, do: kill, target: backend-1, for: 300ms }]';

describe('the command line: hunt', function () {
  this.timeout(60_000);

  for (const [what, expectations, words, said] of [
    ['a mode that the file does not name', 'writes.lost == 0', ['--mode', 'jwt'], 'does not name mode "jwt"'],
    [
      'a file in a folder that does not exist',
      'writes.lost == 0',
      ['--out', 'none/a.yaml'],
      '--out: the folder "none"',
    ],
    ['no time', 'writes.lost == 0', ['--minutes', '0'], '--minutes: expected a number above 0'],
    ['an unknown fault', 'writes.lost == 0', ['--faults', 'explode'], 'unknown fault "explode"'],
    ['an unknown metric', 'writes.lost == 0', ['--until', 'writes.gone > 0'], 'unknown metric "writes.gone"'],
    [
      'to overwrite a file',
      'writes.lost == 0',
      ['--minutes', '0.01', '--out', '/dev/null'],
      '"/dev/null" exists already',
    ],
    ['a file in no folder', 'writes.lost == 0', ['--out', '/proc/x/y.yaml'], '--out: the folder "/proc/x" is not'],
    ['a folder as the file', 'writes.lost == 0', ['--out', '/tmp'], '--out "/tmp" is a folder: expected a file'],
    ['minutes that are no number', 'writes.lost == 0', ['--minutes', 'abc'], '--minutes: expected a number, not "abc"'],
    [
      'an unknown proxy',
      'writes.lost == 0',
      ['--proxy', 'haproxi'],
      'unknown proxy "haproxi". Did you mean "haproxy"?',
    ],
    ['an address of no Redis', 'writes.lost == 0', ['--redis-url', 'http://a:1'], '--redis-url "http://a:1"'],
    [
      "to strike the user's own Redis",
      'writes.lost == 0',
      ['--mode', 'redis', '--faults', 'kill@redis', '--redis-url', 'redis://127.0.0.1:1'],
      'would strike redis: a server that Holdfast did not start is never touched',
    ],
    ['a scenario that expects nothing to be 0', 'requests.failed < 9 %', [], '--until "users.loggedOut > 0"'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const file = await written(short('', kill, `    - ${expectations}`));
      const { code, stderr, left } = await commandLine(['hunt', file, ...words]);
      expect({ code, left }).to.deep.equal({ code: 3, left: [] });
      expect(stderr).to.include(said);
    });
  }

  it('starts the proxy that --proxy names', async () => {
    const preset = await written('command: "echo bad line 7 >&2; exit 2"\nname: own\n');
    const file = await written(short('', kill, '    - writes.lost == 0'));
    const { code, stdout, stderr, left } = await commandLine(['hunt', file, '--proxy', preset, '--minutes', '1']);
    expect({ code, left }, stderr).to.deep.equal({ code: 4, left: [] });
    expect(stdout).to.include('2 tries').and.include('0 passed, 0 inconclusive, 2 in which the lab failed');
    expect(stderr).to.match(/proxy ended with code 2[\s\S]*bad line 7/);
  });

  it('uses the Redis that --redis-url names', async () => {
    await withRedis(async ({ url }) => {
      const file = await written(short('', kill, '    - writes.lost == 0'));
      const words = ['--mode', 'redis', '--redis-url', url, '--minutes', '0.01'];
      const { stdout, stderr } = await commandLine(['hunt', file, ...words]);
      const client = new Redis(url);
      const stats = await client.info('commandstats');
      client.disconnect();
      // Besides the PINGs of its start, only a try of the hunt sends commands.
      expect(stats, stdout + stderr).to.match(/cmdstat_(?:set|hset|eval|evalsha|fcall|get)\b/);
    });
  });

  it('repeats a find with the address of that Redis, without its password', () => {
    const line = describeRepeatedRun('found.yaml', { storeUrls: { redis: 'redis://me:hush@127.0.0.1:6379' } });
    expect(line).to.equal("again: node dist/cli.js run found.yaml --redis-url 'redis://***@127.0.0.1:6379'");
  });

  it('ends everything when it is interrupted, and exits with 130', async () => {
    await withHoldfast(['hunt', await written(rotatingShop)], async holdfast => {
      await holdfast.sees('hunting in rotating-shop');
      holdfast.child.kill('SIGTERM');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(holdfast.output.stdout).to.include('found nothing: 0 tries');
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    });
  });
});
