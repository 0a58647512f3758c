import { expect } from 'chai';
import { type Cell, judgePhase, NoMeans, Unestablished, WithoutEffect } from '#src/conformance/cell.js';
import type { CarriedOut, RawExchange, Recording } from '#src/conformance/exchange.js';
import { cellsOf } from '#src/conformance/run-conformance.js';
import type { FailureRow } from '#src/conformance/table.js';

/** One request of the user, and its result. */
interface Told {
  readonly phase?: string;
  readonly method?: 'GET' | 'POST';
  readonly status?: number;
  readonly failure?: 'reset' | 'timeout' | 'closed';
  /** The process that wrote the answer, such as `backend-1#a`. */
  readonly by?: string;
  /** Processes that carried it out. Default: the one that answered. */
  readonly carriedOut?: readonly string[];
  readonly memory?: CarriedOut['memory'];
  /** Cookies that the proxy set. */
  readonly cookies?: readonly string[];
  /** A header that the proxy added for the app. */
  readonly added?: string;
  readonly url?: string;
}

const before: Told = { phase: 'before', by: 'backend-1#a', memory: 'new', cookies: ['lb=1'] };

function observe(...all: readonly Told[]): Recording {
  const exchanges = all.map(exchangeOf);
  return { exchanges, log: all.flatMap(carriedOutBy) };
}

function exchangeOf({ phase = 'after', method = 'POST', ...told }: Told, index: number): RawExchange {
  const { status = 200, failure, by, cookies = [] } = told;
  const head = [`HTTP/1.1 ${status} OK`, ...(by === undefined ? [] : [`x-witness: ${by}`])];
  const lines = [...head, ...cookies.map(cookie => `Set-Cookie: ${cookie}; Path=/`)];
  const isWhole = failure === undefined;
  const answer = isWhole || by !== undefined ? { status, head: lines, body: '', complete: isWhole } : undefined;
  return { id: `r${index}`, user: 'user-1', phase, method, to: 'proxy', request: [], answer, failure };
}

function carriedOutBy(told: Told, index: number): CarriedOut[] {
  const { by, carriedOut = by === undefined ? [] : [by], memory = 'known', added, url = '/visit' } = told;
  return carriedOut.map(process => {
    const [backend = '', boot = ''] = process.split('#');
    const rawHeaders = ['Host', 'shop', ...(added === undefined ? [] : [added, 'yes'])];
    return { id: `r${index}`, backend, boot, method: 'POST', url, memory, rawHeaders, cookies: [] };
  });
}

const table: readonly (readonly [title: string, told: Told | readonly Told[], kind: Cell['kind'], says: string])[] = [
  ['is kept when the same process answers', { by: 'backend-1#a' }, 'kept', 'kept'],
  [
    'is moved when another backend answers and the proxy changes its cookie',
    { by: 'backend-2#b', memory: 'forgotten', cookies: ['lb=2'] },
    'moved',
    'moved',
  ],
  [
    'is moved when another backend answers and the proxy tells the app by a header',
    { by: 'backend-2#b', memory: 'forgotten', added: 'affinity-lost' },
    'moved',
    'moved',
  ],
  [
    'is a silent loss when another backend answers and the proxy says nothing',
    { by: 'backend-2#b', memory: 'forgotten' },
    'silent loss',
    'silently moved',
  ],
  [
    'is a silent loss when another backend answers and the proxy only sends its cookie again',
    { by: 'backend-2#b', memory: 'forgotten', cookies: ['lb=1; Max-Age=3600'] },
    'silent loss',
    'silently moved',
  ],
  [
    'is a silent loss when a move back meets a session that is still known',
    [{ by: 'backend-2#b', memory: 'forgotten', cookies: ['lb=2'], phase: 'before' }, { by: 'backend-1#a' }],
    'silent loss',
    'silently moved',
  ],
  [
    'is a silent loss when the backend has restarted with an empty memory',
    { by: 'backend-1#z', memory: 'forgotten' },
    'silent loss',
    'silently forgotten',
  ],
  [
    'is moved when the backend has restarted and the proxy says so',
    { by: 'backend-1#z', memory: 'forgotten', cookies: ['lb=1z'] },
    'moved',
    'moved',
  ],
  [
    'is carried out twice when two backends carried out one POST',
    { by: 'backend-1#a', carriedOut: ['backend-2#b', 'backend-1#a'] },
    'twice',
    'carried out twice',
  ],
  [
    'is carried out twice also when the user got an error',
    { status: 502, carriedOut: ['backend-2#b', 'backend-1#a'] },
    'twice',
    'carried out twice, error for 1 of 1',
  ],
  [
    'is kept when a GET was repeated',
    { method: 'GET', by: 'backend-1#a', carriedOut: ['backend-1#a', 'backend-1#a'] },
    'kept',
    'kept',
  ],
  ['is an error for a status from 400', [{ status: 503 }, { by: 'backend-1#a' }], 'error', 'error for 1 of 2'],
  ['is an error when no answer came in time', { failure: 'timeout' }, 'error', 'error for 1 of 1'],
  [
    'is an error when half of an answer came, which no backend had cut',
    { by: 'backend-1#a', failure: 'reset' },
    'error',
    'error for 1 of 1',
  ],
  [
    'says that a cut answer was passed on as cut',
    { by: 'backend-1#a', failure: 'closed', url: '/cut?framing=length' },
    'error',
    'cut passed on',
  ],
  [
    'is a silent loss when a cut answer arrives as if it were whole',
    { by: 'backend-1#a', url: '/cut?framing=length' },
    'silent loss',
    'cut answer completed',
  ],
  [
    'sees two cookies of one name in one answer',
    { by: 'backend-1#a', cookies: ['lb=2', 'lb=1'] },
    'several cookies',
    'several cookies',
  ],
  ['accepts two cookies of different names', { by: 'backend-1#a', cookies: ['lb=2', 'route=1'] }, 'kept', 'kept'],
  [
    'is unknown when the log of the backend lacks a request that it answered',
    { by: 'backend-1#a', carriedOut: [] },
    'unknown',
    'unknown',
  ],
  ['is unknown when the proxy answers with success by itself', { status: 200 }, 'unknown', 'unknown'],
  ['is unknown when no request was sent', { phase: 'waiting', by: 'backend-1#a' }, 'unknown', 'unknown'],
  [
    'is unknown when a request failed before anything had happened',
    [{ phase: 'before', status: 502 }, { by: 'backend-1#a' }],
    'unknown',
    'unknown',
  ],
  [
    'has the worst of several results first',
    [{ status: 503 }, { by: 'backend-2#b', memory: 'forgotten', cookies: ['lb=2'] }, { by: 'backend-1#a' }],
    'silent loss',
    'silently moved, error for 1 of 3, moved',
  ],
];

describe('a cell of the failure table', () => {
  for (const [title, told, kind, says] of table) {
    it(title, () => {
      const cell = judgePhase(observe(before, ...[told].flat()), 'after');
      expect({ kind: cell.kind, says: cell.says }).to.deep.equal({ kind, says });
    });
  }

  it('points to the exchange that shows the worst result', () => {
    const cell = judgePhase(observe(before, { by: 'backend-1#a' }, { status: 503 }), 'after');
    expect(cell.decisive).to.equal(2);
  });

  const row: FailureRow = { title: '', phases: { first: 'first', second: 'second' }, run: async () => {} };
  const first: Told = { phase: 'first', by: 'backend-1#a' };
  const kindsOf = (recording: Recording, problem: unknown) =>
    Object.values(cellsOf(row, recording, problem)).map(({ kind }) => kind);

  it('is not applicable in every phase when the proxy has no means for the row', () => {
    expect(kindsOf(observe(before, first), new NoMeans('no reload'))).to.deep.equal([
      'not applicable',
      'not applicable',
    ]);
  });

  it('is unknown from the phase on in which a fault was not confirmed', () => {
    const waiting: Told = { phase: 'waiting', by: 'backend-1#a' };
    const problem = new Unestablished('backend-1 did not hang');
    expect(kindsOf(observe(before, first, waiting), problem)).to.deep.equal(['kept', 'unknown']);
    expect(kindsOf(observe(before, first), problem)).to.deep.equal(['unknown', 'unknown']);
  });

  it('is unknown in every phase when what was done had no effect, also where users saw nothing wrong', () => {
    const waiting: Told = { phase: 'waiting', by: 'backend-1#a' };
    const problem = new WithoutEffect('a reload had no effect');
    expect(kindsOf(observe(before, first, waiting), problem)).to.deep.equal(['unknown', 'unknown']);
  });

  it('is unknown when the row has a mistake of its own', () => {
    expect(kindsOf(observe(before), new TypeError('x is undefined'))).to.deep.equal(['unknown', 'unknown']);
  });
});
