import { Unestablished } from '../errors.js';
import type { Experiment } from '../experiment.js';
import type { FailureRow } from '../row.js';
import type { RawUser } from '../user.js';

const users = 6;
/** By hash a third of them move. Chance alone lets none of so many move once in 10,000 runs. */
const usersBesideNew = 24;
const newUsers = 6;
const waitPath = '/wait?ms=1000';

async function bindAll(experiment: Experiment, count = users): Promise<readonly RawUser[]> {
  const all: RawUser[] = [];
  while (all.length < count) all.push(await experiment.bindUser());
  return all;
}

async function visitEach(experiment: Experiment, all: readonly RawUser[], phase: string, proxy = 0): Promise<void> {
  for (const user of all) await experiment.visit(user, phase, { proxy });
}

export const drained: FailureRow = {
  title: 'A backend is drained: its users may stay, and new ones go elsewhere. Then it ends in order.',
  phases: { draining: 'drained: its users', 'scaled in': 'scaled in' },
  async run(experiment) {
    const bound = await experiment.bindUsers(2);
    await experiment.drain(bound.backend);
    await experiment.waitUnused(bound.backend, newUsers);
    await visitEach(experiment, bound.users, 'draining');
    await experiment.stop(bound.backend);
    await visitEach(experiment, bound.users, 'scaled in');
    await visitEach(experiment, bound.users, 'scaled in');
  },
};

export const scaledOut: FailureRow = {
  title: `A third backend starts beside two. ${usersBesideNew} users are bound by then.`,
  phases: { 'scaled out': 'scaled out' },
  needs: { backends: 2, spare: 1 },
  async run(experiment) {
    const all = await bindAll(experiment, usersBesideNew);
    const added = experiment.backends.at(-1);
    if (added === undefined) throw new Unestablished('there is no spare backend');
    await experiment.start(added);
    await experiment.admit(added);
    await experiment.waitUsed(added);
    await visitEach(experiment, all, 'scaled out');
  },
};

export const reordered: FailureRow = {
  title: 'The configuration lists the same backends in another order, and the proxy reloads it.',
  phases: { reordered: 'pool reordered' },
  async run(experiment) {
    const all = await bindAll(experiment);
    await experiment.reload(experiment.backends.toReversed());
    await visitEach(experiment, all, 'reordered');
    await experiment.proveReload(all);
  },
};

export const reloaded: FailureRow = {
  title: 'The proxy reloads its configuration while requests are in flight.',
  phases: { 'in flight': 'proxy reloaded: in flight', after: 'proxy reloaded: after' },
  async run(experiment) {
    const all = await bindAll(experiment);
    const [first] = all;
    if (first === undefined) throw new Unestablished('no user was bound');
    const backend = experiment.backendOf(first);
    const visits = experiment.visitAll([first], 'in flight', { path: waitPath });
    await experiment.waitCarriedOut(waitPath, backend);
    await experiment.reload();
    await visits;
    await visitEach(experiment, all, 'after');
    await experiment.proveReload(all);
  },
};

export const proxyRestarted: FailureRow = {
  title: 'The proxy ends in order and starts again with the same configuration.',
  phases: { restarted: 'proxy restarted' },
  async run(experiment) {
    const all = await bindAll(experiment);
    await experiment.restartProxy();
    await visitEach(experiment, all, 'restarted');
  },
};

export const twoProxies: FailureRow = {
  title: 'Two proxies have one configuration. Users of the first come through the second.',
  phases: { second: 'two proxies: through the other', first: 'two proxies: and back' },
  needs: { proxies: 2 },
  async run(experiment) {
    const all = await bindAll(experiment);
    await visitEach(experiment, all, 'second', 1);
    await visitEach(experiment, all, 'first');
  },
};
