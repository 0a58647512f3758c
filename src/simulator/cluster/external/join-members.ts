import { unknownName } from '../../../shared/unknown-name.js';
import { LabError } from '../../errors.js';
import type { Cluster } from '../cluster.js';
import type { Listeners } from '../processes/process-member.js';
import { memberNumber } from '../targets.js';
import type { MembersSpec } from './driver.js';
import { drivers } from './drivers/registry.js';
import { ExternalDeployer } from './external-deployer.js';
import { ExternalMember } from './external-member.js';
import { ExternalSystem } from './external-system.js';

/**
 * Adds the members that the lab did not start to a cluster of a running system. Faults strike them by number: the n-th
 * ready one, the oldest first. `random` chooses for `member-any`. Rejects with `LabError` when no member is found.
 */
export async function joinMembers(
  cluster: Cluster,
  spec: MembersSpec,
  onState: Listeners['onState'],
  random: () => number,
): Promise<Cluster> {
  const system = new ExternalSystem(spec, cluster.shell);
  const ready = await system.open();
  const deploy = spec.driver === undefined ? undefined : drivers[spec.driver]?.deploy;
  const deployer = deploy && new ExternalDeployer(deploy, spec, cluster.shell);
  const members: ExternalMember[] = [];
  const create = (name: string): ExternalMember => {
    const number = memberNumber(name);
    if (number === undefined) throw new LabError(unknownName('member', name, ['member-1', 'member-any']));
    const member = new ExternalMember(
      name,
      system,
      listed => listed[number === 'any' ? Math.floor(random() * listed.length) : number - 1],
      onState,
    );
    members.push(member);
    return member;
  };
  return {
    ...cluster,
    members,
    member: name => members.find(member => member.name === name) ?? create(name),
    ...(deployer !== undefined && { deployer }),
    // The system goes on after the run, so it must be as it was.
    async stop() {
      try {
        await deployer?.restore();
      } finally {
        await cluster.stop();
      }
    },
    external: { naming: system.naming, startedWith: ready.map(({ name }) => name) },
    proxyAdmin: {
      drain: async () => undefined,
      ready: async () => undefined,
      // No proxy is asked: the driver's own list says which members are ready.
      backends: async () =>
        members.map(({ name }) => ({ name, state: 'ready', drained: false, inFlight: 0, bound: 0 }) as const),
    },
  };
}
