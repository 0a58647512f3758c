import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { cookieBytesOf, factsOf } from '#src/commands/modes.js';
import { type Mode, type ModeName, modeNames, modes } from '#src/modes.js';
import type { SessionData } from '#src/sessions/session.js';
import { storeDescriptors } from '#src/shared/stores.js';
import { Visitor } from '../backends/visitor.js';
import { type Settings, withShop } from '../backends/with-shop.js';
import { storeLabs } from '../sessions/store-labs.js';
import { withRelay } from '../sessions/with-relay.js';
import { withHoldfast } from './holdfast.js';

describe('holdfast modes', function () {
  this.timeout(60_000);

  it('prints every mode within 100 columns, and writes the same as JSON', () =>
    withHoldfast(['modes', '--json', 'modes.json'], async holdfast => {
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
      const lines = holdfast.output.stdout.split('\n');
      for (const line of lines) expect(line.length).to.be.at.most(120);
      for (const line of lines.filter(text => /^[┌│├└]/.test(text))) expect(line.length).to.be.at.most(100);
      for (const mode of modeNames) expect(holdfast.output.stdout).to.match(new RegExp(`^│ ${mode} `, 'm'));
      const written = JSON.parse(await readFile(path.join(holdfast.folder, 'modes.json'), 'utf8'));
      expect(written.schema).to.equal(1);
      expect(written.modes.map(({ mode }: { mode: string }) => mode)).to.deep.equal(modeNames);
    }));

  it('fits into a terminal of 60 columns', () =>
    withHoldfast(
      ['modes'],
      async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
        const table = holdfast.output.stdout.split('\n').filter(text => /^[┌│├└]/.test(text));
        for (const line of table) expect(line.length).to.be.at.most(60);
        for (const title of ['kept in', 'parallel']) expect(table.join()).to.include(title);
      },
      { COLUMNS: '60' },
    ));

  for (const mode of modeNames) {
    it(`${mode}: shows the cookie size and the round trips per request that a real shop has`, () =>
      withStore(mode, (settings, roundTrips) =>
        withShop(settings, async ({ url }) => {
          const anna = await new Visitor(url).logIn('anna');
          await anna.add('tea');
          await expectCookie(mode, anna);
          await expectTrips(mode, anna, roundTrips);
        }),
      ));

    it(`${mode}: shows the same revocation lag as the lab uses`, async () => {
      expect((await factsOf(mode)).revocationLagMs).to.equal(modes[mode].revocationLagMs);
    });
  }
});

/** Runs `work` with the settings of a shop in this mode, and a counter of its round trips to the store. */
async function withStore(
  mode: ModeName,
  work: (settings: Settings, roundTrips: () => number) => Promise<void>,
): Promise<void> {
  const { store }: Mode = modes[mode];
  if (store === 'memory') return work({ HOLDFAST_MODE: mode }, () => 0);
  const { url = '', stop } = (await storeLabs[store]?.()) ?? expect.fail(`no lab of ${store}`);
  try {
    await withRelay(Number(new URL(url).port), async relay => {
      const address = url.replace(/:\d+(?=\/|$)/, `:${relay.port}`);
      await work({ HOLDFAST_MODE: mode, [storeDescriptors[store].variable]: address }, relay.roundTrips);
    });
  } finally {
    await stop();
  }
}

async function expectCookie(mode: ModeName, anna: Visitor): Promise<void> {
  const bytes = await longest(async () => {
    await anna.add('tea');
    return anna.cookie?.split('=')[1]?.length ?? 0;
  });
  const sameBytes = await longest(() => {
    const sameData: SessionData = { cart: [['tea', 1]], authenticatedAtMs: Date.now() };
    return cookieBytesOf(mode, 'anna', sameData);
  });
  expect(bytes).to.be.closeTo(sameBytes, 8);
  const { cookieBytes } = await factsOf(mode);
  expect(bytes).to.be.within(cookieBytes.empty, cookieBytes.full);
}

/** Fewer than ten, so that the number of an item keeps one digit. */
const samples = 6;

/** Returns the largest of several sizes of a cookie. A time is written without trailing zeros, so one size is chance. */
async function longest(measure: () => Promise<number>): Promise<number> {
  let largest = 0;
  for (let nth = 0; nth < samples; nth += 1) largest = Math.max(largest, await measure());
  return largest;
}

const requests = 40;

/** Checks the round trips per request. An earlier write has done the one-time preparations. Other traffic (the list of
 * revoked sessions) is far less than one trip in four requests. */
async function expectTrips(mode: ModeName, anna: Visitor, roundTrips: () => number): Promise<void> {
  const tripsOf = async (ask: (nth: number) => Promise<unknown>) => {
    const before = roundTrips();
    for (let nth = 0; nth < requests; nth += 1) await ask(nth);
    return (roundTrips() - before) / requests;
  };
  const { read, write } = (await factsOf(mode)).roundTrips;
  expect(await tripsOf(() => anna.skus()), 'read').to.be.within(read, read + 0.25);
  expect(await tripsOf(nth => anna.add(`tea-${nth}`)), 'write').to.be.within(write, write + 0.25);
}
