import type { MemberView, StrikeView } from '../protocol.js';
import { make, onPress, setAttribute, setText } from './dom.js';
import { describeMember, describeStrike } from './sentences.js';
import { nowhere } from './user-dots.js';

interface Box {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly strikes: HTMLElement;
  readonly area: HTMLElement | undefined;
}

const roleOrder = ['proxy', 'backend', 'store'];

/** The boxes of the members of one side: the proxy, then the backends, then the store. */
export class MemberBoxes {
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
