import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { demandsLoss, parseLine } from '#src/simulator/checker/expectations.js';
import { makePlan, planDurationMs } from '#src/simulator/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { expectationsOf } from '#src/simulator/scenario/scenario.js';
import { shortForm } from '#src/simulator/scenario/short-form.js';

const folder = path.resolve(import.meta.dirname, '../../../scenarios');
const files = readdirSync(folder).filter(name => name.endsWith('.yaml'));

describe('the short form of a shipped scenario', () => {
  for (const file of files) {
    it(`${file}: the same faults and the same question, with fewer users in less time`, async () => {
      const scenario = await readScenario(path.join(folder, file));
      const short = shortForm(scenario);
      expect(short.faults).to.deep.equal(scenario.faults);
      expect(short.system).to.deep.equal(scenario.system);
      expect(planDurationMs(short)).to.be.at.most(planDurationMs(scenario));
      if (scenario.faults.length > 0) expect(makePlan(short, 1).users.length).to.be.within(1, 30);
      for (const mode of scenario.modes) {
        const [whole, few] = [scenario, short].map(each => expectationsOf(each, mode).map(parseLine));
        expect(few, mode).to.have.length.greaterThan(3);
        expect(few?.some(demandsLoss), mode).to.equal(whole?.some(demandsLoss));
      }
    });
  }

  it('holds no figure of many against few, and no time', async () => {
    const scenario = await readScenario(path.join(folder, 'redis-outage.yaml'));
    const lines = shortForm({
      ...scenario,
      expect: {
        any: [
          'users.loggedOut >= 90 %',
          'writes.lost == 0',
          'requests.failed < 1 %',
          'serviceMs.max < 1000',
          { warn: 'writes.lost == 0' },
        ],
      },
    }).expect.any;
    expect(lines).to.deep.equal(['users.loggedOut > 0', 'writes.lost == 0']);
  });
});
