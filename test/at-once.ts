import { expect } from 'chai';

/** Declares tests whose work starts together, because it mostly waits. Each test reports the failure of its work. */
export function itAtOnce(works: Readonly<Record<string, () => Promise<unknown>>>): void {
  const running = new Map<string, Promise<unknown>>();
  before(() => {
    for (const [title, work] of Object.entries(works)) {
      const run = work();
      run.catch(() => {});
      running.set(title, run);
    }
  });
  for (const title of Object.keys(works)) it(title, () => running.get(title) ?? expect.fail('it was not started'));
}
