import { factsOf, unknown } from '../cell.js';
import { NoMeans, Unestablished } from '../errors.js';
import type { RawExchange } from '../exchange.js';
import { lifetimesOf } from '../lifetimes.js';
import type { FailureRow } from '../row.js';
import type { RawUser } from '../user.js';

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
export function tamper(value: string): string {
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
