import { type Command, type SideName, sideNames } from '../protocol.js';
import { find, makeButton, onPress, setAttribute, setText } from './dom.js';
import { FaultDialog } from './fault-dialog.js';
import { healableSides, memberNames, quickCommands, quickFaults, quickTargets, type Views } from './strikes.js';

type Scope = 'both' | SideName;

/** The bar with which a user chooses a member and the sides, and strikes. */
export class StrikeBar {
  readonly #members = find('#members', HTMLDivElement);
  readonly #actions = find('#actions', HTMLDivElement);
  readonly #scope = find('#scope', HTMLDivElement);
  readonly #quick: readonly { readonly fault: string; readonly button: HTMLButtonElement }[];
  readonly #heal: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #dialog: FaultDialog;
  readonly #send: (commands: readonly Command[]) => void;
  readonly #selected: (member: string | undefined) => void;
  #views: Views = {};
  #names: readonly string[] = [];
  #member: string | undefined;
  #sides: Scope = 'both';

  /** `selected`: called when another member is selected. */
  constructor(send: (commands: readonly Command[]) => void, selected: (member: string | undefined) => void) {
    this.#send = send;
    this.#selected = selected;
    this.#dialog = new FaultDialog(send);
    this.#quick = quickFaults.map(([fault, text, key]) => ({
      fault,
      button: makeButton(text, () => this.strike(fault), key || undefined),
    }));
    this.#heal = makeButton('Restart', () => this.heal(), 'r');
    this.#more = makeButton('More …', () => this.openMore(), 'm');
    this.#quick[0]?.button.classList.add('main');
    this.#actions.replaceChildren(...this.#quick.map(({ button }) => button), this.#heal, this.#more);
    for (const button of this.#scope.querySelectorAll('button')) {
      onPress(button, () => this.setScope(toScope(button.dataset.scope)));
    }
  }

  get member(): string | undefined {
    return this.#member;
  }

  draw(views: Views): void {
    if (views.left === this.#views.left && views.right === this.#views.right) return;
    const lists = (of: Views) => [of.left?.members, of.right?.members, of.left?.offers, of.right?.offers];
    const before = [...lists(this.#views), this.#views.left?.strikes, this.#views.right?.strikes];
    this.#views = views;
    const after = [...lists(views), views.left?.strikes, views.right?.strikes];
    if (after.every((list, index) => list === before[index])) return;
    this.#showMembers();
    this.#showActions();
  }

  /** Selects a member by name or, with a number from 1 on, by its place in the bar. */
  select(member: string | number): void {
    const name = typeof member === 'number' ? this.#names[member - 1] : member;
    if (name === undefined || !this.#names.includes(name)) return;
    this.#member = name;
    for (const button of this.#members.querySelectorAll('button')) {
      setAttribute(button, 'aria-pressed', String(button.dataset.member === name));
    }
    this.#showActions();
    this.#selected(name);
  }

  setScope(scope: Scope): void {
    this.#sides = scope;
    for (const button of this.#scope.querySelectorAll('button')) {
      setAttribute(button, 'aria-pressed', String(button.dataset.scope === scope));
    }
    this.#showActions();
  }

  /** Goes from both sides to the left one, to the right one, and back. */
  nextScope(): void {
    this.setScope(({ both: 'left', left: 'right', right: 'both' } as const)[this.#sides]);
  }

  strike(fault: string): void {
    if (this.#member !== undefined) this.#send(quickCommands(this.#views, this.#targetSides(), this.#member, fault));
  }

  heal(): void {
    const member = this.#member ?? '';
    const sides = healableSides(this.#views, this.#targetSides(), member);
    if (sides.length > 0) this.#send([{ do: 'heal', sides, member }]);
  }

  openMore(): void {
    if (this.#member !== undefined) this.#dialog.open(this.#views, this.#targetSides(), this.#member);
  }

  /** Returns whether this button strikes something now. */
  can(fault: string): boolean {
    const member = this.#member ?? '';
    return this.#targetSides().some(side => quickTargets(this.#views[side], member, fault).length > 0);
  }

  #targetSides(): SideName[] {
    return sideNames.filter(
      name => this.#views[name]?.stage === 'running' && (this.#sides === 'both' || this.#sides === name),
    );
  }

  #showMembers(): void {
    const names = memberNames(this.#views);
    if (names.join() === this.#names.join()) return;
    this.#names = names;
    const buttons = names.map((name, index) => {
      const button = makeButton(name, () => this.select(name), index < 9 ? String(index + 1) : undefined);
      button.dataset.member = name;
      return button;
    });
    this.#members.replaceChildren(...buttons);
    const known = this.#member !== undefined && names.includes(this.#member);
    const preferred = names.includes('backend-2') ? 'backend-2' : names[0];
    if (known) this.select(this.#member ?? '');
    else if (preferred !== undefined) this.select(preferred);
  }

  #showActions(): void {
    for (const { fault, button } of this.#quick) {
      const can = this.can(fault);
      button.disabled = !can;
      // The buttons that only a store has appear with a store.
      button.hidden = !can && (fault === 'pause' || fault === 'promote');
    }
    const member = this.#member ?? '';
    const sides = healableSides(this.#views, this.#targetSides(), member);
    this.#heal.disabled = sides.length === 0;
    const label = this.#heal.firstChild;
    if (label instanceof Text) label.data = this.#isGone(sides) || sides.length === 0 ? 'Restart' : 'Heal';
    this.#more.disabled = !this.#targetSides().some(side => this.#views[side]?.offers.some(o => o.member === member));
    setText(find('#strike-title', HTMLElement), member === '' ? 'Break it' : `Break ${member}`);
  }

  #isGone(sides: readonly SideName[]): boolean {
    const states = sides.map(side => this.#views[side]?.members.find(({ name }) => name === this.#member)?.state);
    return states.includes('dead');
  }
}

function toScope(text: string | undefined): Scope {
  return text === 'left' || text === 'right' ? text : 'both';
}
