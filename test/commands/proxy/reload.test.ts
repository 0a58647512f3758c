import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { inFolder } from '../../in-folder.js';
import { viewsOf } from '../../proxy/ask.js';
import { exchangeUnder, withSix } from '../../proxy/steady-clients.js';
import type { Toy } from '../../proxy/toy-backend.js';
import { until, withHoldfast } from '../holdfast.js';
import { commandLine } from '../in-process.js';

const listens = /listening on (http:\S+:\d+), admin API on (http:\S+:\d+)/;

describe('holdfast proxy at SIGHUP', () => {
  for (const workers of ['1', '2']) {
    it(`reads its file again and drops nothing; what is wrong with it changes nothing (workers: ${workers})`, () =>
      withSix(toys =>
        inFolder(async folder => {
          const file = path.join(folder, 'proxy.yaml');
          const says = (...lines: string[]) => writeFile(file, ['port: 0', 'admin-port: 0', ...lines, ''].join('\n'));
          const list = (pair: readonly Toy[]) => `backend: [${pair.map(({ url }) => url.origin).join(', ')}]`;
          await says(list(toys.slice(0, 2)), 'access-log: log');
          await withHoldfast(
            ['proxy', '--config', file, '--workers', workers],
            async ({ sees, output, child, ended }) => {
              const hangUp = async (nth: number) => {
                const seen = output.stderr.length;
                child.kill('SIGHUP');
                await until(
                  () => /eloaded[:,].*\n/.test(output.stderr.slice(seen)),
                  15_000,
                  () => `reload ${nth}`,
                );
                return output.stderr.slice(seen);
              };
              await sees('listening on');
              const [, url = '', adminUrl = ''] = listens.exec(output.stderr) ?? [];
              const view = () => viewsOf(adminUrl);
              await exchangeUnder(url, toys, async (pair, nth) => {
                await says('polic: random');
                expect(await hangUp(nth)).to.match(
                  /not reloaded, nothing has changed: \S+proxy\.yaml:3:1: unknown setting "polic"\. Did you mean "policy"\?.*\n$/,
                );
                expect(await view()).to.have.lengthOf(2);
                await says(list(pair), 'access-log: log', 'policy: random', 'host: ::1');
                const said = await hangUp(nth);
                for (const { url } of pair)
                  expect(said).to.match(new RegExp(` \\(${url.origin}\\) added, .*; only a restart`));
              });
              expect(output.stderr).to.include(
                `${toys[2]?.url.origin} is backend-3 here and would be backend-1 after a restart: ` +
                  'the admin API and the metrics would use that name then\n',
              );
              const names = (await view()).map((backend: { name: string }) => backend.name);
              expect(names).to.deep.equal(['backend-1', 'backend-2']);
              child.kill('SIGTERM');
              expect(await ended(), output.stderr).to.equal(0);
            },
          );
        }),
      ));
  }

  it('a log that cannot be written: which flag, at the start', async () => {
    const words = ['proxy', '--backend', 'http://127.0.0.1:1', '--port', '0', '--admin-port', '0'];
    const { code, stderr } = await commandLine([...words, '--access-log', '/dev/null/log']);
    expect(code, stderr).to.equal(3);
    expect(stderr).to.include(
      '--access-log "/dev/null/log" cannot be written (ENOTDIR): expected a file, a FIFO, or "-".',
    );
  });
});
