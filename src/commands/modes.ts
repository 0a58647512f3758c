import type { CommandModule } from 'yargs';
import { type Mode, type ModeName, modes as modeEntries, modeNames } from '../modes.js';
import { fitTable } from '../report/fitted-table.js';
import { stores, strategies } from '../sessions/registry.js';
import { defaultLimits, type SessionData } from '../sessions/session.js';
import type { SessionStore, StoreCapabilities } from '../sessions/session-store.js';
import type { StrategyCapabilities, StrategyEntry } from '../sessions/session-strategy.js';
import { generateKeyRing } from '../shared/key-ring.js';
import { writeWhole } from '../shared/result-files.js';
import { exitCodes, toHandler } from './lib/exit.js';
import { checkOutputs } from './lib/output.js';
import { columnsOf } from './lib/streams.js';

interface ModesArgs {
  readonly json: string | undefined;
}

export const modes: CommandModule<object, ModesArgs> = {
  command: 'modes',
  describe: 'compare the ways to keep a session: what each guarantees and costs',
  builder: yargs =>
    yargs
      .option('json', { type: 'string', requiresArg: true, describe: 'write the table as JSON (schema 1)' })
      .example('$0 modes', 'the table and its legend')
      .example('$0 modes --json modes.json', 'the same for scripts'),
  handler: toHandler(showModes),
};

async function showModes({ json }: ModesArgs): Promise<number> {
  await checkOutputs({ json }, undefined, ['modes']);
  const facts = await Promise.all(modeNames.map(factsOf));
  process.stdout.write(`${table(facts)}\n${legend}\n`);
  if (json !== undefined) await writeWhole(json, `${JSON.stringify({ schema: 1, modes: facts }, jsonValue, 2)}\n`);
  return exitCodes.ok;
}

const lostWith: Record<ModeFacts['durability'], string> = {
  process: 'backend',
  'store-process': 'store',
  disk: 'disk',
  browser: 'keys',
};

const columns: Record<string, (facts: ModeFacts) => string> = {
  mode: ({ mode }) => mode,
  'data\nkept in': ({ dataIn, store }) => (dataIn === 'browser' ? 'browser' : store),
  'lost\nwith its': ({ durability, withoutStoreMs }) =>
    durability === 'browser' && withoutStoreMs < Number.POSITIVE_INFINITY
      ? `${lostWith[durability]}*`
      : lostWith[durability],
  'served\nby': ({ affinity }) => (affinity ? 'its own' : 'any'),
  'ended\nelsewhere': ({ revocationLagMs: lagMs, revocationLagCutOffMs: cutOffMs }) =>
    lagMs === 0 ? 'at once' : `in ${lagMs / 1000} s${cutOffMs > lagMs ? '**' : ''}`,
  'data\nbytes': ({ dataBytesMax }) => count(dataBytesMax),
  'cookie\nbytes': ({ cookieBytes: { empty, full } }) =>
    empty === full ? count(empty) : `${count(empty)}–${count(full)}`,
  'trips\nr / w': ({ roundTrips: { read, write } }) => `${read} / ${write}`,
  'parallel\nedits': ({ compareAndSet }) => (compareAndSet ? 'kept' : 'last wins'),
};

const legend = `
lost with its   acknowledged writes are lost with this: the process of the backend or store, the disk, or the keys
                * and, within 5 min, with the store of the refresh tokens
served by       any backend, or its own: the backend to which a cookie binds the browser
ended elsewhere how soon all other backends refuse a session that ended on one backend
                ** a backend that cannot reach the store learns of it when it can again, or refuses sessions (an option)
data bytes      size of the JSON data that always fits into one session; more is refused
cookie bytes    size of the cookie value in every request: for an empty session – for a full session
trips r / w     round trips to the store for a request that reads / changes the session
parallel edits  last wins: of two concurrent edits one is lost, although it was acknowledged`;

function table(facts: readonly ModeFacts[]): string {
  const head = Object.keys(columns);
  const rows = facts.map(each => Object.values(columns).map(cell => cell(each)));
  const aligns = head.map(title => (/bytes|trips/.test(title) ? 'right' : 'left'));
  return fitTable({ head, rows, aligns }, columnsOf(process.stdout));
}

function count(value: number): string {
  return value.toLocaleString('en');
}

/** Replaces infinity by null, because JSON has no infinity. */
function jsonValue(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? null : value;
}

/** The facts of one mode: what its strategy guarantees on its store, and the size of its cookie. */
interface ModeFacts extends Mode, StrategyCapabilities {
  readonly mode: ModeName;
  /** Size of the cookie value for a user name of four letters: `empty` without data, `full` with all that fits. */
  readonly cookieBytes: { readonly empty: number; readonly full: number };
}

export async function factsOf(mode: ModeName): Promise<ModeFacts> {
  const promised = await capabilitiesOf(mode);
  const dataBytesMax = Math.min(defaultLimits.dataBytesMax, promised.dataBytesMax);
  const [empty, full] = await Promise.all([
    cookieBytesOf(mode, 'anna', {}),
    cookieBytesOf(mode, 'anna', dataOf(dataBytesMax)),
  ]);
  return { mode, ...modeEntries[mode], ...promised, dataBytesMax, cookieBytes: { empty, full } };
}

/** Returns what the strategy of a mode guarantees on the store of that mode. */
async function capabilitiesOf(mode: ModeName): Promise<StrategyCapabilities> {
  return (await strategyOf(mode)).capabilities(await storeCapabilitiesOf(mode));
}

async function storeCapabilitiesOf(mode: ModeName): Promise<StoreCapabilities> {
  return (await loadRegistered(stores, modeEntries[mode].store)).capabilities;
}

/**
 * Measures the length of the cookie value for a new session. It asks the strategy itself and uses no formula. The store
 * does not affect the token, so it uses one that needs no server.
 */
export async function cookieBytesOf(mode: ModeName, user: string, data: SessionData): Promise<number> {
  const ring = generateKeyRing();
  const strategy = (await strategyOf(mode)).open({
    store: await openMemoryStore(),
    feed: undefined,
    keys: () => ring,
    limits: defaultLimits,
    now: Date.now,
  });
  try {
    return (await strategy.begin(user, data)).token.length;
  } finally {
    await strategy.close();
  }
}

async function openMemoryStore(): Promise<SessionStore> {
  const { storeDeadlineMs: deadlineMs } = defaultLimits;
  return (await loadRegistered(stores, 'memory')).open({ url: undefined, deadlineMs, now: Date.now });
}

function strategyOf(mode: ModeName): Promise<StrategyEntry> {
  return loadRegistered(strategies, modeEntries[mode].strategy);
}

/** Makes data whose JSON has this many bytes. */
function dataOf(bytes: number): SessionData {
  const around = JSON.stringify({ cart: '' }).length;
  return { cart: 'x'.repeat(bytes - around) };
}

async function loadRegistered<Entry>(
  registry: Readonly<Record<string, () => Promise<Entry>>>,
  name: string,
): Promise<Entry> {
  const load = registry[name];
  if (load === undefined) throw new Error(`nothing is registered as ${name}`);
  return load();
}
