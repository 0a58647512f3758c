import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ask } from '../proxy/ask.js';
import { withToys } from '../proxy/toy-backend.js';
import { withHoldfast } from './holdfast.js';

const listens = /listening on (http:\S+:\d+), admin API on (http:\S+:\d+)/;

describe('holdfast proxy at SIGHUP', () => {
  it('reads its file again; what is wrong with it changes nothing and is said in one line; SIGTERM ends it', () =>
    withToys([undefined, undefined, undefined], (one, two, three) =>
      inFolder(async folder => {
        const file = path.join(folder, 'proxy.yaml');
        const says = (...lines: string[]) => writeFile(file, ['port: 0', 'admin-port: 0', ...lines, ''].join('\n'));
        const list = (...toys: { url: URL }[]) => `backend: [${toys.map(({ url }) => url.origin).join(', ')}]`;
        await says(list(one, two), 'access-log: log');
        await withHoldfast(['proxy', '--config', file], async holdfast => {
          const hangUp = async (seen: string | RegExp) => {
            holdfast.child.kill('SIGHUP');
            await holdfast.sees(seen);
          };
          await holdfast.sees('listening on');
          const [, url = '', adminUrl = ''] = listens.exec(holdfast.output.stderr) ?? [];
          await says(list(one, three), 'access-log: log', 'policy: random', 'host: ::1');
          await hangUp('reloaded: ');
          expect(holdfast.output.stderr).to.include(
            `reloaded: backend-3 (${three.url.origin}) added, backend-2 (${two.url.origin}) removed, --policy changed` +
              '; only a restart would change --host\n',
          );
          expect(holdfast.output.stderr).to.include(
            `${three.url.origin} is backend-3 here and would be backend-2 after a restart, and at another proxy: ` +
              `its browsers would be bound anew. To keep them write backend-3=${three.url.origin}\n`,
          );
          await says(list(two), 'polic: random');
          await hangUp('not reloaded');
          expect(holdfast.output.stderr).to.match(
            /not reloaded, nothing has changed: \S+proxy\.yaml:4:1: unknown setting "polic"\. Did you mean "policy"\?.*\n$/,
          );
          const { backends } = JSON.parse((await ask(adminUrl, '/backends')).text);
          expect(backends.map((view: { url: string }) => view.url)).to.deep.equal([one.url.origin, three.url.origin]);
          expect((await ask(url, '/')).status).to.equal(200);
          holdfast.child.kill('SIGTERM');
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
        });
      }),
    ));
});

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-config-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
