import { isModeName, modes } from '../../modes.js';
import type { LiveSettings, SideName, UserView } from '../protocol.js';
import { shopAddress } from './address.js';
import { make, makeNewTabLink, setAttribute, setText } from './dom.js';
import type { ShownSide } from './lab-state.js';
import { MemberBoxes } from './member-boxes.js';
import { counterTexts, tellWave } from './sentences.js';
import { SideTimeline } from './timeline.js';
import { choosePitch, UserDots } from './user-dots.js';

/** From this number on the boxes are higher, so that the shapes stay legible. */
const manyUsers = 150;

/** A longer value of a counter is written smaller. */
const longValue = 9;

export interface SideActions {
  selectMember(member: string): void;
  setMode(side: SideName, mode: string): void;
  openStory(side: SideName, user: string): void;
  /** The pointer is over the dot of this user, or over no dot. */
  pointAt(user: string | undefined): void;
}

/** One half of the page: the mode, the counters, a sentence, the boxes with the dots, and the timeline. */
export class SidePanel {
  readonly place: HTMLElement;
  readonly dots = new UserDots();
  readonly boxes: MemberBoxes;
  readonly #name: SideName;
  readonly #timeline: SideTimeline;
  readonly #mode: HTMLSelectElement;
  readonly #summary = make('p', { class: 'summary' });
  readonly #shop: HTMLAnchorElement;
  readonly #counters = Array.from({ length: 4 }, () => makeCounter());
  readonly #sentence = make('p', { class: 'sentence' });
  readonly #note = make('p', { class: 'note' });
  readonly #field: HTMLElement;
  #shown: ShownSide | undefined;
  #expected = 0;
  /** The number of users for which the dots were arranged. */
  #users = 0;

  constructor(name: SideName, { wholeMs, isReplay }: LiveSettings, actions: SideActions) {
    this.#name = name;
    this.#timeline = new SideTimeline(name, wholeMs);
    this.boxes = new MemberBoxes(isReplay ? undefined : actions.selectMember, () => this.arrangeDots());
    this.#mode = make('select', { 'aria-label': `Mode of the ${name} side` });
    this.#mode.addEventListener('change', () => {
      actions.setMode(name, this.#mode.value);
      // It shows the new mode when the lab has changed it.
      this.#mode.value = this.#shown?.view.mode ?? '';
    });
    this.#shop = makeNewTabLink('Open the shop', '');
    this.#shop.setAttribute('aria-label', `Open the shop of the ${name} side in a new tab`);
    this.#field = make('div', { class: 'field' }, this.boxes.place, this.dots.layer);
    this.place = make(
      'section',
      { class: 'side', 'aria-label': `The ${name} side`, 'data-side': name },
      make(
        'div',
        { class: 'side-head' },
        make('h2', { class: 'for-ears' }, `The ${name} side`),
        this.#mode,
        this.#summary,
        this.#shop,
      ),
      make('dl', { class: 'counters' }, ...this.#counters.map(({ box }) => box)),
      this.#sentence,
      this.#note,
      this.#field,
      this.#timeline.place,
    );
    this.#listenToDots(actions);
    let width = 0;
    new ResizeObserver(() => {
      if (this.#field.clientWidth === width) return;
      width = this.#field.clientWidth;
      this.arrange();
    }).observe(this.#field);
  }

  /** Draws one frame. `withTimeline`: the plots too. */
  draw(shown: ShownSide, settings: LiveSettings, withTimeline: boolean): void {
    const { view } = shown;
    const isNewMode = view.mode !== this.#shown?.view.mode;
    this.#shown = shown;
    if (isNewMode || this.#mode.options.length === 0) this.#showMode(settings);
    setAttribute(this.place, 'data-stage', view.stage);
    const shop = shopAddress(this.#name, view);
    this.#shop.hidden = shop === undefined;
    setAttribute(this.#shop, 'href', shop);
    this.#showCounters(shown);
    setText(this.#note, view.note ?? '');
    this.#note.hidden = view.note === undefined;
    this.boxes.show(view.members, view.strikes, view.nowMs);
    // The users of a recorded run come one after the other. There must be room for all from the start.
    this.#expected = settings.isReplay ? settings.users : view.users.length;
    if (Math.abs(this.#expected - this.#users) > this.#users * 0.1) this.arrangeDots();
    this.dots.show(view.users);
    if (withTimeline) this.#timeline.draw(view);
  }

  /** Ends what needs a running lab. */
  close(): void {
    this.#mode.disabled = true;
  }

  /** Adapts everything that is placed by program to the size and the colours of the page. */
  arrange(): void {
    this.arrangeDots();
    this.#timeline.arrange();
  }

  arrangeDots(): void {
    const { areas } = this.boxes;
    const area = [...areas.values()].at(-1);
    if (area === undefined || this.#shown === undefined) return;
    this.#users = this.#expected;
    const backends = Math.max(1, areas.size - 1);
    // When one backend dies, its users must find room in the others.
    const expected = Math.ceil((1.2 * this.#users) / Math.max(1, backends - 1));
    const share = this.#users > manyUsers ? 0.4 : 0.27;
    // A frame of another page may be higher than the screen.
    const heightMax = Math.max(54, (Math.min(innerHeight, screen.height) * share) / backends);
    const { pitch, rows } = choosePitch(Math.max(expected, 8), area.clientWidth, heightMax);
    this.#field.style.setProperty('--area', `${pitch * rows}px`);
    this.dots.arrange(areas, pitch);
  }

  #showMode({ modes: names, isReplay }: LiveSettings): void {
    const mode = this.#shown?.view.mode ?? '';
    const all = names.includes(mode) ? names : [mode, ...names];
    this.#mode.replaceChildren(...all.map(name => make('option', { value: name }, name)));
    this.#mode.value = mode;
    this.#mode.disabled = isReplay;
    setText(this.#summary, isModeName(mode) ? modes[mode].summary : '');
  }

  #showCounters(shown: ShownSide): void {
    for (const [index, text] of counterTexts(shown).entries()) {
      const counter = this.#counters[index];
      if (counter === undefined) continue;
      setText(counter.label, text.label);
      setText(counter.value, text.value);
      setAttribute(counter.value, 'data-long', text.value.length > longValue ? 'yes' : undefined);
      setText(counter.detail, text.detail);
      setText(counter.change, text.change);
      setAttribute(counter.box, 'data-bad', text.isBad ? 'yes' : undefined);
    }
    const { mood, text } = tellWave(shown);
    setText(this.#sentence, text);
    setAttribute(this.#sentence, 'data-mood', mood);
  }

  #listenToDots({ openStory, pointAt }: SideActions): void {
    const userOf = (event: Event): UserView | undefined => this.dots.userAt(event.target);
    this.dots.layer.addEventListener('click', event => {
      const user = userOf(event);
      if (user !== undefined) openStory(this.#name, user.name);
    });
    this.dots.layer.addEventListener('pointerover', event => pointAt(userOf(event)?.name));
    this.dots.layer.addEventListener('pointerleave', () => pointAt(undefined));
  }
}

interface Counter {
  readonly box: HTMLElement;
  readonly label: HTMLElement;
  readonly value: HTMLElement;
  readonly detail: HTMLElement;
  readonly change: HTMLElement;
}

function makeCounter(): Counter {
  const [label, value] = [make('dt'), make('span', { class: 'value' })];
  const [detail, change] = [
    make('dd', { class: 'detail' }),
    make('span', { class: 'change', title: 'since the last strike' }),
  ];
  return { box: make('div', {}, label, make('dd', {}, value, ' ', change), detail), label, value, detail, change };
}
