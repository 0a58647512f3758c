import { expect } from 'chai';
import { partsOf } from '#src/report/html/verdicts.js';
import { sampleRun } from '../sample-runs.js';

const sticky = sampleRun({ mode: 'sticky', users: 6 });

describe('the parts of a run before, during and after the faults', () => {
  const phases = [
    { type: 'phase', phase: 'warmup', startMs: 0, endMs: 500 },
    { type: 'phase', phase: 'readback', startMs: 7200, endMs: 7500 },
  ] as const;
  const [fault] = sticky.run.faults;
  if (fault === undefined) throw new Error('the sample has a fault');
  const spans = (faults: Parameters<typeof partsOf>[0]['faults']) =>
    partsOf({ phases, faults }).map(({ name, fromMs, untilMs }) => `${name} ${fromMs}..${untilMs}`);

  it('leave out the warm-up and the read-back', () => {
    expect(spans([fault])).to.deep.equal(['before 500..2500', 'during 2500..4500', 'after 4500..7200']);
    expect(spans([])).to.deep.equal(['no fault 500..7200']);
  });

  it('extend from the first fault to the healing of the last, without "after" when a fault was not healed', () => {
    const second = { ...fault, requestedMs: 3000, healedMs: 6000 };
    expect(spans([second, fault])).to.deep.equal(['before 500..2500', 'during 2500..6000', 'after 6000..7200']);
    expect(spans([{ ...fault, healedMs: null }])).to.deep.equal(['before 500..2500', 'during 2500..7200']);
  });
});
