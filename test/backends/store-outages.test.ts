import { expect } from 'chai';
import { type ModeName, modeNames, modes } from '#src/modes.js';
import type { RedisServer } from '../sessions/with-redis.js';
import { type ModeLab, promisedBy, promisedByStore, startModeLab } from './mode-lab.js';
import { type Answer, until, Visitor } from './visitor.js';
import { type ShopProcess, withShop } from './with-shop.js';

const hangMs = 3_000;
const answerMsMax = 1_000;
/** Tolerance: the machine also runs other tests, and the client measures the time. */
const busyMs = 500;

interface Outage {
  readonly shop: ShopProcess;
  readonly server: RedisServer;
  readonly anna: Visitor;
  /** Tries to log out meanwhile. Its effect is unknown: a server that hangs may still carry out the command later. */
  readonly cara: Visitor;
}

describe('shop: outages of the session store', function () {
  this.timeout(40_000);

  const concerned = modeNames.filter(mode => modes[mode].store !== 'memory');

  describe(`hangs for ${hangMs / 1_000} s: each answer within ${answerMsMax / 1_000} s, recovers by itself; dies: used again when it is back; down at boot: the shop starts, reports it, and stops on request`, () =>
    allAtOnce(concerned, said, goesThroughAll));
});

/** One test for each mode, all started at once, because most of the time is waiting. A retry runs alone. */
function allAtOnce(
  names: readonly ModeName[],
  title: (mode: ModeName) => string,
  work: (mode: ModeName) => Promise<void>,
) {
  const underWay = new Map<ModeName, Promise<void>>();

  before(() => {
    for (const mode of names) {
      const running = work(mode);
      underWay.set(mode, running);
      // Its own test reports the failure, perhaps later.
      running.catch(() => undefined);
    }
  });

  for (const mode of names) {
    it(`${mode}: ${title(mode)}`, () => {
      const begun = underWay.get(mode);
      underWay.delete(mode);
      return begun ?? work(mode);
    });
  }
}

function isInStore(mode: ModeName): boolean {
  return promisedBy(mode).dataIn === 'store';
}

function said(mode: ModeName): string {
  return isInStore(mode) ? '503 and the cookie kept' : 'sessions go on, logging in and out is a 503';
}

/** Runs the phases one after the other on one server, because starting it takes longer than the checks. */
async function goesThroughAll(mode: ModeName): Promise<void> {
  const lab = await startModeLab(mode);
  const { server } = lab;
  try {
    if (server === undefined) throw new Error(`mode ${mode} has no server that could be out`);
    await withShop(lab.settings('backend-1'), async shop => {
      await hangsAndResumes({ shop, server, ...(await shoppers(shop)) }, mode);
      await diesAndComesBack({ shop, server, ...(await shoppers(shop)) }, mode);
    });
  } finally {
    await lab.stop();
  }
  await bootsWithout(lab);
}

async function shoppers({ url }: ShopProcess): Promise<Pick<Outage, 'anna' | 'cara'>> {
  const anna = await new Visitor(url).logIn('anna');
  await anna.add('tea');
  return { anna, cara: await new Visitor(url).logIn('cara') };
}

/** Waits until the servers have ended and their port refuses connections. */
async function bootsWithout(lab: ModeLab): Promise<void> {
  await withShop(lab.settings('backend-1'), async shop => {
    expect((await new Visitor(shop.url).get('/health')).json).to.include({ status: 'ready', store: 'down' });
    expectUnavailable(await logIn(shop));
    shop.signal('SIGTERM');
    expect((await shop.ended).code).to.equal(0);
  });
}

async function diesAndComesBack(outage: Outage, mode: ModeName): Promise<void> {
  const { shop, server, anna } = outage;
  expect((await anna.get('/health')).json).to.include({ status: 'ready', store: 'up' });
  const { cookie } = anna;
  await server.kill();
  await expectOutage(outage, mode);
  await until(async () => (await anna.get('/health')).json.store === 'down');
  expect((await anna.get('/health')).json).to.include({ status: 'ready' });
  await server.restart();
  await until(async () => (await logIn(shop)).status === 200);
  expect((await anna.get('/health')).json).to.include({ store: 'up' });
  const isKept = !isInStore(mode) || promisedByStore(mode).durability === 'disk';
  const { json } = await new Visitor(shop.url, cookie).get('/me');
  expect(json).to.include(isKept ? { user: 'anna', why: null } : { user: null, why: 'unknown' });
  await expectLoggedOut(shop, anna);
}

async function hangsAndResumes(outage: Outage, mode: ModeName): Promise<void> {
  const { shop, server, anna } = outage;
  server.freeze();
  const untilMs = performance.now() + hangMs;
  while (performance.now() < untilMs) await expectOutage(outage, mode);
  server.thaw();
  await until(async () => (await anna.get('/cart')).status === 200 && (await logIn(shop)).status === 200);
  expect(await anna.skus()).to.include('tea');
  await expectLoggedOut(shop, anna);
}

/**
 * A mode that carries the session in the cookie continues. A change that every backend must know cannot be promised.
 */
async function expectOutage({ shop, anna, cara }: Outage, mode: ModeName): Promise<void> {
  const { cookie } = anna;
  const uses = [anna.get('/me'), anna.get('/cart'), anna.post('/cart', { sku: 'tea' })].map(inTime);
  const ends = [cara.post('/logout', {}), logIn(shop)].map(inTime);
  for (const answer of await Promise.all(ends)) expectUnavailable(answer);
  for (const answer of await Promise.all(uses)) {
    if (isInStore(mode)) expectUnavailable(answer);
    else expect(answer.status).to.be.oneOf([200, 201]);
  }
  expect(cara.cookie).not.to.equal(undefined);
  expect(anna.cookie).not.to.equal(undefined);
  if (isInStore(mode)) expect(anna.cookie).to.equal(cookie);
}

async function inTime(attempt: Promise<Answer>): Promise<Answer> {
  const askedAtMs = performance.now();
  const answer = await attempt;
  expect(performance.now() - askedAtMs).to.be.below(answerMsMax + busyMs);
  return answer;
}

function expectUnavailable({ status, headers }: Answer): void {
  expect(status).to.equal(503);
  expect(Number(headers.get('retry-after'))).to.be.at.least(1);
  expect(headers.get('set-cookie')).to.equal(null);
}

async function expectLoggedOut(shop: ShopProcess, anna: Visitor): Promise<void> {
  const { cookie } = anna;
  // The list of revoked sessions has its own connection, which may need longer to come back.
  await until(async () => (await anna.post('/logout', {})).status === 200);
  expect((await new Visitor(shop.url, cookie).get('/me')).json.user).to.equal(null);
}

function logIn({ url }: ShopProcess): Promise<Answer> {
  return new Visitor(url).post('/login', { user: 'berta', password: 'secret' });
}
