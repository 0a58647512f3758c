import { stat } from 'node:fs/promises';
import { expect } from 'chai';
import type { LabCluster } from '#src/simulator/cluster/cluster.js';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { hasRingEverywhere, readSharedRing } from '#src/simulator/cluster/shared-secrets.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { leavingNothing, oneLab, withCluster } from '../processes.js';

const spec = { mode: 'sticky', backends: { count: 2, env: {} }, stores: [] } as const;

function faultOf(name: string) {
  const entry = faults[name];
  if (entry === undefined) throw new Error(`no fault ${name}`);
  return entry.make('secrets');
}

const idsOf = async (cluster: LabCluster) => (await readSharedRing(cluster)).map(({ id }) => id);

describe('faults of the key ring', () => {
  const lab = oneLab(spec);

  it(
    'a rotation puts a new key before the old ones in every backend, and healing changes nothing',
    lab(async cluster => {
      const before = await idsOf(cluster);
      const fault = faultOf('rotate-secrets');
      await fault.heal(cluster); // never injected
      expect(await fault.confirm(cluster), 'not yet').to.equal(false);
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.match(/^every backend uses the keys? [\w-]+/);
      const after = await idsOf(cluster);
      expect(after.slice(1)).to.deep.equal(before);
      expect(before).to.not.include(after[0]);
      await fault.heal(cluster);
      expect(await idsOf(cluster)).to.deep.equal(after);
    }),
  );

  it(
    'a replacement leaves only the new key, in a file that no other user may read',
    lab(async cluster => {
      const before = await idsOf(cluster);
      const fault = faultOf('replace-secrets');
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.match(/^every backend uses the keys? [\w-]+/);
      const after = await idsOf(cluster);
      expect(after).to.have.length(1).and.not.deep.equal(before);
      expect((await stat(cluster.secretsFile ?? '')).mode & 0o777).to.equal(0o600);
      await fault.heal(cluster);
      expect(await idsOf(cluster)).to.deep.equal(after);
    }),
  );

  it(
    'are not confirmed while a backend uses another key ring',
    lab(async cluster => {
      const fault = faultOf('replace-secrets');
      cluster.member('backend-2').signal('SIGSTOP');
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.equal(false);
      cluster.member('backend-2').signal('SIGCONT');
      expect(await waitUntil(async () => (await fault.confirm(cluster)) !== false, 5_000)).to.equal(true);
    }),
  );

  it(
    'reach a dead backend when it boots',
    lab(async cluster => {
      const dead = cluster.member('backend-2');
      dead.signal('SIGKILL');
      await dead.waitExit(2_000);
      const fault = faultOf('rotate-secrets');
      await fault.inject(cluster);
      expect(await fault.confirm(cluster)).to.match(/^every backend uses the keys? [\w-]+/);
      await dead.start();
      expect(await hasRingEverywhere(cluster, await readSharedRing(cluster))).to.equal(true);
    }),
  );

  it('reject when the scenario sets its own secrets', () =>
    leavingNothing(() =>
      withCluster(
        { ...spec, backends: { count: 1, env: { SHOP_SECRETS: `own:${'ab'.repeat(32)}` } } },
        async cluster => {
          for (const name of ['rotate-secrets', 'replace-secrets']) {
            const problem = await faultOf(name)
              .inject(cluster)
              .catch((error: Error) => error.message);
            expect(problem).to.include('its own secrets');
          }
        },
      ),
    ));
});
