import type { CommandModule } from 'yargs';
import { modeNames } from '../modes.js';
import { fittedTable } from '../report/fitted-table.js';
import { exitCodes, exiting } from './exit.js';
import { factsOf, type ModeFacts } from './mode-facts.js';
import { checkOutputs, writeWhole } from './output.js';
import { columnsOf } from './streams.js';

interface ModesArgs {
  readonly json: string | undefined;
}

export const modes: CommandModule<object, ModesArgs> = {
  command: 'modes',
  describe: 'the ways to keep a session, side by side: what each promises and costs',
  builder: yargs =>
    yargs
      .option('json', { type: 'string', requiresArg: true, describe: 'write the table as JSON (schema 1)' })
      .example('$0 modes', 'the table, and how to read it')
      .example('$0 modes --json modes.json', 'the same for scripts'),
  handler: exiting(showModes),
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
  'ended\nelsewhere': ({ revocationLagMs: lagMs }) => (lagMs === 0 ? 'at once' : `in ${lagMs / 1000} s`),
  'data\nbytes': ({ dataBytesMax }) => count(dataBytesMax),
  'cookie\nbytes': ({ cookieBytes: { empty, full } }) =>
    empty === full ? count(empty) : `${count(empty)}–${count(full)}`,
  'trips\nr / w': ({ roundTrips: { read, write } }) => `${read} / ${write}`,
  'parallel\nedits': ({ compareAndSet }) => (compareAndSet ? 'kept' : 'last wins'),
};

const legend = `
lost with its   what takes acknowledged writes with it: the backend’s process, the store’s process, the disk, the keys
                * and, within 5 min, the store of the refresh tokens
served by       any backend, or its own: the one to which a cookie binds the browser
ended elsewhere how soon a session that was ended on one backend is refused by the others
data bytes      of JSON, certain to fit into one session; more is refused
cookie bytes    the value that every request carries: of a session without data, of one that is full
trips r / w     to the store and back for a request that reads the session, for one that changes it
parallel edits  last wins: of two edits at the same time one is lost, although acknowledged`;

function table(facts: readonly ModeFacts[]): string {
  const head = Object.keys(columns);
  const rows = facts.map(each => Object.values(columns).map(cell => cell(each)));
  const aligns = head.map(title => (/bytes|trips/.test(title) ? 'right' : 'left'));
  return fittedTable({ head, rows, aligns }, columnsOf(process.stdout));
}

function count(value: number): string {
  return value.toLocaleString('en');
}

/** JSON has no infinity: a clock that may go back as far as it likes is none. */
function jsonValue(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? null : value;
}
