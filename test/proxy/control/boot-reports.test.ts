import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { BootReports } from '#src/proxy/control/boot-reports.js';
import { withPool } from '../with-proxy.js';

describe('reports of new boots', () => {
  it('pass on the first at once, and further ones once per interval with their number', async () => {
    const seen: (string | number)[][] = [];
    let reported = () => {};
    const reports = new BootReports(50, (...report) => {
      seen.push(report);
      reported();
    });
    for (let nth = 1; nth <= 5; nth += 1) reports.add('a', `boot-${nth}`);
    reports.add('b', 'other');
    expect(seen).to.deep.equal([
      ['a', 'boot-1', 1],
      ['b', 'other', 1],
    ]);
    await new Promise<void>(resolve => (reported = resolve));
    expect(seen.slice(2)).to.deep.equal([['a', 'boot-5', 4]]);
    reports.close();
    await delay(60);
    expect(seen).to.have.length(3);
  });

  it('are one event for a backend that names another boot in every answer', () => {
    let boots = 0;
    return withPool(
      [
        (_request, response) => {
          boots += 1;
          response.setHeader('holdfast-incarnation', `boot-${boots}`).end();
        },
      ],
      {},
      async proxy => {
        for (let nth = 0; nth < 20; nth += 1) await proxy.ask('/');
        expect(proxy.events.filter(({ kind }) => kind === 'incarnation')).to.have.length(1);
      },
    );
  });
});
