import { Document, isMap, isPair, isScalar, isSeq, type Scalar, visit } from 'yaml';
import { formatDuration } from '../../shared/units.js';
import type { MembersSpec } from '../cluster/external/drivers.js';
import type { ExternalProxy } from '../cluster/external/external-proxy.js';
import { plainStores } from '../cluster/stores/registry.js';
import { formatWhen } from '../faults/trigger.js';
import { stepKinds } from './journey/mapping.js';
import type { FaultSpec, Scenario } from './scenario.js';
import { formatUsers } from './users.js';
import { clean } from './yaml.js';

/** A comment on one part of a scenario file. */
export interface FileComment {
  /** The keys and indexes down to the part. Empty: the whole file. */
  readonly path: readonly (string | number)[];
  /** One comment line for each text, before the part. */
  readonly above?: readonly string[];
  /** On the line of the part. */
  readonly beside?: string;
}

/** Text of a comment line, without its indentation. Longer texts are wrapped. */
const commentWidth = 110;
const lineWidth = 120;

/**
 * Returns the text of a scenario file: `parseScenario` makes the same scenario of it. Comments are plain text, and a
 * comment on a part that does not exist is left out. Pure.
 */
export function writeScenario(scenario: Scenario, comments: readonly FileComment[] = []): string {
  const document = new Document(fileOf(scenario), { aliasDuplicateObjects: false });
  layOut(document, comments);
  for (const comment of comments) addComment(document, comment);
  return document.toString({ lineWidth, flowCollectionPadding: true });
}

/** Writes the maps at the leaves on one line each, and puts an empty line before each large part. */
function layOut(document: Document, comments: readonly FileComment[]): void {
  const isCommented = (path: readonly (string | number)[]) =>
    comments.some(comment => comment.path.length > path.length && path.every((key, i) => key === comment.path[i]));
  visit(document, {
    Collection(_key, node, ancestors) {
      const path = pathOf(ancestors, node);
      const [part, index] = path;
      if (path.length === 0 || (part === 'expect' && path.length === 1) || isCommented(path)) return undefined;
      const isLeaf = path.length > 1 || part === 'modes' || part === 'phases';
      if (isLeaf && !(part === 'users' && index === 'journey') && part !== 'expect') {
        node.flow = true;
        return visit.SKIP;
      }
      return undefined;
    },
  });
  if (!isMap(document.contents)) return;
  for (const { key } of document.contents.items)
    if (isScalar(key) && ['system', 'users', 'phases', 'faults', 'expect'].includes(String(key.value)))
      key.spaceBefore = true;
  const why = document.get('why', true);
  if (isScalar(why)) why.type = 'BLOCK_FOLDED';
}

function pathOf(ancestors: readonly unknown[], node: unknown): (string | number)[] {
  const path: (string | number)[] = [];
  [...ancestors, node].forEach((one, i, all) => {
    const child = all[i + 1];
    if (isPair(one) && isScalar(one.key)) path.push(String(one.key.value));
    else if (isSeq(one) && child !== undefined) path.push(one.items.indexOf(child));
  });
  return path;
}

function addComment(document: Document, { path, above = [], beside }: FileComment): void {
  const lines = above.flatMap(wrap).map(line => (line === '' ? '' : ` ${line}`));
  if (path.length === 0) {
    document.commentBefore = lines.join('\n');
    return;
  }
  const parent = document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  const value = document.getIn(path, true);
  const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
  const head = pair === undefined ? value : pair.key;
  if (isNodeWithComment(head) && lines.length > 0) head.commentBefore = lines.join('\n');
  if (isNodeWithComment(value) && beside !== undefined) value.comment = ` ${clean(beside)}`;
}

function isNodeWithComment(node: unknown): node is Scalar {
  return isScalar(node) || isMap(node) || isSeq(node);
}

/** Breaks a text into lines. An empty text is an empty comment line. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of clean(text).split(' ')) {
    if (line !== '' && line.length + word.length >= commentWidth) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** Returns the content of the file: the inverse of `scenarioIn` in `file.ts`. YAML leaves out values that are undefined. */
function fileOf({ name, why, seed, modes, system, users, phases, faults, expect }: Scenario): object {
  return {
    name,
    why,
    seed,
    modes,
    system: systemOf(system),
    users: usersOf(users),
    phases: {
      warmup: formatDuration(phases.warmupMs),
      baseline: formatDuration(phases.baselineMs),
      faults: formatDuration(phases.faultsMs),
      recovery: formatDuration(phases.recoveryMs),
      quiesce: formatDuration(phases.quiesceMs),
    },
    faults: faults.map(faultOf),
    expect,
  };
}

function systemOf({ target, members, backends, proxy, ...stores }: Scenario['system']): object {
  if (target !== undefined) return { target, members: members && membersOf(members) };
  const { count, spare, env, own } = backends;
  const ready = own && { http: own.ready.http, within: formatDuration(own.ready.withinMs) };
  const changed = Object.entries(stores).map(([store, spec]) => [store, storeOf(spec, plainSpecOf(store))] as const);
  return {
    backends: {
      count,
      spare: spare === 0 ? undefined : spare,
      env: Object.keys(env).length === 0 ? undefined : env,
      command: own?.command,
      directory: own?.directory,
      ready,
    },
    proxy: proxyOf(proxy),
    ...Object.fromEntries(changed.filter(([, spec]) => Object.keys(spec).length > 0)),
  };
}

function plainSpecOf(store: string): object {
  return Object.entries(plainStores).find(([name]) => name === store)?.[1] ?? {};
}

/** Returns the settings of a store server that differ from the defaults. */
function storeOf(spec: object, plain: object): object {
  const usual = new Map<string, unknown>(Object.entries(plain));
  const other = Object.entries(spec).filter(([key, value]) => usual.get(key) !== value);
  return Object.fromEntries(
    other.map(([key, value]) => (key === 'memoryMb' ? ['memory', `${value}MB`] : [key, value])),
  );
}

function proxyOf(proxy: Scenario['system']['proxy']): object {
  const { count, health, policy, hashKey, affinity, maxconn, queue, queueTimeoutMs, drainMs, external } = proxy;
  return {
    count: count === 1 ? undefined : count,
    health: {
      every: formatDuration(health.everyMs),
      timeout: formatDuration(health.timeoutMs),
      fall: health.fall,
      rise: health.rise,
    },
    policy,
    'hash-key': hashKey,
    affinity,
    maxconn,
    queue,
    'queue-timeout': maybeDuration(queueTimeoutMs),
    drain: formatDuration(drainMs),
    ...(external && externalOf(external)),
  };
}

function externalOf({ name, command, config, directory, ready, env, ...commands }: ExternalProxy): object {
  const { reload, setDrain, setReady, states, version } = commands;
  const { http, withinMs } = ready;
  return {
    name,
    command,
    config: config?.file,
    directory,
    ready: { ...(http === undefined ? { tcp: true } : { http }), within: formatDuration(withinMs) },
    reload,
    'set-drain': setDrain,
    'set-ready': setReady,
    states,
    version,
    env: Object.keys(env).length === 0 ? undefined : env,
  };
}

function usersOf(users: Scenario['users']): object {
  const { plan, arrivals, names, think, mix, tabs, slowAtLogoutMs, replayEveryMs, timeoutMs, cookie, journey } = users;
  return {
    plan: plan && formatUsers(plan),
    arrivals: plan === undefined ? arrivalsIn(arrivals) : undefined,
    names: plan === undefined ? names : undefined,
    think:
      plan === undefined ? { median: formatDuration(think.medianMs), p95: formatDuration(think.p95Ms) } : undefined,
    mix,
    tabs: tabs === 1 ? undefined : tabs,
    'slow-at-logout': maybeDuration(slowAtLogoutMs),
    'replay-every': maybeDuration(replayEveryMs),
    timeout: formatDuration(timeoutMs),
    'browser-cookie': users.browserCookie,
    cookie,
    journey: journey === 'shop' ? undefined : journeyOf(journey),
  };
}

function arrivalsIn({ ratePerSecond, forMs, process, maxActive }: Scenario['users']['arrivals']): object {
  return { rate: `${ratePerSecond}/s`, for: formatDuration(forMs), process, 'max-active': maxActive };
}

type OwnJourney = Exclude<Scenario['users']['journey'], 'shop'>;
type OwnStep = OwnJourney['login'];

function journeyOf(journey: OwnJourney): object {
  const kinds = [...stepKinds, 'password', 'refresh'] as const;
  const steps = kinds.map(kind => [kind, journey[kind] && stepOf(journey[kind])]);
  return { ...Object.fromEntries(steps), anonymous: journey.anonymous, carry: journey.carry };
}

function stepOf({ before, request, after, ...rest }: OwnStep): object {
  return {
    before: before && requestOf(before),
    request: requestOf(request),
    after: after && requestOf(after),
    ...rest,
  };
}

function membersOf({ driver, commands, selector, namedBy, withinMs }: MembersSpec): object {
  return { driver: driver ?? commands, selector, 'named-by': namedBy, within: formatDuration(withinMs) };
}

function requestOf({ method, path, ...rest }: OwnStep['request']): object {
  return { [method]: path, ...rest };
}

function faultOf({ id, trigger, do: action, target, options, forMs }: FaultSpec): object {
  return { id, ...triggerOf(trigger), do: action, target, ...options, for: maybeDuration(forMs) };
}

function triggerOf(trigger: FaultSpec['trigger']): object {
  if ('counter' in trigger) return { when: formatWhen(trigger) };
  if ('afterFault' in trigger) return { after: `${trigger.afterFault} + ${formatDuration(trigger.delayMs)}` };
  return { at: formatDuration(trigger.atMs) };
}

function maybeDuration(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatDuration(ms);
}
