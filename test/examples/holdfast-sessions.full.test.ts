import { expect } from 'chai';
import { leavingNothing } from '../simulator/processes.js';
import { runOnShop } from './four-scenarios.js';
import { expectNothingLost, findIn, itSurvives } from './surviving.js';

describe('every example with holdfast/sessions', function () {
  this.timeout(60_000);

  for (const file of ['express/holdfast.yaml', 'fastify/shop.yaml', 'node/shop.yaml']) itSurvives(file);

  it('express/server.js loses writes and undoes logouts where express/server-holdfast.js does not', async () => {
    const { findings } = await findIn('express/holdfast.yaml', 'node server.js');
    expect(findings.writes.lost).to.be.greaterThan(0);
    expect(findings.users.logoutNotHonoured).to.be.greaterThan(0);
    expect(findings.serviceMs.max).to.be.greaterThan(1_500);
  });

  // The other scenarios of the comparison are parts of express/holdfast.yaml. In this one, no fault hides the late
  // adds.
  it('the Express shop loses nothing in logout-race', () =>
    leavingNothing(async () => {
      const compared = await runOnShop('logout-race', 'holdfast/sessions with Redis');
      expectNothingLost(compared);
      // Without late adds after a logout, the race would prove nothing.
      expect(compared.findings.requests.failed).to.be.greaterThan(0);
    }));
});
