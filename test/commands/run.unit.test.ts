import { expect } from 'chai';
import { describeMissing } from '#src/commands/run.js';
import { sampleRun } from '../report/sample-runs.js';

describe('runs that did not take place', () => {
  const asked = { modes: ['sticky', 'redis'], notApplicable: [] } as const;
  const sticky = sampleRun({ mode: 'sticky', users: 3 });

  it('are named by their mode when no run of it finished', () =>
    expect(describeMissing({ asked, repeat: 1 }, [sticky])).to.deep.equal([
      'incomplete: these runs did not finish: redis',
    ]));

  it('are counted when some runs of a mode finished', () =>
    expect(describeMissing({ asked, repeat: 3 }, [sticky])).to.deep.equal([
      'incomplete: these runs did not finish: sticky (2 of 3 runs), redis',
    ]));

  it('are not mentioned when there are none', () =>
    expect(describeMissing({ asked: { ...asked, modes: ['sticky'] }, repeat: 1 }, [sticky])).to.deep.equal([]));
});
