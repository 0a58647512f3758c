import type { SideName } from '../protocol.js';
import { sideNames } from '../protocol.js';
import { setText } from './dom.js';
import type { LabSides, ShownSide } from './lab-state.js';
import { describeStrike, tellWave } from './sentences.js';

const everyMs = 1_000;
/** Older sentences are dropped: a listener wants to hear what is true now. */
const sentencesMax = 4;

/**
 * Says strikes and changes of the loss counters in the polite live region, at most one sentence a second. Losses that
 * grow are said once, with the newest numbers.
 */
export class Announcer {
  readonly #region: HTMLElement;
  readonly #queue: string[] = [];
  readonly #said = new Map<string, string>();
  readonly #losses = new Map<SideName, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(region: HTMLElement) {
    this.#region = region;
  }

  say(sentence: string): void {
    this.#queue.push(sentence);
    if (this.#queue.length > sentencesMax) this.#queue.shift();
    this.#timer ??= setTimeout(() => this.#next(), 0);
  }

  /** Compares with what was said before. `isFirst`: all of this is old news. */
  follow(sides: LabSides, isFirst: boolean): void {
    for (const name of sideNames) {
      const shown = sides[name];
      if (shown === undefined) continue;
      this.#followStrikes(name, shown, isFirst);
      this.#followLosses(name, shown, isFirst);
    }
  }

  #followStrikes(name: SideName, { view }: ShownSide, isFirst: boolean): void {
    const ids = new Set<string>();
    for (const strike of view.strikes) {
      const key = `${name} ${strike.id}`;
      ids.add(key);
      if (this.#said.get(key) === strike.state) continue;
      this.#said.set(key, strike.state);
      if (!isFirst) this.say(`${capitalize(name)}: ${describeStrike(strike)}, ${strike.state.replace('-', ' ')}.`);
    }
    for (const key of this.#said.keys()) if (key.startsWith(`${name} `) && !ids.has(key)) this.#said.delete(key);
  }

  #followLosses(name: SideName, shown: ShownSide, isFirst: boolean): void {
    const { loggedOut, missing, lost, swapped } = shown.view.counts;
    const losses = `${loggedOut} ${missing} ${lost} ${swapped}`;
    const before = this.#losses.get(name);
    this.#losses.set(name, losses);
    if (before === losses || before === undefined || isFirst) return;
    const start = `${capitalize(name)}: `;
    const waiting = this.#queue.findIndex(sentence => sentence.startsWith(start) && sentence.includes(' ago: '));
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    this.say(start + tellWave(shown).text);
  }

  #next(): void {
    const sentence = this.#queue.shift();
    if (sentence !== undefined) setText(this.#region, sentence);
    this.#timer = sentence === undefined ? undefined : setTimeout(() => this.#next(), everyMs);
  }
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
