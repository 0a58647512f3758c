import type { BackendTls } from '../backend-tls.js';
import type { HealthOptions } from '../options.js';
import { type ProbeResult, probe } from './probe.js';

/** What the probes of one backend say so far: on which side it is, and how many in a row spoke for the other one. */
export interface HealthState {
  readonly up: boolean;
  readonly contrary: number;
}

/** The first probe decides at once; after that it takes `rise` or `fall` in a row to change sides. */
export function nextStanding(
  standing: HealthState | undefined,
  ok: boolean,
  { rise, fall }: Pick<HealthOptions, 'rise' | 'fall'>,
): HealthState {
  if (standing === undefined) return { up: ok, contrary: 0 };
  if (standing.up === ok) return { up: ok, contrary: 0 };
  const contrary = standing.contrary + 1;
  return contrary >= (ok ? rise : fall) ? { up: ok, contrary: 0 } : { up: standing.up, contrary };
}

/** Told after every probe; `edge` when this one made the backend change sides. */
export type OnProbe = (result: ProbeResult, standing: HealthState, edge: boolean) => void;

/** Probes one backend until stopped. */
export class HealthWatch {
  readonly #url: URL;
  #options: HealthOptions;
  readonly #onProbe: OnProbe;
  readonly #backendTls: BackendTls | undefined;
  #abort: AbortController | undefined;
  #stopped = false;
  #standing: HealthState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again = false;

  constructor(url: URL, options: HealthOptions, onProbe: OnProbe, backendTls?: BackendTls) {
    this.#url = url;
    this.#options = options;
    this.#onProbe = onProbe;
    this.#backendTls = backendTls;
  }

  /** Begins; resolves after the first probe, whatever it said. */
  start(): Promise<void> {
    return this.#probe();
  }

  /** A probe that is under way may have been answered before the cause of this call: another one follows it. */
  probeNow(): void {
    if (this.#abort !== undefined) this.#again = true;
    else if (!this.#stopped) void this.#probe();
  }

  /** Holds from the next probe on; what the earlier ones said still counts. */
  change(options: HealthOptions): void {
    this.#options = options;
    this.probeNow();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  async #probe(): Promise<void> {
    clearTimeout(this.#timer);
    this.#again = false;
    this.#abort = new AbortController();
    const result = await probe(this.#url, this.#options, this.#abort, this.#backendTls);
    this.#abort = undefined;
    if (this.#stopped) return;
    // Backends must not be taken for down, and for another boot later, because the proxy is short of something.
    if (!result.unasked || this.#standing === undefined) this.#tell(result);
    if (this.#again) void this.#probe();
    else this.#timer = setTimeout(() => void this.#probe(), this.#pauseMs());
  }

  #tell(result: ProbeResult): void {
    const before = this.#standing;
    this.#standing = nextStanding(before, result.ok, this.#options);
    this.#onProbe(result, this.#standing, before?.up !== this.#standing.up);
  }

  #pauseMs(): number {
    const { everyMs, transitionMs } = this.#options;
    return this.#standing?.contrary === 0 ? everyMs : Math.min(everyMs, transitionMs);
  }
}
