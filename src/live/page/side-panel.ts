import { isModeName, modes } from '../../modes.js';
import type { LiveSettings, MemberView, SideName, StrikeView, UserView } from '../protocol.js';
import { shopAddress } from './address.js';
import { make, makeNewTabLink, onPress, setAttribute, setText } from './dom.js';
import type { ShownSide } from './lab-state.js';
import { counterTexts, describeMember, describeStrike, tellWave } from './sentences.js';
import { SideTimeline } from './timeline.js';
import { choosePitch, nowhere, UserDots } from './user-dots.js';

/** From this number on the boxes are higher, so that the shapes stay legible. */
const manyUsers = 150;
/** A longer value of a counter is written smaller. */
const longValue = 9;

interface SideActions {
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

interface Box {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly strikes: HTMLElement;
  readonly area: HTMLElement | undefined;
}

const roleOrder = ['proxy', 'backend', 'store'];

/** The boxes of the members of one side: the proxy, then the backends, then the store. */
class MemberBoxes {
  readonly place = make('div', { class: 'boxes' });
  /** Where the dots of each backend stand. A spare backend has no room for dots. */
  readonly areas = new Map<string, HTMLElement>();
  readonly #boxes = new Map<string, Box>();
  readonly #select: ((member: string) => void) | undefined;
  readonly #changed: () => void;
  #selected: string | undefined;
  /** A label that gets another line moves the areas below it. */
  readonly #labels = new ResizeObserver(() => this.#changed());

  /** `select`: called when a member was chosen. Absent: none can be chosen. `changed`: boxes came, went or moved. */
  constructor(select: ((member: string) => void) | undefined, changed: () => void) {
    this.#select = select;
    this.#changed = changed;
  }

  show(members: readonly MemberView[], strikes: readonly StrikeView[], nowMs: number): void {
    const isSame = members.length === this.#boxes.size && members.every(({ name }) => this.#boxes.has(name));
    if (!isSame) this.#rebuild(members);
    for (const member of members) {
      const box = this.#boxes.get(member.name);
      if (box !== undefined) showMember(box, member, strikes, nowMs);
    }
    if (!isSame || this.#hasNewArea()) this.#listAreas();
  }

  showSelected(member: string | undefined): void {
    if (this.#select === undefined) return;
    this.#selected = member;
    for (const [name, { name: pick, element }] of this.#boxes) {
      setAttribute(pick, 'aria-pressed', String(name === member));
      element.classList.toggle('selected', name === member);
    }
  }

  #rebuild(members: readonly MemberView[]): void {
    this.#labels.disconnect();
    this.#boxes.clear();
    const ordered = [...members].sort((a, b) => roleOrder.indexOf(a.role) - roleOrder.indexOf(b.role));
    const elements = ordered.map(member => this.#makeBox(member));
    if (!members.some(({ role }) => role === 'store')) {
      elements.push(make('p', { class: 'no-store' }, 'no store: each backend keeps its own sessions in memory'));
    }
    this.place.replaceChildren(...elements);
    this.showSelected(this.#selected);
  }

  #hasNewArea(): boolean {
    const boxes = [...this.#boxes].filter(([, box]) => box.area !== undefined && !isSpareBox(box));
    return boxes.length !== this.areas.size;
  }

  #listAreas(): void {
    this.areas.clear();
    for (const [name, box] of this.#boxes) {
      if (box.area !== undefined && !isSpareBox(box)) {
        this.areas.set(box.element.classList.contains('proxy') ? nowhere : name, box.area);
      }
    }
    this.#changed();
  }

  #makeName(name: string): HTMLElement {
    const select = this.#select;
    if (select === undefined) return make('p', { class: 'pick' }, name);
    const pick = make('button', { type: 'button', class: 'pick', 'aria-pressed': 'false' }, name);
    onPress(pick, () => select(name));
    return pick;
  }

  #makeBox({ name, role }: MemberView): HTMLElement {
    const title = this.#makeName(name);
    const state = make('p', { class: 'state' });
    const strikes = make('p', { class: 'strikes' });
    const element = make('div', { class: `box ${role}`, role: 'group', 'aria-label': name });
    const label = make('div', { class: 'label' }, title, state, strikes);
    element.append(label);
    this.#labels.observe(label);
    const area = role === 'store' ? undefined : make('div', { class: 'area' });
    if (area !== undefined) element.append(area);
    this.#boxes.set(name, { element, name: title, state, strikes, area });
    return element;
  }
}

function showMember(box: Box, member: MemberView, strikes: readonly StrikeView[], nowMs: number): void {
  setText(box.state, describeMember(member, strikes, nowMs));
  setAttribute(box.element, 'data-state', member.state);
  const own = strikes.filter(strike => isShownAt(strike, member.name));
  const text = own.map(describeTrouble).filter(Boolean).join('; ');
  setText(box.strikes, text);
  setAttribute(box.strikes, 'title', text || undefined);
  setAttribute(box.element, 'data-struck', own.length > 0 ? 'yes' : undefined);
}

function isSpareBox({ element }: Box): boolean {
  return element.dataset.state === 'spare';
}

/** A strike is shown at its member, and one on a link at the end of the link. */
function isShownAt({ target, state }: StrikeView, name: string): boolean {
  return state !== 'healed' && (target === name || target.endsWith(`->${name}`));
}

/** Returns what the state of the member does not say. */
function describeTrouble(strike: StrikeView): string {
  const { fault, target, state, problem = '' } = strike;
  if (state === 'requested') return `${fault}: waiting for confirmation`;
  if (state === 'not-confirmed') return `${fault}: not confirmed. ${problem}`;
  if (state === 'healing') return `${fault}: healing`;
  if (state === 'not-healed') return `${fault}: not healed. ${problem}`;
  return target.includes('->') || !['kill', 'hang', 'drain'].includes(fault) ? describeStrike(strike) : '';
}
