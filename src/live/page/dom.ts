/** Finds an element of the fixed part of the page (`page-file.ts`). */
export function find<Element extends HTMLElement>(selector: string, kind: new () => Element): Element {
  const found = document.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${selector}`);
}

/** Makes an element with attributes and children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Makes a button. `key`: the key that does the same. */
export function makeButton(text: string, act: () => void, key?: string): HTMLButtonElement {
  const button = make('button', { type: 'button' }, text);
  if (key !== undefined) {
    button.append(make('kbd', { 'aria-hidden': 'true' }, key));
    button.setAttribute('aria-keyshortcuts', key);
  }
  onPress(button, act);
  return button;
}

/** Makes a link that opens a new tab. That page gets no hold on this one, and no address of it. */
export function makeNewTabLink(text: string, href: string): HTMLAnchorElement {
  return make('a', { class: 'new-tab', href, target: '_blank', rel: 'noopener noreferrer' }, text);
}

/** Calls `act` on a click. After a click by pointer the button loses the focus, so that the space bar pauses the view. */
export function onPress(button: HTMLElement, act: () => void): void {
  button.addEventListener('click', event => {
    if (event.detail > 0) button.blur();
    act();
  });
}

/** Sets the text of an element that holds nothing but text. An equal text is not set again. */
export function setText(element: HTMLElement, text: string): void {
  const { firstChild } = element;
  if (!(firstChild instanceof Text)) element.textContent = text;
  else if (firstChild.data !== text) firstChild.data = text;
}

/** Sets an attribute, or removes it. An equal value is not set again. */
export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
