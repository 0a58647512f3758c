import { setTimeout as sleep } from 'node:timers/promises';
import { durationPattern, parseDuration } from '../../../shared/units.js';
import {
  commandPlaceholders,
  describeUnknownPlaceholder,
  labVariables,
  ownPlaceholders,
} from '../../cluster/backend.js';
import type { Cluster, Deployer, Release } from '../../cluster/cluster.js';
import { drivers, type MembersSpec } from '../../cluster/external/drivers.js';
import { countShare } from '../../cluster/rollout.js';
import { MemberNotBack } from '../../errors.js';
import { commandText } from '../../scenario/own-system.js';
import { duration, environment, map, percent, text, wholeNumber } from '../../scenario/values.js';
import { defineFault } from '../fault.js';

const surgeDefault = 0;
const unavailableDefault = 1;
/** Deployers with a rollout in progress, or one that will be rolled back. Two rollouts at once would replace the backends
 * of each other without an end. */
const rolling = new WeakSet<Deployer>();

/** Replaces the version of all backends under load, as `kubectl rollout` does. Healing rolls back only with
 * `rollback`. */
export const deploy = defineFault({
  summary: 'replaces the version of all backends, some at a time; healing rolls back only if "rollback" is set',
  doneInWords: 'got a new version',
  targets: ['backends'],
  needsDrain: true,
  options: {
    version: text('the name of a version such as B or v2', /^[\w.-]{1,40}$/)
      .default('B')
      .describe('Name of the new version. The version that runs first is "A".'),
    to: map('to', {
      env: environment.describe('Added to the environment of the new version.').default({}),
      command: commandText.optional().describe('Replaces system.backends.command in the new version.'),
      image: text('an image such as registry/shop:2', /^[\w@%+=:,./-]+$/)
        .optional()
        .describe('Replaces the image of the containers. For system.members with the driver kubectl.'),
    })
      .prefault({})
      .describe('What is different in the new version.'),
    surge: wholeNumber(0, 10)
      .optional()
      .describe('How many more backends than before may run. They need system.backends.spare. Default: 0.')
      .meta({ examples: [0] }),
    unavailable: wholeNumber(0, 20)
      .optional()
      .describe('How many fewer backends than before may be ready. Default: 1.')
      .meta({ examples: [1] }),
    canary: percent
      .optional()
      .describe('The share of backends that is replaced first, at least one. The others wait for "pause".')
      .meta({ examples: ['10 %'] }),
    pause: duration()
      .optional()
      .describe('How long the canary runs alone. Without it the other backends are never replaced.')
      .meta({ examples: ['1s'] }),
    rollback: text('when to roll back, such as "after 2s"', new RegExp(`^after\\s+${durationPattern}$`))
      .transform(written => parseDuration(written.replace(/^after\s+/, '')) ?? 0)
      .optional()
      .describe('Brings the old version back, this time after the deploy was confirmed.')
      .meta({ examples: ['after 2s'] }),
  },
  effect: (_target, { version }) => ({ kind: 'version', version }),
  effectInWords: 'the new version answered users between the start of the rollout and healing',
  lengthMs: ({ rollback }) => rollback,
  explainMissing(_target, { backends, members }, options) {
    if (members !== undefined) return explainExternal(members, options);
    const { to, surge = surgeDefault, unavailable = unavailableDefault, canary, pause } = options;
    const { count, spare = 0, command } = backends;
    if (surge === 0 && unavailable === 0)
      return 'found surge 0 and unavailable 0, with which nothing can be replaced: expected one of them to be 1 or more';
    if (surge > spare) return `found surge ${surge}, expected at most the ${spare} of system.backends.spare`;
    if (unavailable > count) return `found unavailable ${unavailable}, expected at most the ${count} backends`;
    if (to.image !== undefined) return 'found to.image, but the backends of the lab run in no containers: use to.env';
    if (pause !== undefined && canary === undefined) return 'found pause without a canary: expected both or none';
    return command === undefined ? explainForShop(to) : explainForOwnApp(to);
  },
  make(_target, { version, to, surge = surgeDefault, unavailable = unavailableDefault, canary, pause, rollback }) {
    const release: Release = { version, ...to };
    const pace = { surge, unavailable };
    let stopping = new AbortController();
    let rollout: Promise<void> | undefined;
    let held: Deployer | undefined;
    let isConfirmed = false;
    let confirmed: readonly string[] = [];

    async function rollOut(deployer: Deployer, signal: AbortSignal): Promise<void> {
      if (canary !== undefined) await deployer.rollOut(release, canary, pace, signal);
      if (pause !== undefined) await sleep(pause, undefined, { signal });
      if (canary === undefined || pause !== undefined) await deployer.rollOut(release, 1, pace, signal);
    }

    return {
      async inject(cluster) {
        stopping = new AbortController();
        const { signal } = stopping;
        const deployer = deployerOf(cluster);
        if (rolling.has(deployer))
          throw new Error(
            'another deploy is in progress: let this one begin when that one has ended, with a later "at"',
          );
        rolling.add(deployer);
        try {
          const running = [...(await deployer.versions()).values()];
          if (running.every(each => each === version))
            throw new Error(`version ${version} runs already: choose another name with "version"`);
          // A run that is interrupted heals without waiting for a slow command.
          signal.throwIfAborted();
          rollout = rollOut(deployer, signal);
          await rollout;
        } finally {
          // The deployer must remember the old version until the rollback.
          if (rollback === undefined) rolling.delete(deployer);
          else held = deployer;
        }
      },
      async confirm(cluster) {
        const running = [...(await deployerOf(cluster).versions()).entries()];
        const isAll = canary === undefined || pause !== undefined;
        const wanted = isAll ? running.length : countShare(canary, running.length);
        const own = running.filter(([, each]) => each === version).map(([name]) => name);
        isConfirmed = own.length === wanted && wanted > 0;
        if (!isConfirmed) {
          const found = running.map(([name, each]) => `${name} runs ${each}`).join(', ');
          throw new Error(
            `${own.length} of ${running.length} backends run version ${version}, expected ${wanted}: ${found}`,
          );
        }
        confirmed = own;
        return `${own.length} of ${running.length} backends run version ${version}: ${own.join(', ')}`;
      },
      async heal(cluster) {
        stopping.abort();
        await rollout?.catch(() => undefined);
        const crashed = isConfirmed ? findCrashed(cluster, confirmed) : undefined;
        if (rollout !== undefined && (rollback !== undefined || !isConfirmed)) await deployerOf(cluster).rollBack(pace);
        rollout = undefined;
        if (held !== undefined) rolling.delete(held);
        held = undefined;
        // Only the first healing reports the crashed member, because a rollback starts that member again.
        isConfirmed = false;
        if (crashed !== undefined)
          throw new MemberNotBack(crashed.name, `ran version ${version} and ended by itself: ${crashed.how}`);
      },
    };
  },
});

type Difference = Pick<Release, 'env' | 'command'>;

function explainForShop({ env, command }: Difference): string | undefined {
  if (command !== undefined)
    return 'found to.command, but the backends are the toy shop: set system.backends.command as well';
  const taken = Object.keys(env).find(name => labVariables.includes(name));
  return taken && `found to.env.${taken}, which the lab sets itself: remove it, or choose another name`;
}

function explainForOwnApp({ env, command = '' }: Difference): string | undefined {
  const ofValues = Object.values(env).map(value => describeUnknownPlaceholder(value, ownPlaceholders));
  return describeUnknownPlaceholder(command, commandPlaceholders) ?? ofValues.find(each => each !== undefined);
}

/** Says why members that the lab did not start cannot be deployed so; undefined when they can. */
function explainExternal(
  { driver = '' }: Pick<MembersSpec, 'driver'>,
  {
    to,
    surge,
    unavailable,
    canary,
    pause,
  }: Readonly<Record<string, unknown>> & { readonly to: Pick<Release, 'command'> },
): string | undefined {
  if (drivers[driver]?.deploy === undefined)
    return 'found deploy, but system.members has no driver that can replace versions: use the driver kubectl, or "do: exec"';
  const own = Object.entries({ surge, unavailable, canary, pause }).find(([, value]) => value !== undefined);
  if (own !== undefined)
    return `found ${own[0]}, but the workload itself decides how it replaces its members: leave it out`;
  return to.command && 'found to.command, but system.members starts no command: use to.env or to.image';
}

/** Returns a backend that has crashed. One that another fault ended has no exit code, or one of an end by a signal. */
function findCrashed(cluster: Cluster, names: readonly string[]) {
  const crashed = cluster.members.find(
    member =>
      names.includes(member.name) && !member.isRunning && /ended with code (?!0\b|137\b|143\b)/.test(member.describe()),
  );
  return crashed && { name: crashed.name, how: crashed.describe() };
}

function deployerOf({ deployer }: Cluster): Deployer {
  if (deployer !== undefined) return deployer;
  throw new Error('nothing here can replace the version of the backends');
}
