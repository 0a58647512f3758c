import type { HuntedPlan, OkEvent, TriedPlan } from '#src/hunt/hunted-plan.js';
import { faultsFromMs } from '#src/hunt/hunted-plan.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';

/** The time after a renewal in which a kill of its backend loses the session. */
export const windowMs = 50;
export const loggedOut = 'users.loggedOut == 0';
const backends = 3;
/** Every third add of a user renews its session. */
const renewalEvery = 3;

/**
 * Runs a plan in memory. Requests reach the backends in turn and are answered after `answerMs`. A user loses its session
 * when a fault hits the backend of a renewal from the request on, until 50 ms after the answer.
 */
export function runMadeUp(plan: HuntedPlan, answerMs = 1): TriedPlan {
  const events = eventsOf(plan, answerMs);
  const strikesMs = strikesOf(plan, events);
  const lost = plan.faults.flatMap(({ id, target }) => {
    const struckMs = strikesMs.get(id);
    if (struckMs === undefined) return [];
    const isHit = ({ isRenewal, backend, atMs }: OkEvent) =>
      isRenewal && backend === target && struckMs > atMs - answerMs && struckMs < atMs + windowMs;
    return events.filter(isHit).map(event => ({ event, id, isAnswered: struckMs >= event.atMs }));
  });
  const unanswered = new Set(lost.filter(({ isAnswered }) => !isAnswered).map(({ event }) => event));
  const isLost = lost.length > 0;
  return {
    word: isLost ? 'fail' : 'pass',
    unmet: isLost ? [loggedOut] : [],
    reasons: [],
    events: events.filter(event => !unanswered.has(event)),
    strikesMs,
    trace: {
      users: [...new Set(lost.map(({ event }) => event.user))],
      faults: [...new Set(lost.map(({ id }) => id))],
    },
  };
}

function eventsOf({ users }: HuntedPlan, answerMs: number): OkEvent[] {
  const steps = users.flatMap(({ name, steps }) => {
    let adds = 0;
    return steps.map(({ atMs, kind }) => {
      if (kind === 'add') adds += 1;
      const isRenewal = kind === 'add' && adds % renewalEvery === 0;
      return { user: name, kind, plannedMs: atMs, atMs: atMs + answerMs, isRenewal };
    });
  });
  const inOrder = steps.sort((a, b) => a.atMs - b.atMs);
  return inOrder.map((event, index) => ({ ...event, backend: `backend-${(index % backends) + 1}` }));
}

function strikesOf(plan: HuntedPlan, events: readonly OkEvent[]): Map<string, number> {
  const strikesMs = new Map<string, number>();
  for (const { id, trigger } of plan.faults) {
    const ms = momentOf(trigger, plan, events, strikesMs);
    if (ms !== undefined) strikesMs.set(id, ms);
  }
  return strikesMs;
}

function momentOf(
  trigger: FaultSpec['trigger'],
  plan: HuntedPlan,
  events: readonly OkEvent[],
  strikesMs: ReadonlyMap<string, number>,
): number | undefined {
  if ('atMs' in trigger) return faultsFromMs(plan) + trigger.atMs;
  if ('afterFault' in trigger) {
    const before = plan.faults.find(({ id }) => id === trigger.afterFault);
    const struckMs = strikesMs.get(trigger.afterFault);
    return struckMs === undefined ? undefined : struckMs + (before?.forMs ?? 0) + trigger.delayMs;
  }
  const counted = events.filter(({ isRenewal }) => trigger.counter === 'requests.ok' || isRenewal);
  const event = counted[trigger.atLeast - 1];
  return event && Math.max(faultsFromMs(plan), event.atMs) + (trigger.delayMs ?? 0);
}
