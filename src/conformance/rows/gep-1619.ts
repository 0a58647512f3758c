import { type Cell, factsOf, judgePhase, notApplicable, proxyCookies, unknown, witnessOf } from '../cell.js';
import { NoMeans } from '../errors.js';
import type { Recording } from '../exchange.js';
import { lifetimesOf } from '../lifetimes.js';
import type { FailureRow } from '../row.js';

/*
 * The conformance tests that GEP-1619 of the Gateway API lists, as far as one configuration without a Gateway can show
 * them: https://gateway-api.sigs.k8s.io/geps/gep-1619/#conformance-tests
 */

const simpleVisits = 50;

export const gepSimple: FailureRow = {
  title: `A user gets a cookie and comes back ${simpleVisits} times (GEP-1619, row 1).`,
  phases: { simple: 'GEP-1619: simple cookie persistence' },
  methods: ['GET'],
  async run(experiment) {
    const user = experiment.newUser();
    await experiment.visit(user, 'before');
    for (let left = simpleVisits; left > 0; left -= 1) await experiment.visit(user, 'simple');
  },
  judge(recording, phase) {
    const cell = judgePhase(recording, phase);
    const [first] = factsOf(recording);
    if (cell.kind !== 'kept' || first === undefined) return cell;
    if (proxyCookies(first.exchange, first.carriedOut[0]).length > 0) return cell;
    return { ...cell, says: 'kept, without a cookie', why: `${cell.why} The first answer had no cookie of the proxy.` };
  },
};

export const gepSessionCookie: FailureRow = {
  title: 'The cookie of the proxy ends with the browser: it has neither Max-Age nor Expires (GEP-1619, row 2).',
  phases: { lifetime: 'GEP-1619: session cookie' },
  methods: ['GET'],
  run: async experiment => void (await experiment.visit(experiment.newUser(), 'lifetime')),
  judge: (recording, phase) =>
    judgeCookie(recording, phase, ([seconds]) =>
      seconds === undefined
        ? { kind: 'kept', says: 'kept', why: 'The cookie has neither Max-Age nor Expires.' }
        : notApplicable(`The configuration asks for a cookie that lives for ${seconds} s.`),
    ),
};

export const gepPermanent: FailureRow = {
  title: 'The cookie of the proxy has a lifetime, and persistence works while it lasts (GEP-1619, row 4).',
  phases: { permanent: 'GEP-1619: permanent cookie' },
  methods: ['GET'],
  async run(experiment) {
    const user = experiment.newUser();
    await experiment.visit(user, 'permanent');
    await experiment.visit(user, 'permanent');
  },
  judge: (recording, phase) =>
    judgeCookie(recording, phase, ([seconds]) =>
      seconds === undefined
        ? notApplicable('The configuration asks for a cookie that ends with the browser.')
        : judgePhase(recording, phase),
    ),
};

/** Judges by the lifetimes of the cookies in the first answer. */
function judgeCookie(recording: Recording, phase: string, judge: (lifetimes: number[]) => Cell): Cell {
  const decisive = recording.exchanges.findIndex(exchange => exchange.phase === phase);
  const exchange = recording.exchanges[decisive];
  if (exchange?.answer === undefined || witnessOf(exchange) === undefined) return unknown('the visit was not answered');
  const [first] = factsOf(recording);
  if (proxyCookies(exchange, first?.carriedOut[0]).length === 0)
    return notApplicable('the first answer has no cookie of the proxy');
  return { ...judge(lifetimesOf(exchange)), decisive };
}

const newcomers = 60;
/** Each of three backends gets a third. Chance alone leaves one of them below a tenth once in a million runs. */
const leastShare = 0.1;

export const gepWeights: FailureRow = {
  title: `${newcomers} new users come; each then comes back (GEP-1619, row 3, with equal weights).`,
  phases: { spread: 'GEP-1619: initial distribution', back: 'GEP-1619: persistence beside weights' },
  methods: ['GET'],
  async run(experiment) {
    const users = Array.from({ length: newcomers }, () => experiment.newUser());
    for (const user of users) await experiment.visit(user, 'spread');
    for (const user of users) await experiment.visit(user, 'back');
  },
  judge(recording, phase) {
    if (phase === 'back') return judgePhase(recording, phase);
    const cell = judgePhase(recording, phase);
    if (cell.kind !== 'kept') return cell;
    const shares = countAnswers(recording, phase);
    const least = Math.min(...shares.values()) / newcomers;
    const said = [...shares].map(([name, count]) => `${name} got ${count}`).join(', ');
    if (shares.size < 3 || least < leastShare)
      return { ...cell, kind: 'error', says: 'uneven', why: `Of ${newcomers} new users ${said}.` };
    return { ...cell, why: `Each of the ${shares.size} backends got its share of the ${newcomers} new users.` };
  },
};

function countAnswers({ exchanges }: Recording, phase: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const exchange of exchanges.filter(each => each.phase === phase)) {
    const name = witnessOf(exchange)?.split('#')[0] ?? 'none';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const scopedVisits = 5;

export const gepScoped: FailureRow = {
  title: 'A session of /a is not shared with /b, and each path keeps its own (GEP-1619, row 5).',
  phases: { scoped: 'GEP-1619: scoped to a route' },
  methods: ['GET'],
  async run(experiment) {
    const user = experiment.newUser();
    await experiment.visit(user, 'scoped', { path: '/a' });
    const onB = await experiment.visit(user, 'scoped', { path: '/b' });
    if (onB.answer !== undefined && proxyCookies(onB, undefined).filter(line => !line.startsWith('app=')).length === 0)
      throw new NoMeans('the configuration has one route for all paths: /b set no further cookie');
    for (let left = scopedVisits; left > 0; left -= 1) await experiment.visit(user, 'scoped', { path: '/a' });
  },
};
