/**
 * A selection of scenarios and modes, because all of them would take too long. store-outages.test.ts tests each mode
 * with a store that hangs or comes back empty. faults.test.ts tests every fault. shared-sessions.contract.ts tests that
 * no shared mode loses a session when a backend is killed.
 */
import { expect } from 'chai';
import { type ModeName, modeNames } from '#src/modes.js';
import { itPasses } from './whole-runs.js';

const shipped: Readonly<Record<string, readonly ModeName[]>> = {
  'redis-failover': ['redis'],
  'postgres-outage': ['postgres'],
  'replace-secrets': ['jwt', 'sealed'],
  eviction: ['memcached'],
  'two-proxies': ['sticky'],
  'drop-one': ['sticky'],
};

describe('whole runs of shipped scenarios', function () {
  this.timeout(120_000);

  it('together use every mode', () => {
    expect([...new Set(Object.values(shipped).flat())]).to.have.members(modeNames);
  });

  itPasses(shipped);
});
