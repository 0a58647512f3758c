/** External proxies that do not start, or that do not tell the truth about themselves. */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import type { ExternalProxy } from '#src/simulator/cluster/external/external-proxy.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { type ClusterSpec, startCluster } from '#src/simulator/cluster/start-cluster.js';
import { LabError } from '#src/simulator/errors.js';
import { readPreset } from '#src/simulator/scenario/own-system.js';
import { isRunning, program, quickProxy, temporaryFolder } from '../processes.js';

const base = await readPreset('http-proxy');

async function bootFailure(change: Partial<ExternalProxy>): Promise<string> {
  const external = { ...base, ...change };
  const backends = { count: 2, env: {}, program: program('plain-backend') };
  const spec: ClusterSpec = { mode: 'sticky', backends, proxy: { ...quickProxy, external }, stores: [] };
  const started = startCluster(spec, new AbortController().signal, () => undefined);
  const error = await started.then(
    cluster => cluster.stop().then(() => expect.fail('it started')),
    (caught: Error) => caught,
  );
  expect(error).to.be.instanceOf(LabError);
  return error.message;
}

const rows: readonly (readonly [what: string, change: Partial<ExternalProxy>, said: RegExp])[] = [
  [
    'prints no state: the reason can stand in its error output',
    { states: 'echo refused >&2; true | awk 1' },
    /printed no state, expected a line such as "backend-1 ready 0"\. It printed: refused/,
  ],
  [
    'leaves out a backend',
    { states: 'echo backend-1 ready 0; echo server-2 ready 0' },
    /did not report backend-2 ready in .*: its command "states" printed backend-1 ready, server-2 ready/,
  ],
];

describe('booting an external proxy', function () {
  this.timeout(30_000);

  it('fails when the command that prints its version fails', async () => {
    const said = await bootFailure({ version: 'echo unknown option >&2; exit 4' });
    expect(said).to.match(/the command of http-proxy "echo .*" ended with code 4, and said: unknown option/);
  });

  it('fails when its command "states" tells nothing of a backend, and says what it printed', async () => {
    // Each waits for ten seconds, so they wait together.
    const failures = await Promise.all(rows.map(([, change]) => bootFailure(change)));
    for (const [index, [what, , said]] of rows.entries()) expect(failures[index], what).to.match(said);
  });
});

describe('an external proxy whose port is taken', function () {
  this.timeout(20_000);

  it('is started again, even if the port is free by then', async () => {
    const folder = temporaryFolder();
    const taken = path.join(folder, 'taken');
    try {
      const command = `[ -e ${taken} ] && exec false; touch ${taken}; echo "bind: Address already in use" >&2; exit 1`;
      // It fails both times. The second failure does not name the port, so it is the last.
      expect(await bootFailure({ command }))
        .to.match(/ended with code 1 .*exec false/s)
        .and.not.match(/\| bind/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('an external proxy that goes into the background', function () {
  this.timeout(20_000);

  it('is told to stay in the foreground, and its process does not outlive the lab', async () => {
    const folder = temporaryFolder();
    const pidFile = path.join(folder, 'pid');
    try {
      const daemon = `setsid -f sh -c 'echo $$ > ${pidFile}; CONFIG={config} exec sleep 60'`;
      // Until it has a session of its own, it would be killed with the group of the command.
      const command = `${daemon}; until [ -s ${pidFile} ]; do sleep 0.05; done`;
      expect(await bootFailure({ command })).to.match(/ended with code 0 .* must stay in the foreground/s);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      expect(await waitUntil(async () => !isRunning(pid), 2_000), 'it still runs').to.equal(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
