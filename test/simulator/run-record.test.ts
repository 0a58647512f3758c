import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { ModeName } from '#src/modes.js';
import { type HistoryLine, parseHistoryLine } from '#src/simulator/history/lines.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing, program } from './processes.js';

interface Wanted {
  readonly system: string;
  readonly faults: string;
  /** A second fault, which begins after the first has healed. */
  readonly next?: string;
}

function scenarioText(mode: ModeName, { system, faults, next }: Wanted): string {
  return `
name: recorded
why: Small enough for a test.
modes: [${mode}]
system:
  ${system}
users:
  arrivals: { rate: 20/s, for: 500ms }
  think: { median: 120ms, p95: 300ms }
  timeout: 1s
phases: { warmup: 300ms, baseline: 300ms, faults: ${next === undefined ? '700ms' : '1200ms'}, recovery: 500ms, quiesce: 100ms }
faults:
  - { id: first, at: 50ms, ${faults} }
${next === undefined ? '' : `  - { id: next, at: 650ms, ${next} }`}
expect:
  any: [users.identitySwapped == 0]
`;
}

async function record(mode: ModeName, wanted: Wanted): Promise<ListedRun> {
  const scenario = parseScenario(scenarioText(mode, wanted), 'recorded.yaml');
  const options = { onProgress: () => undefined, signal: new AbortController().signal, nonce: 'k2f9' };
  return leavingNothing(() => simulate(scenario, mode, makePlan(scenario, 7), options));
}

/** Returns the line as it is read from a file again. */
function reread<Line extends HistoryLine>(line: Line): HistoryLine {
  return parseHistoryLine(JSON.stringify(line));
}

const quick = 'proxy: { health: { every: 150ms, timeout: 200ms, fall: 2, rise: 2 } }';

describe('the history of a run', function () {
  this.timeout(30_000);

  it('holds what a verdict needs: effect, healing, system, items with the nonce, keys of tokens', async () => {
    const system = `backends: { count: 2, spare: 1 }\n  ${quick}`;
    const { header, operations, faults, lab } = await record('jwt', {
      system,
      faults: 'do: kill, target: backend-2, for: 300ms',
    });

    expect(header.nonce).to.equal('k2f9');
    expect(header.system).to.deep.equal({
      members: [
        { name: 'redis', role: 'store' },
        { name: 'backend-1', role: 'backend' },
        { name: 'backend-2', role: 'backend' },
        { name: 'backend-3', role: 'backend' },
        { name: 'proxy', role: 'proxy' },
      ],
      keeps: 'browser',
      stores: ['redis'],
      affinity: false,
    });

    const [fault] = faults;
    expect(fault?.expects).to.deep.equal({ kind: 'silent', member: 'backend-2' });
    expect(fault?.evidence).to.match(/^ended by SIGKILL; port \d+ refuses connections$/);
    expect(fault?.healRequestedMs).to.be.within(Number(fault?.confirmedMs) + 299, Number(fault?.healedMs));
    expect(fault).to.not.have.any.keys('notBack', 'problem', 'measured');

    const added = operations.filter(({ kind }) => kind === 'add');
    expect(added.length).to.be.greaterThan(20);
    for (const { token = '' } of added) expect(token).to.match(/^user-\d+\.\d+\.k2f9[0-9a-z]{8}$/);
    const items = operations.flatMap(one => one.items ?? []);
    expect(items.length).to.be.greaterThan(20);
    expect(items.filter(item => !added.some(({ token }) => token === item))).to.deep.equal([]);

    const logins = operations.filter(({ kind, outcome }) => kind === 'login' && outcome === 'ok');
    expect(new Set(logins.map(({ key }) => key))).to.have.lengthOf(1);
    expect(logins[0]?.key).to.match(/^[\w-]{1,32}$/);
    expect(operations.filter(({ kind, key }) => kind !== 'login' && key !== undefined)).to.deep.equal([]);
    expect(
      operations.filter(({ proxy }) => proxy !== undefined),
      'one proxy needs no name',
    ).to.deep.equal([]);
    expect(lab.droppedWaitMs).to.have.length(lab.dropped);
    for (const line of [header, ...faults, lab, ...operations]) expect(reread(line)).to.deep.equal(line);
  });

  it('names the proxy of each operation, and shows that users return to a backend that hung with affinity temporary', async () => {
    const system = `backends: { count: 2 }\n  ${quick.replace('{ health', '{ count: 2, affinity: temporary, health')}`;
    const { header, operations, faults } = await record('sealed', {
      system,
      faults: 'do: kill, target: proxy-1, for: 300ms',
      next: 'do: hang, target: backend-2, for: 500ms',
    });
    expect(header.system).to.include({ affinity: true, keeps: 'browser' });
    const answered = operations.filter(({ status }) => status !== undefined);
    expect(new Set(answered.map(({ proxy }) => proxy))).to.have.all.keys('proxy-1', 'proxy-2');
    const [{ confirmedMs = null, healRequestedMs = null } = {}] = faults;
    const between = answered.filter(
      ({ sentMs, doneMs }) => sentMs > Number(confirmedMs) && doneMs < Number(healRequestedMs),
    );
    expect(between.length).to.be.greaterThan(0);
    expect(new Set(between.map(({ proxy }) => proxy))).to.have.all.keys('proxy-2');
    expect(operations.find(({ kind, key }) => kind === 'login' && key !== undefined)?.key).to.be.a('string');
    expect(returnedIn(operations)).to.not.deep.equal([]);
  });

  it('names an app that did not come back after a kill, with its last lines, and continues to the end', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-boots-once-'));
    try {
      const command = `command: 'BACKEND_ID={name} exec ${process.execPath} ${program('boots-once-backend')}'`;
      const ready = 'ready: { http: /health }';
      const system = `backends: { count: 2, ${command}, ${ready}, env: { MARK: ${path.join(folder, 'mark')} } }\n  ${quick}`;
      const { faults, phases, operations } = await record('sticky', {
        system,
        faults: 'do: kill, target: backend-2, for: 300ms',
      });
      expect(faults[0]).to.include({ healedMs: null }).and.not.have.property('problem');
      expect(faults[0]?.healRequestedMs).to.be.a('number');
      expect(faults[0]?.notBack).to.have.length(1);
      expect(faults[0]?.notBack?.[0]).to.include({ member: 'backend-2' });
      expect(faults[0]?.notBack?.[0]?.why).to.match(
        /^ended with code 7 before it answered on port \d+\n\| the lock of an earlier start is still there$/,
      );
      expect(phases.at(-1)?.phase).to.equal('readback');
      expect(operations.some(({ final, outcome }) => final && outcome === 'ok')).to.equal(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('shows that they do not return with affinity on, and counts the calls of a promoted server', async () => {
    const system = `backends: { count: 2 }\n  redis: { replicas: 1 }\n  ${quick.replace('{ health', '{ affinity: on, health')}`;
    const { header, faults, operations } = await record('redis', {
      system,
      faults: 'do: hang, target: backend-2, for: 500ms',
      next: 'do: promote, target: redis.replica-1, for: 300ms',
    });
    expect(returnedIn(operations)).to.deep.equal([]);
    expect(header.system).to.deep.include({ keeps: 'store', stores: ['redis'] });
    expect(header.system?.members.filter(({ role }) => role === 'store').map(({ name }) => name)).to.deep.equal([
      'redis.primary',
      'redis.replica-1',
    ]);
    const promoted = faults.find(({ id }) => id === 'next');
    expect(promoted?.expects).to.deep.equal({ kind: 'asked', store: 'redis' });
    expect(promoted?.measured).to.be.greaterThan(20);
  });
});

/** Returns the users that backend-2 served, then backend-1, then backend-2 again. */
function returnedIn(operations: ListedRun['operations']): string[] {
  const backendsOf = (name: string) =>
    operations.flatMap(({ user, kind, backend }) => (user === name && kind !== 'replay' && backend ? [backend] : []));
  return [...new Set(operations.map(({ user }) => user))].filter(
    user =>
      backendsOf(user)
        .filter((name, index, all) => name !== all[index - 1])
        .join() === 'backend-2,backend-1,backend-2',
  );
}
