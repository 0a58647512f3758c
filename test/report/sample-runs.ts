import { countsOf } from '#src/simulator/checker/check.js';
import type { FaultFinding, Findings, Incident, MemberFindings, Percentiles } from '#src/simulator/checker/findings.js';
import type { JudgedRun, Verdict } from '#src/simulator/checker/verdict/verdict.js';
import type {
  FaultRecord,
  LabRecord,
  ListedRun,
  MemberRecord,
  Operation,
  PhaseRecord,
  RunHeader,
} from '#src/simulator/history/records.js';

/** Options of a made-up run. Its findings are computed from its operations, so tests can check reports against both. */
export interface Sample {
  readonly mode: 'sticky' | 'redis';
  readonly users?: number;
  /** Median pause between two operations of one user. */
  readonly thinkMs?: number;
  readonly seed?: number;
  readonly rename?: (user: string) => string;
}

const killMs = 2500;
const healMs = 4500;
const endMs = 7500;
const backends = ['backend-1', 'backend-2', 'backend-3'];

/** Makes a run of sixty users in which backend-2 is dead from 2.5 s to 4.5 s. `sticky` loses sessions, `redis` nothing. */
export function sampleRun(sample: Sample): JudgedRun {
  const random = seeded(sample.seed ?? 42);
  const users = Array.from({ length: sample.users ?? 60 }, (_, index) => `user-${index + 1}`);
  const name = sample.rename ?? (user => user);
  let id = 0;
  const perUser = users.map((user, index) => userStory(sample, name(user), index, random, () => ++id));
  const operations = perUser.flatMap(story => story.operations).sort((a, b) => a.doneMs - b.doneMs);
  const incidents = perUser.flatMap(story => story.incidents);
  const findings = findingsOf(operations, incidents, users.length);
  return {
    run: {
      header: { ...headerOf(sample, operations.length), expectations: expectationsOf(sample.mode) },
      operations,
      phases,
      faults: [fault],
      members: membersOf(sample.mode),
      lab: { type: 'lab', lagMs: { p50: 0.3, p99: 2.1, max: 6.4 }, dropped: 0 },
    },
    findings,
    verdict: verdictOf(sample.mode, findings),
  };
}

export function sampleRuns(): readonly JudgedRun[] {
  return [sampleRun({ mode: 'sticky' }), sampleRun({ mode: 'redis' })];
}

/** Returns the same run with some parts replaced. */
export function changed(
  judged: JudgedRun,
  parts: {
    readonly run?: Partial<ListedRun>;
    readonly findings?: Partial<Findings>;
    readonly verdict?: Partial<Verdict>;
  },
): JudgedRun {
  return {
    run: { ...judged.run, ...parts.run },
    findings: { ...judged.findings, ...parts.findings },
    verdict: { ...judged.verdict, ...parts.verdict },
  };
}

interface Story {
  readonly operations: Operation[];
  readonly incidents: Incident[];
}

function userStory(sample: Sample, user: string, index: number, random: () => number, nextId: () => number): Story {
  const operations: Operation[] = [];
  const incidents: Incident[] = [];
  const home = backends[index % backends.length] ?? 'backend-1';
  const cart: { token: string; ackMs: number; id: number }[] = [];
  const think = sample.thinkMs ?? 62;
  let loggedOut = false;
  let at = 100 + random() * 400;
  const login = operation(user, 'login', at, sample.mode === 'sticky' ? home : pick(random));
  operations.push(login);
  while (at < endMs - 600) {
    at += think * (0.4 + random() * 1.2);
    const serving = at >= killMs && at < healMs ? backends.filter(one => one !== 'backend-2') : backends;
    const bound = sample.mode === 'sticky' && serving.includes(home) && !loggedOut;
    const backend = bound ? home : (serving[Math.floor(random() * serving.length)] ?? 'backend-1');
    const kind = loggedOut ? 'read' : random() < 0.56 ? 'add' : random() < 0.8 ? 'read' : 'whoami';
    const hit = at >= killMs - 4 && at < killMs + 12 && random() < (sample.mode === 'sticky' ? 0.1 : 0.06);
    const made = operation(user, kind, at, backend, hit);
    operations.push(made);
    const lostNow = sample.mode === 'sticky' && home === 'backend-2' && at >= killMs && !loggedOut;
    if (lostNow) {
      loggedOut = true;
      incidents.push(...lossesOf(user, login, made, cart));
    } else if (made.outcome === 'ok' && made.token !== undefined) {
      cart.push({ token: made.token, ackMs: made.doneMs, id: made.id });
    }
  }
  return { operations, incidents };

  function operation(who: string, kind: Operation['kind'], plannedMs: number, backend: string, hit = false): Operation {
    const id = nextId();
    const slow = plannedMs >= killMs && plannedMs < killMs + 600 ? 6 + random() * 60 : 0;
    const failed = loggedOut || hit;
    const timedOut = hit && random() < 0.3;
    return {
      type: 'operation',
      id,
      user: who,
      kind,
      session: 1,
      ...(kind === 'add' ? { token: `t-${id}` } : {}),
      plannedMs,
      sentMs: plannedMs + random() * 0.6,
      doneMs: plannedMs + (timedOut ? 2000 : 1.2 + random() ** 3 * 9 + slow),
      outcome: timedOut && kind === 'add' ? 'unknown' : failed ? 'fail' : 'ok',
      ...(timedOut ? { error: 'timeout' } : loggedOut ? { status: 401 } : hit ? { status: 502 } : { status: 200 }),
      identity: loggedOut ? null : who,
      backend,
      incarnation: `${backend}-a`,
    };
  }
}

function lossesOf(
  user: string,
  login: Operation,
  seen: Operation,
  cart: readonly { token: string; ackMs: number; id: number }[],
): Incident[] {
  const blamed = { candidates: ['kill'], fault: 'kill' };
  const common = { user, session: 1, seenMs: seen.doneMs, ackBackend: 'backend-2', ...blamed };
  const where = seen.backend === undefined ? {} : { seenBackend: seen.backend };
  return [
    {
      ...common,
      ...where,
      kind: 'logged-out',
      sinceMs: login.doneMs,
      operations: [login.id, seen.id],
      loggedOut: 'hard',
    },
    ...cart.map(
      ({ token, ackMs, id }): Incident => ({
        ...common,
        ...where,
        kind: 'lost',
        token,
        sinceMs: ackMs,
        operations: [id, seen.id],
        shape: 'reset',
      }),
    ),
  ];
}

function findingsOf(operations: readonly Operation[], incidents: readonly Incident[], users: number): Findings {
  const outcomes = (outcome: Operation['outcome']) => operations.filter(one => one.outcome === outcome).length;
  const adds = operations.filter(one => one.kind === 'add');
  const loggedOut = incidents.filter(one => one.kind === 'logged-out').length;
  const exposed = exposedUsers(operations);
  const nothing = {
    unverified: 0,
    duplicated: 0,
    phantom: 0,
    resurrected: 0,
    stale: 0,
    recovered: 0,
    failedVisible: 0,
  };
  return {
    users: {
      total: users,
      exposed,
      unverified: 0,
      loggedOutUnexposed: 0,
      loggedOut,
      sawBothVersions: 0,
      wentBack: 0,
      present: users,
      moved: 0,
      identitySwapped: 0,
      loggedOutHard: loggedOut,
      silentlyReset: 0,
      flickered: 0,
      logoutNotHonoured: 0,
      sessionKept: 0,
    },
    writes: {
      acknowledged: adds.filter(one => one.outcome === 'ok').length,
      lost: incidents.filter(one => one.kind === 'lost').length,
      missing: incidents.filter(one => one.kind === 'lost').length,
      unexplained: 0,
      unknown: adds.filter(one => one.outcome === 'unknown').length,
      ...nothing,
    },
    guarantees: { readYourWrites: 0, monotonicReads: 0, monotonicWrites: 0, writesFollowReads: 0 },
    requests: {
      planned: operations.length,
      ok: outcomes('ok'),
      failed: outcomes('fail'),
      unknown: outcomes('unknown'),
      dropped: 0,
      bad: operations.filter(({ outcome }) => outcome !== 'ok').length,
    },
    latencyMs: percentiles(operations.map(one => one.doneMs - one.plannedMs)),
    serviceMs: percentiles(operations.map(one => one.doneMs - one.sentMs)),
    revocationLagMs: { p50: null, p90: null, p99: null, max: null },
    ...countsOf({ lab: { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 } }),
    recoveryMs: 312,
    recovery: 'recovered',
    sentOfPlan: operations.length,
    evidence: { loggedIn: users, adds: adds.length, atRisk: adds.length, atRiskVerified: adds.length },
    pauses: { longestSurvivedMs: 900 },
    faults: [faultFinding(exposed)],
    members: membersFindings(operations),
    versions: {},
    hashMoves: null,
    incidents,
  };
}

/** Finds the users whom backend-2 answered last before it was killed. */
function exposedUsers(operations: readonly Operation[]): number {
  const before = operations.filter(({ doneMs }) => doneMs < killMs);
  const last = new Map(before.map(({ user, backend }) => [user, backend]));
  return [...last.values()].filter(backend => backend === 'backend-2').length;
}

function faultFinding(exposed: number): FaultFinding {
  const text = `backend-2 had answered ${exposed} users before, and answered none while the fault lasted`;
  return { id: 'kill', effect: { seen: exposed, of: exposed, text }, exposed, recoveryMs: 312, recovery: 'recovered' };
}

function membersFindings(operations: readonly Operation[]): MemberFindings {
  const answered = backends.map(name => [
    name,
    operations.filter(({ backend, outcome }) => backend === name && outcome === 'ok').length,
  ]);
  return { answered: Object.fromEntries(answered), ejectedAtEnd: [], idleAfterHealing: [], notBack: [] };
}

/** Returns the same run with these counters of its members. */
export function counting(judged: JudgedRun, counts: NonNullable<LabRecord['counts']>): JudgedRun {
  const lab = { ...judged.run.lab, counts };
  return changed(judged, { run: { lab }, findings: countsOf({ lab }) });
}

function verdictOf(mode: Sample['mode'], findings: Findings): Verdict {
  const lost = `${findings.writes.lost}`;
  const loggedOut = `${findings.users.loggedOut}`;
  return {
    word: 'pass',
    reasons: [],
    expectations: [
      { text: 'users.identitySwapped == 0', met: true, actual: '0' },
      { text: mode === 'sticky' ? 'users.loggedOut > 0' : 'users.loggedOut == 0', met: true, actual: loggedOut },
      { text: mode === 'sticky' ? 'writes.lost > 0' : 'writes.lost == 0', met: true, actual: lost },
    ],
  };
}

function expectationsOf(mode: Sample['mode']): string[] {
  const operator = mode === 'sticky' ? '> 0' : '== 0';
  return ['users.identitySwapped == 0', `users.loggedOut ${operator}`, `writes.lost ${operator}`];
}

const fault: FaultRecord = {
  type: 'fault',
  id: 'kill',
  fault: 'kill',
  target: 'backend-2',
  requestedMs: killMs,
  confirmedMs: killMs + 4,
  healedMs: healMs,
};

const phases: readonly PhaseRecord[] = [
  { type: 'phase', phase: 'warmup', startMs: 0, endMs: 500 },
  { type: 'phase', phase: 'baseline', startMs: 500, endMs: 2000 },
  { type: 'phase', phase: 'faults', startMs: 2000, endMs: 5000 },
  { type: 'phase', phase: 'recovery', startMs: 5000, endMs: 7000 },
  { type: 'phase', phase: 'quiesce', startMs: 7000, endMs: 7200 },
  { type: 'phase', phase: 'readback', startMs: 7200, endMs },
];

function membersOf(mode: Sample['mode']): MemberRecord[] {
  const names = ['proxy', ...backends, ...(mode === 'redis' ? ['redis'] : [])];
  return [
    ...names.map((member): MemberRecord => ({ type: 'member', member, atMs: 0, state: 'up' })),
    { type: 'member', member: 'backend-2', atMs: killMs + 2, state: 'dead' },
    { type: 'member', member: 'backend-2', atMs: healMs - 10, state: 'up' },
  ];
}

function headerOf(sample: Sample, planned: number): RunHeader {
  return {
    type: 'run',
    schema: 1,
    scenario: 'kill-one',
    why: 'One backend of three dies under load and comes back; whose session went with it is counted.',
    mode: sample.mode,
    seed: sample.seed ?? 42,
    planned,
    faults: [],
    expectations: [],
    versions: { holdfast: '0.1.0', node: '20.19.4', ...(sample.mode === 'redis' ? { redis: '7.4.1' } : {}) },
    startedAt: '2025-03-01T12:00:00.000Z',
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function pick(random: () => number): string {
  return backends[Math.floor(random() * backends.length)] ?? 'backend-1';
}

/** Mulberry32: small, seeded, good enough to look like traffic. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
