import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import type { EngineFactory } from '#src/proxy/exchange.js';
import { raw } from '../ask.js';
import { answerOk, withRecorder } from '../recording-backend.js';
import { readByOneAlone } from '../shortfalls.js';
import { oddRequests } from './smuggling-rows.js';
import { withEngine } from './with-engine.js';

/**
 * Requests that have one meaning and may still be refused. The contract fixes everything else for every engine, apart
 * from listed shortfalls.
 */
const rows = Object.entries(oddRequests).filter(([, [, { mayRefuse }]]) => mayRefuse);

describe('engines: odd requests that may be refused', () => {
  it('are treated alike by all engines, apart from listed ones', async () => {
    const all = await Promise.all(
      Object.entries(engines).map(async ([name, { make }]) => ({ name, handlings: await handlingsWith(make) })),
    );
    const differing = rows.flatMap(([what], nth) => {
      const readers = all.filter(({ handlings }) => handlings[nth] === 'passed on').map(({ name }) => name);
      return readers.length === 0 || readers.length === all.length ? [] : [[what, readers.join(', ')]];
    });
    const listed = Object.entries(readByOneAlone).map(([what, [engine]]) => [what, engine]);
    expect(Object.fromEntries(differing)).to.deep.equal(Object.fromEntries(listed));
  });
});

type Handling = 'passed on' | 'refused';

async function handlingsWith(make: EngineFactory): Promise<Handling[]> {
  const handlings: Handling[] = [];
  await withRecorder(answerOk, recorder =>
    withEngine(make, [recorder.url], async ({ url }) => {
      for (const [, [bytes]] of rows) {
        const before = recorder.requests.length;
        const answer = await raw(url, `${bytes}GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        const handling = recorder.requests.length > before ? 'passed on' : 'refused';
        expect(answer).to.match(handling === 'refused' ? /^HTTP\/1\.1 (?:400|417|501) / : /^HTTP\/1\.1 200 /);
        handlings.push(handling);
      }
    }),
  );
  return handlings;
}
