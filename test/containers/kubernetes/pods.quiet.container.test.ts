import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { root, withHoldfast } from '../../commands/holdfast.js';
import type { Finished, Result } from '../../commands/ran.js';
import { startedInTurn } from '../../commands/whole-runs.js';
import { startRedis } from '../../sessions/with-redis.js';
import type { Rule } from './api-server.js';
import type { Kubernetes } from './kubernetes.js';
import type { EnvVariable } from './objects.js';
import { kubectl, kubectlVariables, shopVariables, withKubernetes } from './with-kubernetes.js';

const page = readFileSync(path.join(root, 'docs/kubernetes.md'), 'utf8');
const [scenario = '', deploy = '', ...others] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
  ([, text = '']) => text,
);
/** The role of the page: the test cluster allows nothing else. */
const { rules }: { readonly rules: readonly Rule[] } = parse(others.find(text => text.includes('kind: Role')) ?? '');

type Run = Result['runs'][number] & {
  readonly faults: readonly {
    readonly evidence?: string;
    readonly problem?: string;
    readonly struck?: string;
    readonly effect: { readonly seen: number; readonly text: string };
  }[];
};

interface PodRun extends Pick<Finished, 'code' | 'text'> {
  /** Undefined: nothing was run. */
  readonly run: Run | undefined;
  readonly rights: readonly string[];
}

/** Returns the scenario of the page with another fault. A rollout takes longer than the end of a pod. */
function withFault(written: string, within = '40s'): string {
  const others = scenario.replace(/faults:\n.*\n/, `faults:\n  - ${written}\n`);
  return others
    .replace('app=shop', `app=shop, within: ${within}`)
    .replace('rate: 15/s', 'rate: 10/s')
    .replace('faults: 4s', 'faults: 15s');
}

/** Writes a scenario with the address of the cluster. */
async function writeScenario(kubernetes: Kubernetes, text: string): Promise<string> {
  const file = path.join(path.dirname(kubernetes.kubeconfig), 'pods.yaml');
  await writeFile(file, text.replace('http://127.0.0.1:8080', kubernetes.url));
  return file;
}

/** Runs a scenario against the cluster, with the real kubectl. */
async function runPods(kubernetes: Kubernetes, text: string, env: NodeJS.ProcessEnv = {}): Promise<PodRun> {
  const file = await writeScenario(kubernetes, text);
  const before = kubernetes.requests.length;
  return withHoldfast(
    ['run', file, '--json', 'out.json'],
    async holdfast => {
      const code = await holdfast.ended();
      const said = holdfast.output.stdout + holdfast.output.stderr;
      expect(await holdfast.children(), said).to.deep.equal([]);
      const json = await readFile(path.join(holdfast.folder, 'out.json'), 'utf8').catch(() => '{"runs":[]}');
      return { code, text: said, run: JSON.parse(json).runs[0], rights: rightsIn(kubernetes.requests.slice(before)) };
    },
    { ...kubectlVariables(kubernetes), ...env },
  );
}

/** Returns the rights that these requests to the API need: `get pods`. */
function rightsIn(requests: readonly string[]): readonly string[] {
  const rights = requests.flatMap(request => {
    const [, method = '', resource, name, query = ''] =
      /^(\w+) .*\/namespaces\/default\/(\w+)(\/[^?]+)?(\?.*)?$/.exec(request) ?? [];
    if (resource === undefined) return [];
    const read = name !== undefined ? 'get' : query.includes('watch=true') ? 'watch' : 'list';
    return [`${method === 'GET' ? read : method.toLowerCase()} ${resource}`];
  });
  return [...new Set(rights)].sort();
}

/** Returns the rights that some rules give. */
function rightsOf(given: readonly Rule[]): readonly string[] {
  return given
    .flatMap(({ resources, verbs }) => resources.flatMap(name => verbs.map(verb => `${verb} ${name}`)))
    .sort();
}

/** Returns the run. Fails when there is none, or when its only fault was not confirmed. */
function confirmed({ run, text }: PodRun): Run & { readonly fault: Run['faults'][number] } {
  const [struck] = run?.faults ?? [];
  if (run === undefined || struck?.confirmedMs == null) return expect.fail(text + JSON.stringify(run?.faults));
  expect(struck.effect.seen, struck.effect.text).to.be.greaterThan(0);
  return { ...run, fault: struck };
}

/** Starts pods of the toy shop with their sessions in a Redis of their own. `use` also gets their variables. */
async function withShop<T>(
  spec: Parameters<typeof withKubernetes>[0],
  use: (kubernetes: Kubernetes, env: readonly EnvVariable[]) => Promise<T>,
): Promise<T> {
  const redis = await startRedis();
  const env = shopVariables(redis.url);
  try {
    return await withKubernetes({ env, rules, surge: 1, unavailable: 0, ...spec }, kubernetes => use(kubernetes, env));
  } finally {
    await redis.stop();
  }
}

describe('holdfast run against pods', function () {
  this.timeout(240_000);

  /** Tests a cluster of its own. It mostly waits for kubectl, so two of them run at the same time. */
  function itRuns(title: string, run: () => Promise<unknown>): void {
    const finished = startedInTurn(run);
    it(title, async () => {
      await finished();
    });
  }

  itRuns('kills the oldest pod: requests fail until the ingress learns it, and no session is lost', () =>
    withShop({}, async kubernetes => {
      kubernetes.service.lagMs = 2_000;
      const [oldest = ''] = (await kubectl(kubernetes, 'get pods -o name')).split('\n').map(name => name.slice(4));
      const ran = await runPods(kubernetes, scenario);
      const { fault: struck, users, writes, requests } = confirmed(ran);
      expect(struck).to.include({ struck: oldest });
      expect(struck.evidence).to.include(`member-1 of app=shop is ${oldest}`).and.include('the pod is gone');
      expect(requests.failed).to.be.greaterThan(0);
      expect({ ...users, ...writes }).to.include({ loggedOut: 0, lost: 0 });
      expect(await kubectl(kubernetes, 'get pods -o name')).to.not.include(oldest);
      expect(ran.rights).to.deep.equal(rightsOf(rules.slice(0, 1)));
    }),
  );

  itRuns('deploys and rolls back: both versions answer, and no session in Redis is lost', () =>
    withShop({}, async (kubernetes, env) => {
      kubernetes.service.lagMs = 1_000;
      const rolled = await runPods(kubernetes, withFault(deploy.trim().replace(/^- /, '')));
      const { fault: struck, users, writes, requests } = confirmed(rolled);
      expect(struck.evidence).to.match(/of 3 backends run version B/);
      expect(struck.healedMs).to.be.a('number');
      expect(requests.failed).to.be.greaterThan(0);
      expect({ ...users, ...writes }).to.include({ loggedOut: 0, lost: 0 });
      expect([users.sawBothVersions, users.wentBack]).to.not.include(0);
      const [deployment] = kubernetes.store.list('deployments');
      expect(deployment?.spec.template.spec.containers[0]?.env).to.deep.equal(env);
      expect(deployment?.metadata.annotations).to.include({ 'deployment.kubernetes.io/revision': '3' });
      expect([...rolled.rights, 'delete pods', 'get pods'].sort()).to.deep.equal(rightsOf(rules));
    }),
  );

  itRuns('brings the earlier revision back after a run with a deploy that has no rollback', () =>
    withShop({}, async (kubernetes, env) => {
      const text = deploy
        .trim()
        .replace(/^- /, '')
        .replace(/, rollback: [^,}]*/, '');
      expect(text).to.not.include('rollback');
      const { fault: struck } = confirmed(await runPods(kubernetes, withFault(text)));
      expect(struck.evidence).to.match(/of 3 backends run version B/);
      const [deployment] = kubernetes.store.list('deployments');
      expect(deployment?.spec.template.spec.containers[0]?.env).to.deep.equal(env);
    }),
  );

  itRuns('loses no request in a deploy when preStop is longer than the lag', () =>
    withShop({ preStopSeconds: 2 }, async kubernetes => {
      kubernetes.service.lagMs = 500;
      const ran = await runPods(kubernetes, withFault('{ id: new, at: 200ms, do: deploy, target: backends }'));
      expect(confirmed(ran).requests, ran.text).to.include({ failed: 0 });
    }),
  );

  itRuns('finds that a deploy logs users out when sessions are in the memory of the pods', () => {
    const env = shopVariables('none').filter(({ name }) => name === 'BACKEND_ID');
    return withShop({ env, bindsByCookie: true }, async kubernetes => {
      const ran = await runPods(kubernetes, withFault('{ id: new, at: 200ms, do: deploy, target: backends }'));
      const { users, verdict } = confirmed(ran);
      expect(verdict).to.equal('fail');
      expect(users.loggedOut).to.be.greaterThan(5);
    });
  });

  itRuns('brings the old version back when a deploy never becomes ready', () =>
    withShop({}, async kubernetes => {
      const broken = withFault(
        '{ id: new, at: 200ms, do: deploy, target: backends, to: { image: "shop:missing" } }',
        '3s',
      );
      const { code, run } = await runPods(kubernetes, broken);
      expect(code).to.equal(2);
      expect(run?.faults[0]?.problem).to.match(/"isDone" ended with code 1.*timed out/);
      await kubectl(kubernetes, 'rollout status deployment/shop');
      const images = kubernetes.store.list('pods').map(({ spec }) => spec.containers[0]?.image);
      expect(images).to.deep.equal(['shop:a', 'shop:a', 'shop:a']);
    }),
  );

  itRuns('brings the old version back when Ctrl-C interrupts a deploy', () =>
    withShop({}, async kubernetes => {
      const file = await writeScenario(
        kubernetes,
        withFault('{ id: new, at: 200ms, do: deploy, target: backends, to: { image: "shop:missing" } }'),
      );
      const imageNow = () => kubernetes.store.get('deployments', 'shop')?.spec.template.spec.containers[0]?.image;
      await withHoldfast(
        ['run', file],
        async holdfast => {
          expect(await waitUntil(async () => imageNow() === 'shop:missing', 30_000)).to.equal(true);
          holdfast.child.kill('SIGINT');
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
          expect(await holdfast.children()).to.deep.equal([]);
        },
        kubectlVariables(kubernetes),
      );
      expect(imageNow()).to.equal('shop:a');
      expect(kubernetes.store.get('deployments', 'shop')?.spec.paused).to.not.equal(true);
    }),
  );

  const refused = [
    [
      'a selector without pods',
      scenario.replace('app=shop', 'app=none'),
      4,
      /selector "app=none" finds no member that is ready/,
      {},
    ],
    [
      'a fault that kubectl cannot do',
      withFault('{ id: hang, at: 200ms, do: hang, target: member-1 }'),
      3,
      /the kernel ignores SIGSTOP to process 1/,
      {},
    ],
    [
      'an API that does not answer',
      scenario,
      4,
      /members of app=shop cannot be listed: .*refused/,
      { KUBECONFIG: '/dev/null' },
    ],
    [
      'a surge that the deployment decides',
      withFault('{ id: new, at: 1s, do: deploy, target: backends, surge: 1 }'),
      3,
      /found surge, but the workload itself decides/,
      {},
    ],
    [
      'a missing kubectl',
      scenario,
      4,
      /needs kubectl, which is not on PATH\. Type: node dist\/cli\.js doctor --install kubectl/,
      { PATH: '/nowhere' },
    ],
  ] as const;

  const refusals = startedInTurn(() =>
    withShop({ replicas: 1 }, async kubernetes => {
      const ran: PodRun[] = [];
      for (const { 1: text, 4: env } of refused) ran.push(await runPods(kubernetes, text, env));
      return ran;
    }),
  );

  for (const [index, [what, , code, expected]] of refused.entries())
    it(`ends with code ${code} and one sentence at ${what}`, async () => {
      const ran = (await refusals())[index];
      expect(ran?.code, ran?.text).to.equal(code);
      expect(ran?.text).to.match(expected);
      expect(ran?.run).to.equal(undefined);
    });
});
