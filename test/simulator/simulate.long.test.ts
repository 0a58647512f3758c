import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { type ListedRun, phaseNames } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import type { Progress } from '#src/simulator/run/journal.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing, program } from './processes.js';

const short = `
name: short
why: Small enough for a test.
modes: [sticky, redis]
system:
  backends: { count: 2 }
  proxy: { health: { every: 150ms, timeout: 200ms, fall: 2, rise: 2 } }
users:
  arrivals: { rate: 20/s, for: 500ms }
  think: { median: 100ms, p95: 300ms }
  timeout: 1s
phases: { warmup: 300ms, baseline: 300ms, faults: 600ms, recovery: 400ms, quiesce: 100ms }
faults:
  - { id: first, at: 50ms, do: kill, target: backend-2, for: 300ms }
expect:
  any: [users.identitySwapped == 0]
  sticky: [writes.lost > 0]
`;

interface Ran {
  readonly run: ListedRun;
  readonly progress: readonly Progress[];
}

async function runShort(mode: 'sticky' | 'redis' | 'jwt', text = short): Promise<Ran> {
  const scenario = parseScenario(text, 'short.yaml');
  const progress: Progress[] = [];
  const options = {
    onProgress: (step: Progress) => progress.push(step),
    signal: new AbortController().signal,
    versions: { holdfast: '9' },
  };
  const run = await leavingNothing(() => simulate(scenario, mode, makePlan(scenario, 7), options));
  return { run, progress };
}

describe('simulate', () => {
  it('records a whole run: phases, users, the fault, the members, the lab', async () => {
    const { run, progress } = await runShort('sticky');
    const { header, operations, phases, faults, members, lab } = run;

    expect(header).to.include({ scenario: 'short', mode: 'sticky', seed: 7, schema: 1 });
    expect(header.expectations).to.deep.equal(['users.identitySwapped == 0', 'writes.lost > 0']);
    expect(header.versions).to.include({ holdfast: '9', node: process.versions.node });

    expect(phases.map(({ phase }) => phase)).to.deep.equal([...phaseNames]);
    for (const [index, { startMs, endMs }] of phases.entries()) {
      expect(endMs).to.be.at.least(startMs);
      expect(startMs).to.be.closeTo(phases[index - 1]?.endMs ?? 0, 50);
    }

    const extra = operations.filter(({ kind, final }) => final || kind === 'replay' || kind === 'login').length;
    const plannedLogins = makePlan(parseScenario(short, 'short.yaml'), 7)
      .users.flatMap(({ steps }) => steps)
      .filter(({ kind }) => kind === 'login');
    expect(operations.length - extra + plannedLogins.length + lab.dropped).to.equal(header.planned);
    expect(new Set(operations.map(({ id }) => id)).size).to.equal(operations.length);
    for (const { plannedMs, sentMs, doneMs } of operations) {
      expect(sentMs).to.be.at.least(plannedMs);
      expect(doneMs).to.be.at.least(sentMs);
    }
    expect(operations.some(({ final }) => final)).to.equal(true);
    expect(operations.filter(({ final, backend }) => final && backend !== undefined).length).to.be.greaterThan(0);

    const [fault] = faults;
    expect(fault).to.include({ id: 'first', fault: 'kill', target: 'backend-2' });
    expect(fault?.requestedMs).to.be.at.least(650);
    expect(fault?.confirmedMs).to.be.at.least(Number(fault?.requestedMs));
    expect(fault?.healedMs).to.be.at.least(Number(fault?.confirmedMs) + 300);
    const faultsPhase = phases.find(({ phase }) => phase === 'faults');
    expect(faultsPhase?.endMs, 'the phase lasts until all is healed').to.be.at.least(Number(fault?.healedMs));

    const transitions = members.map(({ member, state }) => `${member} ${state}`);
    expect(transitions.slice(0, 3)).to.have.members(['backend-1 up', 'backend-2 up', 'proxy up']);
    // After a restart, the proxy may still send it no requests for a moment.
    const lives = transitions
      .slice(3)
      .join(', ')
      .replace(/, backend-2 ejected, backend-2 up$/, '');
    expect(lives).to.equal('backend-2 dead, backend-2 up');

    expect(lab.counts?.['backend-1']).to.include.keys('begun', 'opened', 'absent', 'unknown');
    expect(lab.counts, 'a process that restarts begins to count again')
      .to.include.keys('backend-2')
      .and.not.include.keys('proxy');

    const told = progress.flatMap(step => (step.kind === 'fault' ? [step.what] : []));
    expect(told).to.deep.equal(['injected', 'confirmed', 'healed']);
    expect(progress.flatMap(step => (step.kind === 'phase' ? [step.phase] : []))).to.deep.equal([...phaseNames]);
    expect(progress.some(({ kind }) => kind === 'tick')).to.equal(true);
  });

  for (const [mode, target, why] of [
    ['sticky', 'redis', 'mode sticky uses no redis'],
    ['redis', 'backend-1->memcached', 'mode redis uses no memcached'],
  ] as const)
    it(`starts no process in mode ${mode} for a fault of ${target}`, async () => {
      const members: string[] = [];
      const action = target.includes('->') ? 'cut-link' : 'kill';
      const text = short.replace('do: kill, target: backend-2', `do: ${action}, target: ${target}`);
      const scenario = parseScenario(text, 'short.yaml');
      const onProgress = (step: Progress) => step.kind === 'starting' && members.push(...step.members);
      const options = { onProgress, signal: new AbortController().signal };
      const error = await simulate(scenario, mode, makePlan(scenario, 7), options).catch((reason: Error) => reason);
      expect(error).to.be.instanceOf(LabError);
      expect(String(error)).to.include(`${why} (fault first strikes ${target}): choose another mode`);
      expect(members).to.deep.equal([]);
    });

  it('strikes as soon as enough writes are acknowledged, and continues when a fault cannot be confirmed', async () => {
    const second = '  - { id: second, at: 200ms, do: kill, target: backend-2, for: 100ms }\n';
    const third = '  - { id: third, when: requests.ok >= 99999, do: kill, target: redis, for: 100ms }\n';
    const soon = '  - { id: soon, when: writes.acknowledged >= 2, do: hang, target: backend-1, for: 50ms }\n';
    // The first fault lasts so long that the second strikes while it does, also on a busy machine.
    const longer = short.replace('for: 300ms', 'for: 1900ms').replace('faults: 600ms', 'faults: 2s');
    const { run } = await runShort('redis', longer.replace('expect:', `${second}${third}${soon}expect:`));
    expect(run.header.faults).to.deep.equal(['first', 'second', 'third', 'soon']);
    expect(run.lab.neverStruck?.third).to.match(
      /^it waited for requests.ok >= 99999, and \d+ were reached when .* 2000 ms$/,
    );
    const named = new Map(run.faults.map(fault => [fault.id, fault]));
    expect([...named.keys()]).to.have.members(['first', 'second', 'soon']);
    expect(run.faults).to.have.length(3);
    expect(named.get('first')?.problem).to.equal(undefined);
    expect(named.get('second')).to.include({ confirmedMs: null });
    expect(named.get('second')?.problem).to.include('kill of backend-2 was not confirmed');

    const struck = named.get('soon');
    expect(struck?.confirmedMs).to.be.a('number');
    const written = run.operations.filter(({ kind, outcome }) => kind === 'add' && outcome === 'ok');
    const before = written.filter(({ doneMs }) => doneMs <= Number(struck?.requestedMs));
    expect(before.length).to.be.at.least(2).and.below(written.length);
    expect(run.phases).to.have.length(phaseNames.length);
  });
});

describe('simulate, with several tabs', () => {
  const tabs = short.replace('  timeout: 1s', '  tabs: 4\n  timeout: 1s').replace(/^faults:\n.*$/m, 'faults: []');

  for (const mode of ['redis', 'jwt'] as const)
    it(`${mode} ${mode === 'redis' ? 'keeps the writes of all tabs' : 'keeps only the writes that were answered last'}`, async () => {
      const { run } = await runShort(
        mode,
        tabs.replace('[sticky, redis]', `[${mode}]`).replace(/^ {2}sticky:.*$/m, ''),
      );
      const { users, writes, requests } = check(run);
      expect(writes.acknowledged).to.be.greaterThan(50);
      if (mode === 'redis') expect(writes.lost).to.equal(0);
      else expect(writes.lost).to.be.greaterThan(10);
      expect([users.loggedOut, writes.phantom, requests.failed, requests.unknown]).to.deep.equal([0, 0, 0, 0]);
    });
});

/** exit.test.ts does this by Ctrl-C, at two moments. */
describe('simulate, interrupted', () => {
  const one = short.replace('count: 2', 'count: 1').replace('backend-2', 'backend-1');
  /** The same with an app that starts sooner than a shop. It refuses every login, so the read-back has no user. */
  const light = one.replace(
    'count: 1',
    `count: 1, command: "exec ${process.execPath} ${program('plain-backend')}", ready: { http: / }`,
  );
  const moments: Record<string, (step: Progress) => boolean> = {
    'while the cluster starts': ({ kind }) => kind === 'starting',
    'while a fault lasts': step => step.kind === 'fault' && step.what === 'confirmed',
    'while a fault is injected': step => step.kind === 'fault' && step.what === 'injected',
    ...Object.fromEntries(
      (['warmup', 'baseline', 'recovery', 'readback'] as const).map(name => [
        `in the phase ${name}`,
        (step: Progress) => step.kind === 'phase' && step.phase === name,
      ]),
    ),
  };

  for (const [when, isNow] of Object.entries(moments))
    it(`${when}: heals, stops and leaves nothing`, () =>
      leavingNothing(async () => {
        const scenario = parseScenario(when === 'in the phase readback' ? one : light, 'short.yaml');
        const plan = makePlan(scenario, 7);
        const longer = plan.faults.map(fault => ({ ...fault, forMs: when.includes('a fault') ? 30_000 : 100 }));
        const interruption = new AbortController();
        const healed: string[] = [];
        const onProgress = (step: Progress): void => {
          if (isNow(step)) setTimeout(() => interruption.abort(), 20);
          if (step.kind === 'fault') healed.push(step.what);
        };
        const began = performance.now();
        const outcome = await simulate(
          scenario,
          'sticky',
          { ...plan, faults: longer },
          { onProgress, signal: interruption.signal },
        ).catch((error: unknown) => error);
        // The read-back may end within the 20 ms.
        if (when !== 'in the phase readback') expect(outcome).to.be.instanceOf(Interrupted);
        if (healed.includes('injected')) expect(healed.at(-1)).to.equal('healed');
        expect(performance.now() - began).to.be.below(15_000);
      }));
});
