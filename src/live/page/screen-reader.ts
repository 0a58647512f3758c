import { type SideName, sideNames, type UserStateName, type UserView } from '../protocol.js';
import { find, make, makeButton, setText } from './dom.js';
import type { LabSides, ShownSide } from './lab-state.js';
import { describeStrike, stateWords, tellWave } from './sentences.js';

/** The parts of the page for readers who cannot see it: spoken sentences, and a table that says the same as the dots. */

/** Time between two sentences. */
const sentenceEveryMs = 1_000;
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

  /** Compares with what was said before. `isFirst`: nothing of this is new. */
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
    this.#timer = sentence === undefined ? undefined : setTimeout(() => this.#next(), sentenceEveryMs);
  }
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const tableEveryMs = 1_000;
const states = Object.keys(stateWords) as UserStateName[];

/**
 * The users by state and member, as a table: the same as the dots, for readers who cannot see them. It is filled while
 * it is open, at most once a second.
 */
export class UserTable {
  readonly #details = find('#twin', HTMLDetailsElement);
  readonly #place = find('#twin-tables', HTMLDivElement);
  readonly #sides = new Map<SideName, SideTable>();
  readonly #openStory: (side: SideName, user: string) => void;
  #nextAt = 0;

  /** `opened`: called when the reader opens the table, which is then drawn at once. */
  constructor(openStory: (side: SideName, user: string) => void, opened: () => void) {
    this.#openStory = openStory;
    this.#details.addEventListener('toggle', () => {
      this.#nextAt = 0;
      opened();
    });
  }

  draw(sides: LabSides, now: number): void {
    if (!this.#details.open || now < this.#nextAt) return;
    this.#nextAt = now + tableEveryMs;
    for (const name of sideNames) {
      const shown = sides[name];
      if (shown === undefined) continue;
      let table = this.#sides.get(name);
      if (table === undefined) {
        table = new SideTable(name, user => this.#openStory(name, user));
        this.#sides.set(name, table);
        this.#place.append(table.place);
      }
      const backends = shown.view.members.filter(({ role }) => role === 'backend').map(member => member.name);
      table.draw(shown.view.users, backends);
    }
  }
}

class SideTable {
  readonly place: HTMLElement;
  readonly #table = make('table');
  readonly #users: HTMLSelectElement;
  #columns = '';
  #names = '';
  #cells: HTMLTableCellElement[] = [];

  constructor(side: SideName, openStory: (user: string) => void) {
    const id = `story-user-${side}`;
    this.#users = make('select', { id });
    this.place = make(
      'div',
      {},
      make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Users, ${side}` }, this.#table),
      make(
        'p',
        { class: 'pick-user' },
        make('label', { for: id }, `Story of a user on the ${side}`),
        this.#users,
        makeButton('Open', () => openStory(this.#users.value)),
      ),
    );
    this.#table.createCaption().textContent = `${capitalize(side)}: users by state and by the backend that answered last`;
  }

  draw(users: readonly UserView[], backends: readonly string[]): void {
    const places = [...backends, null];
    const columns = backends.join();
    if (columns !== this.#columns || this.#cells.length === 0) this.#build(backends);
    this.#columns = columns;
    const counts = new Map<string, number>();
    for (const { state, member } of users) {
      const key = `${state} ${member}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let cell = 0;
    for (const state of states) {
      const row = places.map(member => counts.get(`${state} ${member}`) ?? 0);
      for (const value of [...row, row.reduce((sum, value) => sum + value, 0)]) {
        const place = this.#cells[cell++];
        if (place !== undefined) setText(place, String(value));
      }
    }
    this.#showNames(users);
  }

  #build(backends: readonly string[]): void {
    this.#table.tHead?.remove();
    for (const body of [...this.#table.tBodies]) body.remove();
    const head = this.#table.createTHead().insertRow();
    for (const title of ['state', ...backends, 'none yet', 'all']) head.append(make('th', { scope: 'col' }, title));
    const body = this.#table.createTBody();
    this.#cells = [];
    for (const state of states) {
      const row = body.insertRow();
      row.append(make('th', { scope: 'row' }, stateWords[state]));
      for (let column = 0; column < backends.length + 2; column += 1) this.#cells.push(row.insertCell());
    }
  }

  #showNames(users: readonly UserView[]): void {
    const names = users.map(({ name }) => name);
    const joined = names.join();
    if (joined === this.#names) return;
    this.#names = joined;
    const chosen = this.#users.value;
    this.#users.replaceChildren(...names.map(name => make('option', { value: name }, name)));
    if (names.includes(chosen)) this.#users.value = chosen;
  }
}
