import { Unestablished } from '../errors.js';
import type { Experiment } from '../experiment.js';
import type { FailureRow } from '../row.js';
import type { RawUser } from '../user.js';

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

/** A proxy that never notices shows its errors here, too. */
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
