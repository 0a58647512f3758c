import type { ExpectedEffect, FaultRecord, Operation, RunRecord } from '../history/records.js';
import type { EffectSeen, NestedCounts } from './findings.js';
import type { Band } from './load.js';
import { type Between, betweenOf, namesOf, type UserOperations, wasAnswered } from './users/operations.js';

/**
 * Measures what users noticed of a fault. A confirmation shows that the fault worked; only its effect shows that it
 * mattered. Each kind of effect is one function, which returns a watch. The watch sees the operations of each user, and
 * then returns what it counted.
 */
export interface EffectWatch {
  /** Counts so far. Another thread adds the counts of its own users to them. */
  readonly counts: NestedCounts;
  /** Takes the operations of one user. */
  see(user: UserOperations): void;
  result(): EffectSeen;
}

/** Returns undefined when the fault was not confirmed, or its record does not name an expected effect. */
export function watchEffect(fault: FaultRecord, run: RunRecord, band: Band): EffectWatch | undefined {
  const between = betweenOf(fault, run);
  const { expects } = fault;
  if (between === undefined || expects === undefined) return undefined;
  const stage = { fault, run, band, between };
  switch (expects.kind) {
    case 'silent':
      return watchSilence(expects, stage);
    case 'answered':
      return watchAnswers(expects, stage);
    case 'slow':
      return watchSlowness(expects, stage);
    case 'broken':
      return watchBroken(expects, stage);
    case 'version':
      return watchVersion(expects, stage);
    case 'keys':
      return watchKeys(stage);
    case 'asked':
      return watchStore(expects, stage);
    case 'link-bytes':
      return fixedEffect(
        fault.measured ?? 0,
        fault.measured ?? 0,
        `${expects.link} lost or held back ${fault.measured ?? 0} bytes`,
      );
    case 'confirm-changed':
      return fault.wasConfirmedBefore === false
        ? fixedEffect(1, 1, 'confirm failed before inject and succeeded after it')
        : fixedEffect(0, 1, 'confirm had succeeded before inject ran, so it shows no change');
  }
}

interface Stage {
  readonly fault: FaultRecord;
  readonly run: RunRecord;
  readonly band: Band;
  readonly between: Between;
}

type Effect<Kind extends ExpectedEffect['kind']> = Extract<ExpectedEffect, { readonly kind: Kind }>;

function fixedEffect(seen: number, of: number, text: string): EffectWatch {
  return { counts: {}, see: () => undefined, result: () => ({ seen, of, text }) };
}

/** Whether the operation was sent and answered within the time in which the fault must show its effect. */
function isWithin({ sentMs, doneMs }: Operation, { fromMs, untilMs }: Between): boolean {
  return sentMs >= fromMs && doneMs <= untilMs;
}

function overlaps({ sentMs, doneMs }: Operation, { fromMs, untilMs }: Between): boolean {
  return doneMs >= fromMs && sentMs <= untilMs;
}

/** Whether a member answered the operation: a backend, the only proxy, or one of several. */
function isBy(member: string, run: RunRecord): (operation: Operation) => boolean {
  const proxies = namesOf(run, 'proxy');
  if (!proxies.includes(member) && !/^proxy(-\d+)?$/.test(member)) return ({ backend }) => backend === member;
  return proxies.length > 1 ? ({ proxy }) => proxy === member : () => true;
}

/** Counts operations that were in flight in a time, and those among them that show the effect. */
function countShare(
  between: Between,
  isCounted: (operation: Operation) => boolean,
  shows: (operation: Operation) => boolean,
): Pick<EffectWatch, 'see'> & { readonly counts: { seen: number; of: number } } {
  const counts = { seen: 0, of: 0 };
  return {
    counts,
    see(user) {
      for (const operation of user.around(between)) {
        if (!overlaps(operation, between) || !isCounted(operation)) continue;
        counts.of += 1;
        if (shows(operation)) counts.seen += 1;
      }
    },
  };
}

function watchAnswers({ member }: Effect<'answered'>, { run, between }: Stage): EffectWatch {
  const share = countShare(between, one => isWithin(one, between) && wasAnswered(one), isBy(member, run));
  const result = () => {
    const { seen, of } = share.counts;
    const answered = seen === 0 ? `no request of ${of}` : `${seen} of ${of} requests`;
    return { seen, of, text: `${member} answered ${answered} while the fault lasted` };
  };
  return { ...share, result };
}

/** Expects answers of the new version, also of its first backends: the confirmation comes only with the last one. */
function watchVersion({ version }: Effect<'version'>, { fault, between: { untilMs } }: Stage): EffectWatch {
  const between = { fromMs: fault.requestedMs, untilMs };
  const isIts = (operation: Operation) => operation.version === version;
  const share = countShare(between, one => isWithin(one, between) && wasAnswered(one), isIts);
  const result = () => {
    const { seen, of } = share.counts;
    const answered = seen === 0 ? `no request of ${of}` : `${seen} of ${of} requests`;
    return { seen, of, text: `version ${version} answered ${answered} from the start of its rollout on` };
  };
  return { ...share, result };
}

/** Expects that the member answered users before it was struck, and no user while the fault lasted. */
function watchSilence({ member, link, orConfirmed }: Effect<'silent'>, { run, between, fault }: Stage): EffectWatch {
  const isMember = isBy(member, run);
  const isIts = (operation: Operation) => isMember(operation) && (link === undefined || operation.proxy === link);
  const hasPeers = namesOf(run, 'proxy').length > 1 && namesOf(run, 'proxy').includes(member);
  const isBound = run.header.system?.affinity ?? false;
  const counts = { users: 0, named: 0, sentBetween: 0, answeredBefore: 0, answeredBetween: 0, moved: 0, cameBack: 0 };
  const see = (user: UserOperations) => {
    const before = user.firstAnswers.filter(({ doneMs }) => doneMs <= between.fromMs);
    const inFlight = user.around(between).filter(one => overlaps(one, between));
    const answers = inFlight.filter(one => wasAnswered(one) && one.doneMs > between.fromMs && isWithin(one, between));
    const own = answers.filter(isIts).length;
    const isMoved = own < answers.length;
    counts.sentBetween += inFlight.length;
    counts.answeredBetween += own;
    if (before.length === 0) return;
    counts.users += 1;
    if (before.some(({ backend }) => backend !== undefined)) counts.named += 1;
    if (!before.some(isIts)) return;
    counts.answeredBefore += 1;
    if (isMoved) counts.moved += 1;
    if (isBound && isMoved && cameBackAfterWriting(user, isIts, between)) counts.cameBack += 1;
  };
  const result = () => {
    const { users: of, named, sentBetween, answeredBefore, answeredBetween, moved, cameBack } = counts;
    if (orConfirmed && named === 0 && fault.wasConfirmedBefore === false)
      return {
        seen: 1,
        of: 1,
        text: `${member} was alive before and not alive after; no answer named the member that gave it`,
      };
    if (answeredBetween > 0)
      return { seen: 0, of, text: `${member} answered ${answeredBetween} requests, and was expected to answer none` };
    if (answeredBefore === 0) return { seen: 0, of, text: `${member} had answered no user before it was struck` };
    if (sentBetween === 0) return { seen: 0, of, text: `no user sent a request while ${member} was away` };
    const had = `${member} had answered ${answeredBefore} of ${of} users, and answered none while the fault lasted`;
    if (!hasPeers) return { seen: answeredBefore, of, text: `${had}${describeReturns(cameBack)}` };
    return moved === 0
      ? { seen: 0, of, text: `no user of ${member} was answered by another proxy while ${member} was away` }
      : { seen: moved, of: answeredBefore, text: `${had}; another proxy answered ${moved} of them` };
  };
  return { counts, see, result };
}

/** If fewer users come back, a stale copy may well go unseen. */
const cameBackMin = 5;

/** Whether a user wrote through another member while the fault lasted, and later read through the struck member. */
function cameBackAfterWriting(
  user: UserOperations,
  isIts: (operation: Operation) => boolean,
  between: Between,
): boolean {
  const isGood = ({ outcome }: Operation) => outcome === 'ok';
  const isMoved = (one: Operation) => one.kind === 'add' && isGood(one) && isWithin(one, between) && !isIts(one);
  return user.around(between).some(isMoved) && user.lastReads.some(one => one.sentMs > between.untilMs && isIts(one));
}

function describeReturns(cameBack: number): string {
  if (cameBack === 0) return '';
  const few = cameBack < cameBackMin ? ': too few to rule out a stale copy, so let more users come' : '';
  return `; ${cameBack} of them wrote through another member during the fault, and later read through this one again${few}`;
}

/** Without a fault, up to this share of the answers may lie outside the band of the baseline. */
const slowPercentOfBand = 10;

/** Expects one answer that took the stated delay. If none is stated, more answers must be slow than the baseline
 * explains. */
function watchSlowness({ member, atLeastMs }: Effect<'slow'>, stage: Stage): EffectWatch {
  const limitMs = atLeastMs ?? stage.band.slowMs;
  const isIts = isBy(member, stage.run);
  const share = countShare(
    stage.between,
    one => wasAnswered(one) && isIts(one),
    ({ sentMs, doneMs }) => doneMs - sentMs >= limitMs,
  );
  const result = () => {
    const { seen, of } = share.counts;
    const text = `${seen} of ${of} answers of ${member} took at least ${Math.round(limitMs)} ms`;
    const isEnough = atLeastMs !== undefined || seen > (slowPercentOfBand / 100) * of;
    if (isEnough) return { seen, of, text };
    return { seen: 0, of, text: `${text}, no more than the ${slowPercentOfBand} % of the baseline` };
  };
  return { ...share, result };
}

/** Expects that an error or a truncated answer reached a user, or that a retry repaired a truncated answer. */
function watchBroken({ member }: Effect<'broken'>, { run, between, fault }: Stage): EffectWatch {
  const isIts = isBy(member, run);
  const isUnnamed = ({ backend, outcome }: Operation) => backend === undefined && outcome !== 'ok';
  const share = countShare(
    between,
    one => isIts(one) || isUnnamed(one),
    ({ outcome, identity }) => outcome !== 'ok' && identity !== null,
  );
  const result = () => {
    const { seen, of } = share.counts;
    const repaired = fault.measured ?? 0;
    if (seen > 0 || repaired === 0) return { seen, of, text: `${seen} of ${of} answers of ${member} were not ok` };
    const text = `${repaired} answers of ${member} were cut off; retries repaired them`;
    return { seen: repaired, of: repaired, text };
  };
  return { ...share, result };
}

/** Expects that an old session was used after the rotation, and that another was made under the new key. */
function watchKeys({ between }: Stage): EffectWatch {
  const oldKeys = new Set<string>();
  const newKeys: (string | undefined)[] = [];
  const counts = { oldKeys, newKeys, sessions: 0, usedAfter: 0 };
  const see = (user: UserOperations) => {
    for (const { sentMs, doneMs, key, session } of user.logins) {
      if (sentMs >= between.fromMs) newKeys.push(key);
      else if (key !== undefined) oldKeys.add(key);
      if (doneMs >= between.fromMs) continue;
      counts.sessions += 1;
      if ((user.lastUseMs(session) ?? Number.NEGATIVE_INFINITY) >= between.fromMs) counts.usedAfter += 1;
    }
  };
  const result = () => {
    const { sessions, usedAfter } = counts;
    const underNew = newKeys.filter(key => key === undefined || !oldKeys.has(key)).length;
    const text = `${usedAfter} of ${sessions} sessions of the old key were used after the change, ${underNew} were made under the new key`;
    return { seen: underNew === 0 ? 0 : usedAfter, of: sessions, text };
  };
  return { counts, see, result };
}

/** Expects that users needed the store: its own counter grew, or an operation failed or was slow during the fault. */
function watchStore({ store, from }: Effect<'asked'>, { between, band, fault, run }: Stage): EffectWatch {
  const isIts = from === undefined ? () => true : isBy(from, run);
  const share = countShare(
    between,
    isIts,
    ({ outcome, identity, sentMs, doneMs }) => (outcome !== 'ok' && identity !== null) || doneMs - sentMs > band.slowMs,
  );
  const result = () => {
    const { seen, of } = share.counts;
    const { measured } = fault;
    if (measured !== undefined && measured > 0)
      return { seen: measured, of: measured, text: `${store} was asked ${measured} times while the fault lasted` };
    const asked = from === undefined ? 'requests' : `requests of ${from}`;
    return { seen, of, text: `${seen} of ${of} ${asked} failed or were slow while ${store} was struck` };
  };
  return { ...share, result };
}
