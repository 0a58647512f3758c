import type { SideName } from '../protocol.js';
import { sideNames } from '../protocol.js';
import { find, makeButton } from './dom.js';
import type { LabSides } from './lab-state.js';

export interface SoughtActions {
  /** Marks the dots of this user on both sides; undefined: of no user. */
  mark(user: string | undefined): void;
  scrollTo(side: SideName, user: string): void;
  openStory(side: SideName, user: string): void;
  say(sentence: string): void;
  /** The reader has closed the notice. */
  closed(): void;
}

/** The user that the address names. Its dot is marked, and a notice offers its story, or says that it has no dot. */
export class SoughtUser {
  readonly #place = find('#sought', HTMLElement);
  readonly #actions: SoughtActions;
  #name: string | undefined;
  /** The facts that the notice was made from. */
  #shown = '';
  #isScrolled = false;

  constructor(actions: SoughtActions) {
    this.#actions = actions;
  }

  get name(): string | undefined {
    return this.#name;
  }

  seek(name: string | undefined): void {
    this.#name = name;
    this.#shown = '';
    this.#isScrolled = false;
    this.#place.hidden = true;
    this.#actions.mark(name);
  }

  draw(sides: LabSides): void {
    const name = this.#name;
    if (name === undefined) return;
    const found = sideNames.filter(side => sides[side]?.view.users.some(user => user.name === name));
    const isStarting = sideNames.some(side => sides[side]?.view.stage === 'starting');
    const shown = `${found} ${isStarting}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const [first] = found;
    // The users of a new system have yet to come.
    this.#place.hidden = first === undefined && isStarting;
    if (this.#place.hidden) return;
    const sentence = describeFound(name, found);
    const stories = found.map(side =>
      makeButton(`Its story on the ${side}`, () => this.#actions.openStory(side, name)),
    );
    this.#place.replaceChildren(
      sentence,
      ...stories,
      makeButton('Close', () => this.#actions.closed()),
    );
    this.#actions.say(sentence);
    if (first === undefined || this.#isScrolled) return;
    this.#isScrolled = true;
    this.#actions.scrollTo(first, name);
  }
}

export function describeFound(name: string, found: readonly SideName[]): string {
  if (found.length === 0) {
    return [
      `No simulated user is called ${name}, so ${name} has no dot.`,
      'The live lab shows and counts only simulated users.',
      'The page of the shop tells what happens to your own session.',
    ].join(' ');
  }
  return `The dot of ${name} is marked on ${found.length === 2 ? 'both sides' : `the ${found[0]} side`}.`;
}
