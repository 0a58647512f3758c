import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { ask } from '../../proxy/ask.js';
import { withToys } from '../../proxy/toy-backend.js';
import { withHoldfast } from '../holdfast.js';

const health = ['--health-interval=50ms', '--health-fall=1'];

describe('holdfast proxy: short of file descriptors', () => {
  it('takes no backend for down because it cannot ask, and goes on as before when it can', function () {
    if (process.platform !== 'linux') this.skip();
    return withToys([undefined], toy => {
      toy.incarnation = undefined;
      const args = ['proxy', '--backend', toy.url.origin, '--port=0', '--admin-port=0', '--mode=sticky', ...health];
      return withHoldfast(args, async ({ child, sees, output }) => {
        const allow = (files: string) => execFileSync('prlimit', [`--pid=${child.pid}`, `--nofile=${files}`]);
        await sees(/listening on /);
        const [, url = ''] = /listening on (\S+),/.exec(output.stderr) ?? [];
        const bound = await ask(url, '/');
        const cookie = bound.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
        allow('3:');
        await new Promise(resolve => setTimeout(resolve, 400));
        allow('1000:');
        const again = await ask(url, '/', { headers: { cookie } });
        expect([again.status, again.headers['set-cookie']]).to.deep.equal([200, undefined]);
        expect(output.stderr).to.not.match(/ready -> |incarnation/);
      });
    });
  });
});
