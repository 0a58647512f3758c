import { describePlace } from './places.js';
import type { Observation, PageState, Severity } from './story.js';

/** Every function that changes the document. Foreign text is inserted as text, never as markup. */

export interface CartLine {
  readonly sku: string;
  readonly quantity: number;
}

const logLinesMax = 100;
const turnsMax = 36;
const goods = ['bread', 'coffee', 'apples', 'rope', 'lantern'];

export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} with the id ${id}`);
}

export function onSubmit(id: string, act: (fields: FormData) => void): void {
  const form = element(id, HTMLFormElement);
  form.addEventListener('submit', event => {
    event.preventDefault();
    act(new FormData(form));
  });
}

export function onClick(id: string, act: () => void): void {
  element(id, HTMLButtonElement).addEventListener('click', act);
}

export function showStory(sentence: string, mood: Severity): void {
  const story = element('story', HTMLElement);
  story.textContent = sentence;
  story.dataset.mood = mood;
  const now = new Date();
  const time = makeElement('time', now.toLocaleTimeString('en-GB'));
  time.setAttribute('datetime', now.toISOString());
  const entry = makeElement('li', '', time, makeElement('span', sentence));
  entry.dataset.mood = mood;
  const log = element('log', HTMLElement);
  log.prepend(entry);
  while (log.children.length > logLinesMax) log.lastElementChild?.remove();
}

export function showState(state: PageState): void {
  const { user, backend, backends, mode } = state;
  element('login', HTMLElement).hidden = user !== null;
  element('shelf', HTMLElement).hidden = user === null;
  element('name', HTMLElement).textContent = user;
  element('mode', HTMLElement).textContent = mode;
  element('where', HTMLElement).textContent = describePlace(state);
  const badge = element('backend', HTMLElement);
  badge.textContent = backend;
  badge.dataset.hue = hueOf(backend);
  const boot = element('boot', HTMLElement);
  boot.textContent = backends[backend]?.incarnation.slice(0, 8) ?? '';
  showLiveLab(user);
}

/** Lets the link to the live lab name the user. Only a shop that runs in a live lab has the link. */
function showLiveLab(user: string | null): void {
  const link = document.getElementById('live-lab');
  if (!(link instanceof HTMLAnchorElement)) return;
  link.hash = user === null ? '' : `user=${encodeURIComponent(user)}`;
  link.textContent = user === null ? 'Back to the live lab' : `Show ${user} in the live lab`;
}

/** Fills in the name that the address asks for: the live lab links to `#user=<name>`. The password is never there. */
export function showWantedUser(hash: string): void {
  const user = new URLSearchParams(hash.slice(1)).get('user');
  if (user !== null) element('user', HTMLInputElement).value = user;
}

/** Adds one mark per answer: the backend that answered, or that none did. */
export function showTurn(observation: Observation): void {
  const name = observation.kind === 'served' ? observation.backend : '';
  const turn = makeElement('li', name === '' ? '×' : (/\d+$/.exec(name)?.[0] ?? name.slice(0, 3)));
  turn.title = name === '' ? observation.kind : name;
  if (name === '') turn.className = 'none';
  else turn.dataset.hue = hueOf(name);
  const turns = element('turns', HTMLElement);
  turns.append(turn);
  while (turns.children.length > turnsMax) turns.firstElementChild?.remove();
}

export function showCart(lines: readonly CartLine[], remove: (sku: string) => void): void {
  element('empty', HTMLElement).hidden = lines.length > 0;
  const cart = element('cart', HTMLElement);
  const shown = JSON.stringify(lines);
  // Rebuilt only after a change: a poll must not take the focus from a button.
  if (cart.dataset.shown === shown) return;
  cart.dataset.shown = shown;
  cart.replaceChildren(...lines.map(line => cartLine(line, remove)));
}

function cartLine({ sku, quantity }: CartLine, remove: (sku: string) => void): HTMLElement {
  const button = makeElement('button', 'Remove');
  button.setAttribute('aria-label', `Remove ${sku}`);
  button.addEventListener('click', () => remove(sku));
  return makeElement('li', '', makeElement('span', quantity > 1 ? `${quantity} × ${sku}` : sku), button);
}

export function showGoods(add: (sku: string) => void): void {
  const buttons = goods.map(sku => {
    const button = makeElement('button', sku);
    button.setAttribute('aria-label', `Add ${sku}`);
    button.addEventListener('click', () => add(sku));
    return button;
  });
  element('goods', HTMLElement).replaceChildren(...buttons);
}

export function makeElement(tag: string, text: string, ...children: readonly HTMLElement[]): HTMLElement {
  const node = document.createElement(tag);
  if (node instanceof HTMLButtonElement) node.type = 'button';
  node.append(text, ...children);
  return node;
}

/** Returns a colour for backend-1, backend-2, ... The name is always written too. */
function hueOf(backend: string): string {
  const number = Number(/\d+$/.exec(backend)?.[0] ?? 1);
  return String((number + 5) % 6);
}
