import { expect } from 'chai';
import { storeContract, type TestRunner } from '#src/sessions/contract/store-contract.js';
import type { SessionStore, StoreEntry } from '#src/sessions/session-store.js';
import { memory } from '#src/sessions/stores/memory.js';

type Hook = () => Promise<void> | void;

/** A test runner of twenty lines: it registers the cases, runs them in order, and returns the titles of those that fail. */
async function findFailures(entry: StoreEntry): Promise<string[]> {
  const hooks: Record<string, Hook[]> = { before: [], after: [], beforeEach: [], afterEach: [] };
  const cases: { readonly title: string; readonly run: Hook }[] = [];
  const hook = (name: string) => (run: Hook) => void hooks[name]?.push(run);
  const runAll = async (name: string) => {
    for (const run of hooks[name] ?? []) await run();
  };
  const runner: TestRunner = {
    describe: (_title, register) => register(),
    it: (title, run) => void cases.push({ title, run }),
    before: hook('before'),
    after: hook('after'),
    beforeEach: hook('beforeEach'),
    afterEach: hook('afterEach'),
  };
  storeContract(runner, { entry, startLab: async () => ({ url: undefined, stop: async () => undefined }) });
  expect(cases.length).to.be.greaterThan(20);
  const failed: string[] = [];
  await runAll('before');
  for (const { title, run } of cases) {
    await runAll('beforeEach');
    await Promise.resolve(run()).catch(() => failed.push(title));
    await runAll('afterEach');
  }
  await runAll('after');
  return failed;
}

/** Returns the memory store with one method replaced. */
function withMethods(replace: (store: SessionStore) => Partial<SessionStore>): StoreEntry {
  const open: StoreEntry['open'] = settings => {
    const store = memory.open(settings);
    const replaced: object = replace(store);
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(name in replaced ? replaced : target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return { ...memory, open };
}

describe('contract of stores', () => {
  it('runs in any test runner, and the memory store keeps it', async () => {
    expect(await findFailures(memory)).to.deep.equal([]);
  });

  for (const [what, entry, title] of [
    [
      'overwrites a newer version',
      withMethods(store => ({
        replace: async (id, record) => {
          const version = (await store.read(id))?.version ?? 0;
          return store.replace(id, { ...record, version: version + 1 });
        },
      })),
      'reports a conflict for an old, the same and a future version',
    ],
    [
      'ends no session by an epoch',
      withMethods(() => ({ raiseEpoch: async () => 1 })),
      'end every session of one user in one step',
    ],
    [
      'forgets to end',
      withMethods(() => ({ remove: async () => 'removed' as const })),
      'removes once, and resolves with gone the second time',
    ],
    [
      'clears nothing',
      withMethods(() => ({ clear: async () => 1 })),
      'clears every session, and keeps those created afterwards',
    ],
  ] as const) {
    it(`finds a store that ${what}`, async () => {
      expect(await findFailures(entry)).to.include(title);
    });
  }
});
