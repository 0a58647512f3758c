import { Unestablished } from '../cell.js';
import type { RawUser } from '../exchange.js';
import type { Experiment } from '../experiment.js';
import type { FailureRow } from '../table.js';

/* The rows that break a backend, then the rows that change the pool or the proxies. */

/** Users of the backend that breaks, and one more who finds out when the proxy has noticed. */
const usersOfVictim = 2;
const hungAnswerMs = 5_000;

export const killed: FailureRow = {
  title: 'A backend has carried out a request and is killed before it answers.',
  phases: { 'in flight': 'killed while it answers' },
  async run(experiment) {
    const { backend, users } = await experiment.bindUsers(1);
    const path = `/hold?on=${backend}`;
    await experiment.waitChecked(backend);
    const visits = experiment.visitAll(users, 'in flight', { path });
    await experiment.waitCarriedOut(path, backend);
    await experiment.kill(backend);
    await visits;
  },
};

export const refused: FailureRow = {
  title: `A backend is dead, and its port refuses connections. ${usersOfVictim} of its users visit.`,
  phases: { 'at once': 'refused: at once', noticed: 'refused: when noticed', returned: 'refused: it is back' },
  async run(experiment) {
    const { backend, users, watcher } = await bind(experiment);
    await experiment.waitChecked(backend);
    await experiment.kill(backend);
    for (const user of users) await experiment.visit(user, 'at once');
    await visitWhenNoticed(experiment, users, watcher);
    await experiment.start(backend);
    await experiment.waitUsed(backend);
    await visitTwice(experiment, users, 'returned');
  },
};

export const hung: FailureRow = {
  title: `A backend hangs: it accepts connections and answers nothing. ${usersOfVictim} of its users visit.`,
  phases: { 'at once': 'hung: at once', noticed: 'hung: when noticed', resumed: 'hung: it goes on' },
  async run(experiment) {
    const { backend, users, watcher } = await bind(experiment);
    await experiment.waitChecked(backend);
    await experiment.hang(backend);
    await experiment.visitAll(users, 'at once', { withinMs: hungAnswerMs });
    try {
      await visitWhenNoticed(experiment, users, watcher);
    } finally {
      await experiment.resume(backend);
    }
    await experiment.waitUsed(backend);
    await visitTwice(experiment, users, 'resumed');
  },
};

async function bind(experiment: Experiment) {
  const { backend, users } = await experiment.bindUsers(usersOfVictim + 1);
  const [watcher, ...others] = users;
  if (watcher === undefined) throw new Unestablished('no user was bound');
  return { backend, users: others, watcher };
}

/** Visits after the proxy has noticed the failure. If it never notices, the visits show its errors. */
async function visitWhenNoticed(experiment: Experiment, users: readonly RawUser[], watcher: RawUser): Promise<void> {
  await experiment.waitNoticed(watcher);
  await visitTwice(experiment, users, 'noticed');
}

async function visitTwice(experiment: Experiment, users: readonly RawUser[], phase: string): Promise<void> {
  for (const user of users) {
    await experiment.visit(user, phase);
    await experiment.visit(user, phase);
  }
}

function defineCut(title: string, word: string, query: string): FailureRow {
  return {
    title,
    phases: { cut: word },
    async run(experiment) {
      const { users } = await experiment.bindUsers(1);
      for (const user of users) await experiment.visit(user, 'cut', { path: `/cut?${query}` });
    },
  };
}

export const reset = defineCut(
  'A backend resets its connection in the middle of an answer with a length.',
  'reset mid-answer',
  'framing=length&end=rst',
);

export const resetChunked = defineCut(
  'A backend resets its connection in the middle of a chunked answer.',
  'reset mid-answer, chunked',
  'framing=chunked&end=rst',
);

export const cutLength = defineCut(
  'A backend closes its connection in the middle of an answer with a length.',
  'cut answer',
  'framing=length&end=fin',
);

export const cutChunked = defineCut(
  'A backend closes its connection in the middle of a chunked answer.',
  'cut answer, chunked',
  'framing=chunked&end=fin',
);

async function restart(experiment: Experiment): Promise<void> {
  const { backend, users } = await experiment.bindUsers(usersOfVictim);
  await experiment.waitChecked(backend);
  await experiment.kill(backend);
  await experiment.start(backend);
  await visitTwice(experiment, users, 'restarted');
}

export const restarted: FailureRow = {
  title: 'A backend is killed and at once started again on its port, with an empty memory.',
  phases: { restarted: 'restarted, memory empty' },
  run: restart,
};

export const restartedNamed: FailureRow = {
  title: 'The same; each answer of the app says which process it is (holdfast-incarnation).',
  phases: { restarted: 'restarted, the app names its boot' },
  needs: { named: true },
  run: restart,
};

const usersByDefault = 6;
/** A hash policy moves a third of these users on average. By chance, it moves none of them once in 10,000 runs. */
const usersBesideNew = 24;
const newUsers = 6;
const waitPath = '/wait?ms=1000';

async function bindAll(experiment: Experiment, count = usersByDefault): Promise<readonly RawUser[]> {
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
