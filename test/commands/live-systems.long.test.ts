/** Sessions of `holdfast live` with real systems. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { paths } from '#src/live/protocol.js';
import { readHistory } from '#src/simulator/history/file.js';
import { countsOfReport } from '../live/told-run.js';
import { ask, Watch } from '../live/with-live.js';
import { type Holdfast, withHoldfast } from './holdfast.js';
import { addressOf } from './live-address.js';

async function historiesIn(holdfast: Holdfast) {
  const folder = path.join(holdfast.folder, 'reports/live/latest');
  const [left] = await readHistory(path.join(folder, 'history-left.ndjson'));
  const [right] = await readHistory(path.join(folder, 'history-right.ndjson'));
  return { folder, left: left ?? expect.fail('no left run'), right: right ?? expect.fail('no right run') };
}

describe('holdfast live with two systems', function () {
  this.timeout(60_000);

  it('kills a backend of both, logs out users of sticky alone, and ends at Ctrl-C with an open page', () =>
    withHoldfast(['live', '--users', '16', '--backends', '2', '--port', '0'], async holdfast => {
      const { port, token } = await addressOf(holdfast);
      const watch = await Watch.open(port, token);
      const isSettled = () =>
        [watch.state?.left, watch.state?.right].every(
          side => side?.stage === 'running' && side.users.filter(({ state }) => state === 'in').length > 12,
        );
      await watch.until(isSettled);
      expect(watch.state?.left.offers.map(({ target }) => target)).to.include('backend-2');
      const strike = { do: 'strike', sides: ['left', 'right'], fault: 'kill', target: 'backend-2' };
      const reply = await ask(port, paths.command, token, { method: 'POST', body: JSON.stringify(strike) });
      expect(JSON.parse(reply.body)).to.deep.equal({ problems: [] });
      await watch.until(() => (watch.state?.left.counts.loggedOut ?? 0) > 2);
      expect(watch.state?.left.strikes[0]?.state).to.equal('confirmed');
      expect(watch.state?.right?.counts.loggedOut).to.equal(0);

      holdfast.child.kill('SIGINT');
      const code = await holdfast.ended();
      expect(code, holdfast.output.stderr).to.equal(130);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);

      await watch.ended();
      expect(watch.messages.at(-1)).to.deep.include({ kind: 'over', reason: 'The command was stopped by Ctrl-C.' });
      const { folder, left, right } = await historiesIn(holdfast);
      expect(await readdir(folder)).to.include.members(['report.html', 'scenario.yaml']);
      expect(await readFile(path.join(folder, 'scenario.yaml'), 'utf8')).to.include('do: kill');
      expect(watch.state?.left).to.include({ stage: 'over', mode: 'sticky' });
      expect(watch.state?.left.counts).to.deep.include(countsOfReport(left));
      expect(watch.state?.right?.counts).to.deep.include(countsOfReport(right));
    }));

  it('goes on with one system when the other cannot be started, and ends when none can', async () => {
    const noStores = { PATH: '/nowhere' };
    const words = ['live', '--users', '8', '--port', '0'];
    await withHoldfast(
      [...words, '--modes', 'sticky,redis', '--for', '6s'],
      async holdfast => {
        const { port, token } = await addressOf(holdfast);
        const watch = await Watch.open(port, token);
        await holdfast.sees(/the right side failed: .*redis/);
        await watch.until(() => watch.state?.left.stage === 'running' && watch.state.right?.stage === 'failed');
        expect(watch.state?.right?.problem).to.match(/redis/);
        await watch.until(() => watch.state?.left.users.some(({ state }) => state === 'in') ?? false);
        expect(await holdfast.ended()).to.equal(0);
        await watch.ended();
        expect(watch.messages.at(-1)).to.include({ kind: 'over', reason: 'The time of --for is over.' });
        expect(await holdfast.children()).to.deep.equal([]);
      },
      noStores,
    );
    await withHoldfast(
      [...words, '--modes', 'redis,memcached'],
      async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
        expect(holdfast.output.stderr).to.match(/no system could be started/);
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await readdir(holdfast.folder).then(names => names.includes('live'))).to.equal(false);
      },
      noStores,
    );
  });
});
