import type { FaultRecord, ListedRun, MemberRecord, Operation, SystemRecord } from '#src/simulator/history/records.js';
import { fault, runOf, user } from './histories.js';

export const system: SystemRecord = {
  members: [
    ...['backend-1', 'backend-2'].map(name => ({ name, role: 'backend' as const })),
    { name: 'proxy', role: 'proxy' },
  ],
  keeps: 'backend',
  stores: [],
  affinity: true,
};
export const twoProxies: SystemRecord = {
  ...system,
  members: [
    ...['backend-1', 'backend-2'].map(name => ({ name, role: 'backend' as const })),
    ...['proxy-1', 'proxy-2'].map(name => ({ name, role: 'proxy' as const })),
  ],
};

export interface Case {
  /** The operations of each user. `by` names the member that answered each operation. */
  readonly histories: readonly (readonly [history: string, ...by: (string | Partial<Operation>)[]])[];
  readonly struck: Partial<FaultRecord>;
  readonly system?: SystemRecord;
  readonly members?: readonly MemberRecord[];
}

/** Returns a run with a fault: requested at 1 s, confirmed at 1.1 s, healed from 2 s to 2.2 s. */
export function runWith({ histories, struck, system: described = system, members = [] }: Case): ListedRun {
  const operations = histories.flatMap(([history, ...by], index) =>
    user(`user-${index + 1}`, history).map((operation, place): Operation => {
      const answered = by[place] ?? {};
      return { ...operation, ...(typeof answered === 'string' ? { backend: answered } : answered) };
    }),
  );
  const record = { ...fault('f', 1000, 1100, 2200), healRequestedMs: 2000, target: 'backend-1', ...struck };
  const run = runOf(
    operations.map((operation, id) => ({ ...operation, id })),
    { faults: [record], members },
  );
  return { ...run, header: { ...run.header, system: described } };
}

export const b1 = 'backend-1';
export const b2 = 'backend-2';
