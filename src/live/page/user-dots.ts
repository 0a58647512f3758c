import type { UserView } from '../protocol.js';
import { make } from './dom.js';
import { stateWords } from './sentences.js';

/** The name of the area of users that no backend has answered yet. */
export const nowhere = '';

/** A rectangle in which dots stand, relative to the layer of the dots. */
interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The dots of one area. A dot keeps its slot until it leaves, so that no other dot moves. */
interface Group {
  area: Area;
  /** Distance of two slots. It shrinks when more dots come than the area can hold. */
  pitch: number;
  rows: number;
  readonly slots: (Dot | undefined)[];
  count: number;
}

interface Dot {
  readonly element: HTMLElement;
  user: UserView;
  group: Group;
  slot: number;
}

/** Size of a dot as a share of the pitch. */
const dotShare = 0.7;
const shrinkBy = 0.85;
const pitchMin = 4;
const moveMs = 200;

/**
 * Shows each user as a dot in the box of the backend that answered it last. The style sheet draws the shape of each
 * state. All dots of one side lie in one layer above the boxes, so that a dot can move from box to box. It reads the
 * layout only in `arrange`, never while a frame is drawn.
 */
export class UserDots {
  readonly layer = make('div', { class: 'dots', 'aria-hidden': 'true' });
  readonly #dots = new Map<string, Dot>();
  readonly #groups = new Map<string, Group>();
  #isMoving = true;
  #users: readonly UserView[] = [];
  /** The user whose dot is marked, and the ring around it. */
  #marked: string | undefined;
  #ring = make('b');
  #pitch = 20;

  constructor() {
    const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');
    const follow = (): void => {
      this.#isMoving = !lessMotion.matches;
    };
    lessMotion.addEventListener('change', follow);
    follow();
  }

  /** Places all dots anew: the areas, the width of the page or the number of users have changed. */
  arrange(areas: ReadonlyMap<string, HTMLElement>, pitch: number): void {
    const origin = this.layer.getBoundingClientRect();
    this.#pitch = pitch;
    this.layer.style.setProperty('--dot', `${Math.round(pitch * dotShare)}px`);
    const before = [...this.#dots.values()];
    this.#groups.clear();
    for (const [name, element] of areas) {
      const { left, top, width, height } = element.getBoundingClientRect();
      const area = { left: left - origin.left, top: top - origin.top, width, height };
      this.#groups.set(name, { area, pitch, rows: rowsOf(area, pitch), slots: [], count: 0 });
    }
    for (const dot of before) this.#enter(dot, this.#groupOf(dot.user));
    for (const group of this.#groups.values()) this.#place(group);
  }

  /** Shows these users. An entry that is the same object as before has not changed. */
  show(users: readonly UserView[]): void {
    if (users === this.#users) return;
    this.#users = users;
    for (const user of users) {
      const dot = this.#dots.get(user.name);
      if (dot === undefined) this.#add(user);
      else if (dot.user !== user) this.#change(dot, user);
    }
    if (this.#dots.size > users.length) this.#removeAllBut(new Set(users.map(({ name }) => name)));
  }

  /** Returns the user of a dot. */
  userAt(target: EventTarget | null): UserView | undefined {
    return target instanceof HTMLElement ? this.#dots.get(target.dataset.user ?? '')?.user : undefined;
  }

  /** Marks the dot of one user, so that the same user can be found on both sides. */
  mark(name: string | undefined): void {
    this.#marked = name;
    this.#ring.remove();
    const dot = this.#dots.get(name ?? '');
    if (dot === undefined) return;
    dot.element.title = `${name}: ${stateWords[dot.user.state]}`;
    // A new ring does not glide from the place of the last one. It is no part of the dot, which the shape would clip.
    this.#ring = make('b');
    this.#move(dot);
    this.layer.append(this.#ring);
  }

  /** Scrolls as little as is needed to see the dot. The style sheet keeps it clear of the bar that strikes. */
  scrollTo(name: string): void {
    this.#dots.get(name)?.element.scrollIntoView({ block: 'nearest' });
  }

  #add(user: UserView): void {
    const element = make('i', { 'data-user': user.name, 'data-state': user.state });
    const dot: Dot = { element, user, group: this.#groupOf(user), slot: 0 };
    this.#dots.set(user.name, dot);
    this.#enter(dot, dot.group);
    this.#move(dot);
    this.layer.append(element);
    if (user.name === this.#marked) this.mark(user.name);
  }

  #change(dot: Dot, user: UserView): void {
    const group = this.#groupOf(user);
    if (user.state !== dot.user.state) dot.element.dataset.state = user.state;
    dot.user = user;
    if (group === dot.group) return;
    const { style } = dot.element;
    const from = style.translate;
    this.#leave(dot);
    this.#enter(dot, group);
    this.#move(dot);
    if (!this.#isMoving) return;
    // A dot on its way is pale, so that it does not seem to stand in the boxes that it passes.
    for (const element of this.#elementsOf(dot)) {
      element.animate({ translate: [from, style.translate], opacity: [0.2, 1], easing: 'ease-out' }, moveMs);
    }
  }

  #removeAllBut(names: ReadonlySet<string>): void {
    for (const [name, dot] of this.#dots) {
      if (names.has(name)) continue;
      this.#leave(dot);
      for (const element of this.#elementsOf(dot)) element.remove();
      this.#dots.delete(name);
    }
  }

  #groupOf({ member }: UserView): Group {
    return this.#groups.get(member ?? nowhere) ?? this.#groups.get(nowhere) ?? emptyGroup;
  }

  #leave(dot: Dot): void {
    const { group } = dot;
    group.slots[dot.slot] = undefined;
    group.count -= 1;
    if (group.pitch < this.#pitch && group.count <= capacity(group, group.pitch / shrinkBy)) this.#refit(group);
  }

  #enter(dot: Dot, group: Group): void {
    const free = group.slots.indexOf(undefined);
    dot.group = group;
    dot.slot = free < 0 ? group.slots.length : free;
    group.slots[dot.slot] = dot;
    group.count += 1;
    if (dot.slot >= capacity(group, group.pitch)) this.#refit(group);
  }

  /** Chooses the largest pitch at which all dots of the area fit, and closes the gaps. */
  #refit(group: Group): void {
    let pitch = this.#pitch;
    while (capacity(group, pitch) < group.count && pitch > pitchMin) pitch *= shrinkBy;
    const dots = group.slots.filter(dot => dot !== undefined);
    group.pitch = pitch;
    group.rows = rowsOf(group.area, pitch);
    group.slots.length = 0;
    for (const dot of dots) dot.slot = group.slots.push(dot) - 1;
    this.#place(group);
  }

  #place(group: Group): void {
    for (const dot of group.slots) if (dot !== undefined) this.#move(dot);
  }

  /** Fills columns from the left, so that the number of dots can be seen from their width. */
  #move(dot: Dot): void {
    const { group, slot } = dot;
    const { area, pitch, rows } = group;
    // The dot scales about its centre, so half of what it loses is added on each side.
    const inset = (pitch - Math.round(this.#pitch * dotShare)) / 2;
    const x = area.left + Math.floor(slot / rows) * pitch + inset;
    const y = area.top + (slot % rows) * pitch + inset;
    for (const { style } of this.#elementsOf(dot)) {
      style.translate = `${x.toFixed(1)}px ${y.toFixed(1)}px`;
      style.transform = pitch === this.#pitch ? '' : `scale(${(pitch / this.#pitch).toFixed(3)})`;
    }
  }

  /** Returns the dot, and the ring when it is around this dot. */
  #elementsOf({ element, user }: Dot): readonly HTMLElement[] {
    return user.name === this.#marked ? [element, this.#ring] : [element];
  }
}

const emptyGroup: Group = {
  area: { left: 0, top: 0, width: 0, height: 0 },
  pitch: 1,
  rows: 1,
  slots: [],
  count: 0,
};

function rowsOf({ height }: Area, pitch: number): number {
  return Math.max(1, Math.floor((height + 0.5) / pitch));
}

function capacity({ area }: Group, pitch: number): number {
  return rowsOf(area, pitch) * Math.max(1, Math.floor((area.width + 0.5) / pitch));
}

/**
 * Returns the largest distance of two slots at which `count` dots fit into a box of this width without more rows than
 * the height allows, and the number of rows.
 */
export function choosePitch(count: number, width: number, heightMax: number): { pitch: number; rows: number } {
  for (let pitch = pitchMax; pitch > pitchMin; pitch -= 1) {
    const rows = Math.ceil(count / Math.max(1, Math.floor(width / pitch)));
    if (rows * pitch <= heightMax) return { pitch, rows: Math.max(rows, Math.floor(heightMax / pitch / 2), 1) };
  }
  return { pitch: pitchMin, rows: Math.max(1, Math.floor(heightMax / pitchMin)) };
}

const pitchMax = 32;
