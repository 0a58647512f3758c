import type { RequestListener } from 'node:http';
import type { Backend } from '#src/proxy/backends.js';
import type {
  EngineAnswer,
  EngineFactory,
  EngineLimits,
  EngineParts,
  Exchange,
  HeaderEdits,
  Outcome,
} from '#src/proxy/exchange.js';
import { Frontend, type FrontSettings } from '#src/proxy/front/frontend.js';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';
import { buildTrustList } from '#src/proxy/headers.js';
import type { BackendTls } from '#src/proxy/sockets.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { withToys } from '../toy-backend.js';

export const noEdits: HeaderEdits = { request: {}, ownCookie: '', onAnswer: () => [] };

export interface RunningEngine {
  readonly url: string;
  readonly outcomes: Outcome[];
  /** The answers of the engine itself. */
  readonly engineAnswers: EngineAnswer[];
  /** Resolves when `count` attempts are over. */
  settled(count: number): Promise<Outcome[]>;
  /** The exchanges in order of arrival. */
  readonly exchanges: Exchange[];
  arrived(count: number): Promise<Exchange[]>;
  reloadTls(pair: TlsPair): void;
  /** Returns the number of open client connections. */
  connections(): number;
  drainConnections(): void;
  close(graceMs: number, keepIdle?: boolean): Promise<void>;
}

/** A backend that is ready. Its name is for display. */
export function backendAt(url: URL, name = 'backend-1'): Backend {
  return {
    name,
    identity: url.origin,
    url,
    state: 'ready',
    share: 1,
    incarnation: '1',
    inFlight: new Set(),
  };
}

/** Tries one URL after the other while attempts are refused or broken off. Refuses with 502 after the last. */
export async function withEngine(
  make: EngineFactory,
  urls: readonly URL[],
  use: (engine: RunningEngine) => Promise<void>,
  options: EngineTest = {},
): Promise<void> {
  const { edits = noEdits, limits = {}, trusted = [], backendTls, forwarded = false, front: settings = {} } = options;
  const outcomes: Outcome[] = [];
  const exchanges: Exchange[] = [];
  const engineAnswers: EngineAnswer[] = [];
  const waiting: (() => void)[] = [];
  const told = (): void => {
    for (const look of waiting) look();
  };
  const until = <T>(list: T[], count: number): Promise<T[]> =>
    new Promise(resolve => {
      const look = () => list.length >= count && resolve(list);
      waiting.push(look);
      look();
    });
  const serve = async (exchange: Exchange): Promise<void> => {
    exchanges.push(exchange);
    told();
    for (const url of urls) {
      const outcome = await exchange.send(backendAt(url), edits);
      outcomes.push(outcome);
      told();
      if (outcome.kind === 'own-failure') break;
      if (outcome.kind !== 'refused' && outcome.kind !== 'broken-off') return;
    }
    exchange.refuse(502, 'no backend answered', { 'x-own': 'yes' });
  };
  const engine = make({
    onExchange: exchange => void serve(exchange),
    onEngineAnswer: answer => engineAnswers.push(answer),
    limits: { ...defaultProxyOptions.limits, ...limits },
    backendTls,
    forwarded,
    isTrusted: buildTrustList(trusted),
    onHttp2Refused: options.onHttp2Refused,
  });
  const front = new Frontend(connection => engine.take(connection), {
    isTrusted: buildTrustList(trusted),
    ...settings,
  });
  const { port } = await front.listen('127.0.0.1', 0);
  const close = (graceMs: number, keepIdle?: boolean): Promise<void> => {
    front.close();
    return engine.close(graceMs, keepIdle);
  };
  try {
    await use({
      url: `${settings.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
      connections: () => engine.connections,
      reloadTls: pair => front.reloadTls({ fallback: pair, byHost: new Map() }),
      outcomes,
      exchanges,
      engineAnswers,
      settled: count => until(outcomes, count),
      arrived: count => until(exchanges, count),
      drainConnections: () => engine.drainConnections(),
      close,
    });
  } finally {
    await close(0);
  }
}

export interface EngineTest {
  readonly backendTls?: BackendTls;
  readonly forwarded?: boolean;
  readonly front?: FrontSettings;
  readonly trusted?: readonly string[];
  readonly edits?: HeaderEdits;
  readonly limits?: Partial<EngineLimits>;
  readonly onHttp2Refused?: EngineParts['onHttp2Refused'];
}

/** Runs the engine in front of one backend, which behaves as `handle` says. */
export type Through = (
  handle: RequestListener,
  use: (engine: RunningEngine) => Promise<void>,
  options?: EngineTest,
) => Promise<void>;

export function throughWith(make: EngineFactory): Through {
  return (handle, use, options) =>
    withToys([handle], async (...toys) => {
      await withEngine(
        make,
        toys.map(toy => toy.url),
        use,
        options,
      );
    });
}
