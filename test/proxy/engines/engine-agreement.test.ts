import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { raw } from '../ask.js';
import { answerOk, withRecorder } from '../recording-backend.js';
import { readByOneAlone } from '../shortfalls.js';
import { oddRequests } from './smuggling-rows.js';
import { withEngine } from './with-engine.js';

/**
 * What has one meaning and may be refused all the same. Everything else is the same for every engine by their contract,
 * where it is not listed as a shortfall.
 */
const rows = Object.entries(oddRequests).filter(([, [, { mayRefuse }]]) => mayRefuse);

describe('engines: odd requests that may be refused', () => {
  it('are refused or passed on by all engines alike, apart from those on the list', async () => {
    const all = await Promise.all(
      Object.entries(engines).map(async ([name, { make }]) => ({ name, fates: await fatesWith(make) })),
    );
    const differing = rows.flatMap(([what], nth) => {
      const readers = all.filter(({ fates }) => fates[nth] === 'passed on').map(({ name }) => name);
      return readers.length === 0 || readers.length === all.length ? [] : [[what, readers.join(', ')]];
    });
    const listed = Object.entries(readByOneAlone).map(([what, [engine]]) => [what, engine]);
    expect(Object.fromEntries(differing)).to.deep.equal(Object.fromEntries(listed));
  });
});

type Fate = 'passed on' | 'refused';

async function fatesWith(make: EngineFactory): Promise<Fate[]> {
  const fates: Fate[] = [];
  await withRecorder(answerOk, recorder =>
    withEngine(make, [recorder.url], async ({ url }) => {
      for (const [, [bytes]] of rows) {
        const before = recorder.requests.length;
        const answer = await raw(url, `${bytes}GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        const fate = recorder.requests.length > before ? 'passed on' : 'refused';
        expect(answer).to.match(fate === 'refused' ? /^HTTP\/1\.1 (?:400|417|501) / : /^HTTP\/1\.1 200 /);
        fates.push(fate);
      }
    }),
  );
  return fates;
}
