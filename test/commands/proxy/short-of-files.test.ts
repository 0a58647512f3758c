import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { ask } from '../../proxy/ask.js';
import { withToys } from '../../proxy/toy-backend.js';
import { withWorkers, workersOf } from '../../proxy/workers/with-workers.js';
import { withHoldfast } from '../holdfast.js';

function allowFiles(pid: number | undefined, files: string): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${files}`]);
}

const health = ['--health-interval=50ms', '--health-fall=1'];

describe('holdfast proxy: short of file descriptors', () => {
  it('takes no backend for down because it cannot ask, and goes on as before when it can', function () {
    if (process.platform !== 'linux') this.skip();
    return withToys([undefined], toy => {
      toy.incarnation = undefined;
      const args = ['proxy', '--backend', toy.url.origin, '--port=0', '--admin-port=0', '--mode=sticky', ...health];
      return withHoldfast(args, async ({ child, sees, output }) => {
        await sees(/listening on /);
        const [, url = ''] = /listening on (\S+),/.exec(output.stderr) ?? [];
        const bound = await ask(url, '/');
        const cookie = bound.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
        allowFiles(child.pid, '3:');
        await new Promise(resolve => setTimeout(resolve, 400));
        allowFiles(child.pid, '1000:');
        const again = await ask(url, '/', { headers: { cookie } });
        expect([again.status, again.headers['set-cookie']]).to.deep.equal([200, undefined]);
        expect(output.stderr).to.not.match(/ready -> |incarnation/);
      });
    });
  });

  it('reports the last known memory of a worker that can open no file, and loses no worker', function () {
    if (process.platform !== 'linux') this.skip();
    return withToys([undefined], toy =>
      withWorkers([toy?.url.origin ?? ''], async proxy => {
        const residentBytes = async () => {
          const { text } = await ask(proxy.admin, '/metrics');
          return Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1]);
        };
        await residentBytes();
        const workers = await workersOf(proxy);
        for (const worker of workers) allowFiles(worker, '3:');
        expect(await residentBytes()).to.be.greaterThan(10_000_000);
        for (const worker of workers) allowFiles(worker, '1000:');
        expect((await ask(proxy.url, '/')).status).to.equal(200);
        expect(await workersOf(proxy)).to.deep.equal(workers);
      }),
    );
  });
});
