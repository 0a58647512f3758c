import type { IncidentKind } from '../simulator/checker/findings.js';
import type { JudgedRun } from '../simulator/checker/verdict/verdict.js';
import type { FailureTrace, OkEvent, TriedPlan } from './hunted-plan.js';

/** The incidents of which a metric counts one kind. */
const kindsOf: readonly (readonly [metrics: RegExp, kind: IncidentKind])[] = [
  [/^users\.(?:loggedOut|silentlyReset|flickered)/, 'logged-out'],
  [/^writes\.(?:lost|missing|unexplained)/, 'lost'],
  [/^writes\.stale/, 'stale'],
  [/^writes\.phantom/, 'phantom'],
  [/^writes\.duplicated/, 'duplicated'],
  [/^writes\.resurrected/, 'resurrected'],
  [/^writes\.failedVisible/, 'failed-visible'],
  [/^users\.identitySwapped/, 'identity-swapped'],
  [/^users\.logoutNotHonoured/, 'logout-not-honoured'],
  [/^users\.sessionKept/, 'session-kept'],
];

/** Returns what a hunt needs to know of a run. Pure. */
export function readRun(judged: JudgedRun): TriedPlan {
  const { run, verdict } = judged;
  const failed = verdict.word === 'fail';
  const unmet = verdict.expectations.filter(({ met, notJudged, level }) => !met && notJudged === undefined && !level);
  const texts = failed ? unmet.map(({ text }) => text) : [];
  return {
    word: verdict.word,
    unmet: texts,
    reasons: verdict.reasons,
    events: eventsIn(judged),
    strikesMs: new Map(run.faults.map(({ id, requestedMs }) => [id, requestedMs])),
    trace: traceFailure(judged, texts[0]),
  };
}

function eventsIn({ run }: JudgedRun): OkEvent[] {
  const events: OkEvent[] = [];
  for (const { user, kind, plannedMs, doneMs: atMs, backend, renewed, outcome } of run.operations)
    if (outcome === 'ok') events.push({ atMs, user, kind, plannedMs, backend, isRenewal: renewed === true });
  return events;
}

function traceFailure({ findings }: JudgedRun, expectation: string | undefined): FailureTrace {
  if (expectation === undefined) return { users: [], faults: [] };
  const kind = kindsOf.find(([metrics]) => metrics.test(expectation))?.[1];
  const incidents = findings.incidents.filter(incident => incident.kind === kind);
  return {
    users: [...new Set(incidents.map(({ user }) => user))],
    faults: [...new Set(incidents.flatMap(({ candidates = [] }) => candidates))],
  };
}
