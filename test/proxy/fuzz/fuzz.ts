import type { EngineFactory } from '#src/proxy/exchange.js';
import { pick, type Random, randomStream } from '#src/simulator/plan/random.js';
import { answerOk, type Recorder, withRecorder } from '../recording-backend.js';
import { type Script, speaking, tryAnswer } from './answer-trial.js';
import { answer, request } from './grammar.js';
import type { Allowances, Handling, Judgement } from './judge.js';
import { engineFor, Lane } from './lane.js';
import { minimise } from './minimise.js';
import { mutated, split } from './mutations.js';
import { tryRequest } from './request-trial.js';

export type Direction = 'requests' | 'answers';

export interface FuzzOptions {
  readonly make: EngineFactory;
  readonly allowances: Allowances;
  readonly direction: Direction;
  readonly seed: number;
  /** Runs the cases `from`, `from + 1` ... */
  readonly from: number;
  readonly count: number;
  readonly lanes: number;
  readonly discrepanciesMax: number;
  onProgress(done: number): void;
}

export interface Discrepancy {
  readonly nth: number;
  readonly pieces: readonly string[];
  readonly wrong: string;
  /** The shortest bytes found with the same fault in one piece. Undefined: it needs these pieces. */
  readonly shortest: string | undefined;
}

export interface Findings {
  readonly found: readonly Discrepancy[];
  /** The number of cases per handling. */
  readonly handlings: Readonly<Record<Handling, number>>;
  /** Messages that arrived complete, of all cases. */
  readonly passedOn: number;
}

interface Case {
  readonly nth: number;
  readonly pieces: readonly string[];
  readonly method: string;
  readonly version: string;
  readonly closes: boolean;
}

type Trial = (given: Case) => Promise<Judgement>;

/** Returns the case of this number; the same seed gives the same case. */
function caseOf({ seed, direction }: Pick<FuzzOptions, 'seed' | 'direction'>, nth: number): Case {
  const random = randomStream(seed, `${direction}/${nth}`);
  const bytes = direction === 'requests' ? requests(random) : answer(random);
  return {
    nth,
    pieces: split(mutated(bytes, random), random),
    method: pick(random, ['GET', 'GET', 'GET', 'HEAD', 'DELETE']) ?? 'GET',
    version: random() < 0.85 ? '1.1' : '1.0',
    closes: random() < 0.4,
  };
}

function requests(random: Random): string {
  const count = 1 + Math.floor(random() ** 2 * 4);
  return Array.from({ length: count }, () => request(random)).join('');
}

/** Runs the cases through one engine, some in parallel. Bytes of one must never appear in another. */
export async function fuzz(options: FuzzOptions): Promise<Findings> {
  const found: Discrepancy[] = [];
  const handlings = { 'passed on': 0, 'refused by both': 0, 'refused by the engine alone': 0, 'never whole': 0 };
  const lanes = new Map<string, Lane>();
  const engine = engineFor(options.make, lanes);
  let next = options.from;
  let passed = 0;
  const work = async (trial: Trial): Promise<void> => {
    while (next < options.from + options.count && found.length < options.discrepanciesMax) {
      const given = caseOf(options, next);
      next += 1;
      const { handling, wrong, passedOn } = given.pieces.length === 0 ? nothing : await trial(given);
      handlings[handling] += 1;
      passed += passedOn;
      if (wrong !== undefined) found.push(await explained(given, wrong, trial));
      options.onProgress(next - options.from);
    }
  };
  try {
    const addresses = Array.from({ length: options.lanes }, (_, nth) => `127.0.1.${nth + 1}`);
    await Promise.all(addresses.map((address, nth) => withTrial(options, { engine, lanes, address, nth }, work)));
  } finally {
    await engine.close(0);
  }
  return { found, handlings, passedOn: passed };
}

const nothing: Judgement = { handling: 'never whole', passedOn: 0, wrong: undefined };

interface Place {
  readonly engine: ReturnType<typeof engineFor>;
  readonly lanes: Map<string, Lane>;
  readonly address: string;
  readonly nth: number;
}

/**
 * Runs trials on one lane. Every second lane has its client in memory, so that the pieces arrive exactly as they were
 * split. All other connections are real.
 */
async function withTrial(options: FuzzOptions, place: Place, use: (trial: Trial) => Promise<void>): Promise<void> {
  const { direction, allowances } = options;
  const script: Script = { pieces: [], closes: false, spoken: false };
  await withRecorder(direction === 'requests' ? answerOk : speaking(script), async (recorder: Recorder) => {
    const lane = new Lane(place.engine, place.address, recorder.url);
    place.lanes.set(place.address, lane);
    if (place.nth % 2 === 1) await lane.listen();
    await use(({ nth, pieces, method, version, closes }) => {
      if (direction === 'requests') return tryRequest(lane, recorder, pieces, allowances);
      return tryAnswer(lane, recorder, Object.assign(script, { pieces, closes, spoken: false }), {
        method,
        version,
        nth,
        allowances,
      });
    });
    lane.close();
  });
}

async function explained(given: Case, wrong: string, trial: Trial): Promise<Discrepancy> {
  const { nth, pieces } = given;
  const fails = async (bytes: string) =>
    bytes !== '' && kind((await trial({ ...given, pieces: [bytes] })).wrong) === kind(wrong);
  const bytes = pieces.join('');
  const shortest = (await fails(bytes)) ? await minimise(bytes, fails) : undefined;
  return { nth, pieces, wrong, shortest };
}

/** Returns the common part of two failures of one kind. */
function kind(wrong: string | undefined): string | undefined {
  return wrong?.replace(/[:(][\s\S]*$/, '').replace(/\d+/g, 'n');
}
