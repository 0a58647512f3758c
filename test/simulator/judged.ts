import type { Findings } from '#src/simulator/checker/findings.js';
import type { FaultRecord, ListedRun, Operation } from '#src/simulator/history/records.js';

/** A run in which all went well, with numbers that differ from each other; tests change what they are about. */
export const findings: Findings = {
  users: {
    total: 60,
    exposed: 30,
    unverified: 0,
    loggedOutUnexposed: 0,
    loggedOut: 21,
    identitySwapped: 0,
    loggedOutHard: 15,
    silentlyReset: 4,
    flickered: 2,
    logoutNotHonoured: 0,
    sessionKept: 0,
  },
  writes: {
    acknowledged: 1200,
    lost: 300,
    missing: 304,
    unexplained: 0,
    unknown: 3,
    unverified: 0,
    duplicated: 0,
    phantom: 0,
    resurrected: 0,
    stale: 5,
    recovered: 1,
    failedVisible: 0,
  },
  guarantees: { readYourWrites: 6, monotonicReads: 7, monotonicWrites: 8, writesFollowReads: 9 },
  requests: { planned: 4000, ok: 3990, failed: 7, unknown: 3, dropped: 0, bad: 9 },
  latencyMs: { p50: 3.1, p90: 6, p99: 14.2, max: 80.5 },
  serviceMs: { p50: 3, p90: 5.9, p99: 14, max: 80 },
  revocationLagMs: { p50: 0, p90: 12, p99: 30, max: 45 },
  noSession: { absent: 70, malformed: 0, unknown: 40, expired: 0, forged: 2, revoked: 0 },
  backends: { atOnceMax: 9 },
  stores: { evictions: 12 },
  recoveryMs: 312,
  recovery: 'recovered',
  faults: [
    {
      id: 'kill',
      effect: { seen: 30, of: 60, text: 'backend-2 had answered 30 of 60 users, and answered none' },
      exposed: 30,
      recoveryMs: 312,
      recovery: 'recovered',
    },
  ],
  members: { answered: { 'backend-2': 1300 }, ejectedAtEnd: [], idleAfterHealing: [], notBack: [] },
  sentOfPlan: 1,
  evidence: { loggedIn: 60, adds: 1203, atRisk: 800, atRiskVerified: 790 },
  pauses: { longestSurvivedMs: 900 },
  incidents: [],
};

export const fault: FaultRecord = {
  type: 'fault',
  id: 'kill',
  fault: 'kill',
  target: 'backend-2',
  requestedMs: 2000,
  confirmedMs: 2004,
  healRequestedMs: 4004,
  healedMs: 4100,
  expects: { kind: 'silent', member: 'backend-2' },
};

export const login: Operation = {
  type: 'operation',
  id: 1,
  user: 'user-1',
  kind: 'login',
  session: 1,
  plannedMs: 0,
  sentMs: 0,
  doneMs: 5,
  outcome: 'ok',
  status: 200,
  identity: 'user-1',
};

export const run: ListedRun = {
  header: {
    type: 'run',
    schema: 1,
    scenario: 'kill-one',
    why: 'For tests.',
    mode: 'sticky',
    seed: 42,
    planned: 1,
    faults: [fault.id],
    expectations: ['users.loggedOut > 0', 'writes.lost > 0'],
    versions: {},
    startedAt: '2025-01-01T00:00:00.000Z',
  },
  operations: [login],
  phases: [
    { type: 'phase', phase: 'warmup', startMs: 0, endMs: 1000 },
    { type: 'phase', phase: 'recovery', startMs: 5000, endMs: 6000 },
  ],
  faults: [fault],
  members: [],
  lab: { type: 'lab', lagMs: { p50: 0.2, p99: 1.5, max: 4 }, dropped: 0 },
};
