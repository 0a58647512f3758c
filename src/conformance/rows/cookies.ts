import {
  type Cell,
  factsOf,
  judgePhase,
  NoMeans,
  notApplicable,
  proxyCookies,
  Unestablished,
  unknown,
  witnessOf,
} from '../cell.js';
import { lifetimesOf, type RawExchange, type RawUser, type Recording } from '../exchange.js';
import type { FailureRow } from '../table.js';

export const firstVisit: FailureRow = {
  title: 'A user without cookies comes for the first time.',
  phases: { first: 'first visit' },
  run: async experiment => void (await experiment.visit(experiment.newUser(), 'first')),
};

const returns = 10;

export const returning: FailureRow = {
  title: `A user comes back ${returns} times with the cookies of the first visit.`,
  phases: { return: 'return' },
  async run(experiment) {
    const user = experiment.newUser();
    await experiment.visit(user, 'before');
    for (let left = returns; left > 0; left -= 1) await experiment.visit(user, 'return');
  },
};

/** Users of several backends, so that one that is sent to another backend by chance does not hide a change. */
const tampering = 8;

export const forged: FailureRow = {
  title: `${tampering} users come back with one character changed in the cookie of the proxy.`,
  phases: { forged: 'forged cookie' },
  async run(experiment) {
    for (let left = tampering; left > 0; left -= 1) {
      const user = await experiment.bindUser();
      for (const [name, value] of mustHave(user)) user.set(name, tamper(value));
      await experiment.visit(user, 'forged');
    }
  },
};

/** Changes the last letter or digit. */
function tamper(value: string): string {
  return value.replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, last => (last === 'x' ? 'y' : 'x'));
}

export const foreign: FailureRow = {
  title: 'A user comes back with the cookie that the proxy gave to a user of another backend.',
  phases: { foreign: 'foreign cookie' },
  async run(experiment) {
    const user = await experiment.bindUser();
    const own = new Map(mustHave(user));
    for (let tries = 0; tries < 60; tries += 1) {
      const other = await experiment.bindUser();
      const others = other.ofProxy.filter(([name, value]) => own.get(name) !== value);
      if (others.length === 0 || experiment.backendOf(user) === experiment.backendOf(other)) continue;
      for (const [name, value] of others) user.set(name, value);
      return void (await experiment.visit(user, 'foreign'));
    }
    throw new Unestablished('no user came to another backend');
  },
};

const expiryWaitMaxS = 10;

export const expired: FailureRow = {
  title: 'A user comes back with a cookie of the proxy that has expired.',
  phases: { expired: 'expired cookie' },
  async run(experiment) {
    const user = experiment.newUser();
    const first = await experiment.visit(user, 'before');
    const [seconds] = lifetimesOf(first);
    if (seconds === undefined) throw new NoMeans('the cookie of the proxy has no lifetime');
    if (seconds > expiryWaitMaxS)
      throw new NoMeans(`the cookie lives for ${seconds} s; this row waits for ${expiryWaitMaxS} s at most`);
    await experiment.waitMs(seconds * 1_000 + 1_000);
    await experiment.visit(user, 'expired');
  },
};

const visitors = 10;

export const severalCookies: FailureRow = {
  title: `Seven of eight backends are dead, and ${visitors} of their users visit at once.`,
  phases: { dead: 'cookies in one answer' },
  needs: { backends: 8 },
  async run(experiment) {
    const users: RawUser[] = [];
    for (let left = visitors; left > 0; left -= 1) users.push(await experiment.bindUser());
    await experiment.waitChecked('backend-2');
    for (const backend of experiment.backends.slice(1)) await experiment.kill(backend);
    for (const user of users) await experiment.visit(user, 'dead');
  },
  /** How many of the requests fail depends on the proxy's choices, so only the cookies are judged. */
  judge(recording, phase) {
    const facts = factsOf(recording).filter(fact => fact.exchange.phase === phase);
    const found = facts.find(fact => fact.cookiesOfOneName > 1);
    const decisive = recording.exchanges.indexOf(
      (found ?? facts[0])?.exchange ?? (recording.exchanges[0] as RawExchange),
    );
    if (found !== undefined) {
      const why = 'One answer has several cookies of one name: the tries at dead backends left theirs.';
      return { kind: 'several cookies', says: 'several cookies', why, decisive };
    }
    if (facts.every(({ failed }) => failed)) return unknown('no visit was answered, so no cookie was seen');
    return { kind: 'kept', says: 'one at most', why: 'Each answer has one cookie of the proxy at most.', decisive };
  },
};

function mustHave(user: RawUser): RawUser['ofProxy'] {
  if (user.ofProxy.length === 0) throw new NoMeans('the proxy has set no cookie');
  return user.ofProxy;
}

/*
 * The rows below are the conformance tests that GEP-1619 of the Gateway API lists, as far as one configuration without a
 * Gateway can show them: https://gateway-api.sigs.k8s.io/geps/gep-1619/#conformance-tests
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
/** Smallest share of the users for each of three backends. A third is expected. By chance, one backend gets less than
 * a tenth once in a million runs. */
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
