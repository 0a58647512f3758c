import { expect } from 'chai';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { leavingNothing } from '../../simulator/processes.js';
import type { Kubernetes } from './kubernetes.js';
import { isReady } from './objects.js';
import { kubectl, withKubernetes } from './with-kubernetes.js';

/** Returns the pods that are not about to end. */
const podsOf = ({ store }: Kubernetes) =>
  store.list('pods').filter(({ metadata }) => metadata.deletionTimestamp === undefined);

const namesOf = (kubernetes: Kubernetes) => podsOf(kubernetes).map(({ metadata }) => metadata.name);

/** Returns the bounds that the pods keep from now on: how many exist at most, and how many are ready at least. */
function watchPods(kubernetes: Kubernetes): { existingMax: number; readyMin: number } {
  const seen = { existingMax: 0, readyMin: Number.POSITIVE_INFINITY };
  kubernetes.store.watch(kubernetes.store.version, () => {
    const pods = podsOf(kubernetes);
    seen.existingMax = Math.max(seen.existingMax, pods.length);
    seen.readyMin = Math.min(seen.readyMin, pods.filter(isReady).length);
  });
  return seen;
}

describe('the test cluster under the real kubectl', function () {
  this.timeout(120_000);

  it('replaces a deleted pod by another one', () =>
    leavingNothing(() =>
      withKubernetes({}, async kubernetes => {
        const [first = ''] = (await kubectl(kubernetes, 'get pods -l app=shop -o name')).split('\n');
        expect(await kubectl(kubernetes, `delete ${first}`)).to.include('deleted');
        expect(namesOf(kubernetes)).to.not.include(first.replace('pod/', ''));
        await kubectl(kubernetes, 'rollout status deployment/shop');
        expect(await kubectl(kubernetes, 'get pods -o name')).to.have.lengthOf(3 * first.length + 2);
      }),
    ));

  it('rolls a change out within surge and unavailable, and rolls it back to the earlier replica set', () =>
    withKubernetes({ surge: 1, unavailable: 0 }, async kubernetes => {
      const seen = watchPods(kubernetes);
      const before = await kubectl(kubernetes, 'get replicasets -o name');
      await kubectl(kubernetes, 'set env deployment/shop SHOP_WORK=1ms');
      expect(await kubectl(kubernetes, 'rollout status deployment/shop')).to.include('successfully rolled out');
      const [after] = podsOf(kubernetes);
      expect(after?.spec.containers[0]?.env).to.deep.include({ name: 'SHOP_WORK', value: '1ms' });
      await kubectl(kubernetes, 'rollout undo deployment/shop');
      await kubectl(kubernetes, 'rollout status deployment/shop');
      expect(namesOf(kubernetes).every(name => name.startsWith(before.replace(/.*\//, '')))).to.equal(true);
      expect(seen).to.deep.equal({ existingMax: 4, readyMin: 3 });
      expect(kubernetes.store.list('replicasets')).to.have.length(2);
    }));

  it('keeps the old pods when the new ones never become ready', () =>
    withKubernetes({}, async kubernetes => {
      const before = namesOf(kubernetes);
      await kubectl(kubernetes, 'set image deployment/shop shop=shop:missing');
      const status = await kubectl(kubernetes, 'rollout status deployment/shop --timeout=1s').catch(String);
      expect(status).to.match(/timed out|1 out of 3 new replicas/);
      expect(namesOf(kubernetes)).to.include.members(before);
    }));

  it('refuses what the role does not allow', () =>
    withKubernetes({ rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }] }, async kubernetes => {
      const [pod] = namesOf(kubernetes);
      expect(await kubectl(kubernetes, `get pod ${pod} -o name`)).to.equal(`pod/${pod}`);
      const refused = await kubectl(kubernetes, `delete pod ${pod}`).catch(String);
      expect(refused).to.include('cannot delete resource "pods"');
    }));

  it('sends requests to a deleted pod until the ingress learns that it is gone', () =>
    withKubernetes({ replicas: 2 }, async kubernetes => {
      const status = async () => (await fetch(`${kubernetes.url}/health`)).status;
      kubernetes.service.lagMs = 3_000;
      await kubectl(kubernetes, `delete pod ${namesOf(kubernetes)[0]}`);
      expect([await status(), await status()].sort()).to.deep.equal([200, 502]);
      const hasLearnt = async () => (await status()) === 200 && (await status()) === 200;
      expect(await waitUntil(hasLearnt, 10_000)).to.equal(true);
    }));

  it('starts a crashed container again in the same pod', () =>
    withKubernetes({ replicas: 1 }, async kubernetes => {
      const [name = ''] = namesOf(kubernetes);
      process.kill(kubernetes.kubelet.pidOf(name) ?? 0, 'SIGKILL');
      const restarts = () => kubernetes.store.get('pods', name)?.status.containerStatuses[0]?.restartCount;
      expect(await waitUntil(async () => restarts() === 1, 10_000)).to.equal(true);
      expect(namesOf(kubernetes)).to.deep.equal([name]);
    }));
});
