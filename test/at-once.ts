import { expect } from 'chai';

/** Starts the work before the first test. Its own test awaits it and reports a failure. */
export function startedBefore<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  before(() => {
    running = work();
    running.catch(() => {});
  });
  return () => running ?? expect.fail('it was not started');
}

/** Declares tests and starts the work of all of them together, because it mostly waits. */
export function itAtOnce(works: Readonly<Record<string, () => Promise<unknown>>>): void {
  for (const [title, work] of Object.entries(works)) it(title, startedBefore(work));
}
