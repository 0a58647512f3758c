import type { PageAnswer } from './ask.js';
import { element, makeElement } from './view.js';

/** The functions that show the account. */

export interface Listed {
  readonly handle: string;
  readonly createdAtMs: number;
  /** The client that began the session, as it described itself. */
  readonly address?: string;
  readonly userAgent?: string;
  readonly current: boolean;
}

export function showAccount({ user, role, totp }: PageAnswer['body']): void {
  element('administration', HTMLElement).hidden = role !== 'administrator';
  element('totp-on', HTMLElement).hidden = totp === true;
  element('totp-off', HTMLElement).hidden = totp !== true;
  element('proof-code', HTMLElement).hidden = totp !== true;
  element('proof-code-field', HTMLInputElement).required = totp === true;
  // A password manager needs the name of the user.
  for (const id of ['proof-user', 'new-password-user']) element(id, HTMLInputElement).value = String(user);
  if (totp === true) hideEnrolment();
}

export function showSessions(sessions: unknown, end: (session: Listed) => void): void {
  const listed: readonly Listed[] = Array.isArray(sessions) ? sessions : [];
  const list = element('sessions', HTMLElement);
  const shown = JSON.stringify(listed.map(({ handle, current }) => [handle, current]));
  // Rebuilt only after a change, like the cart. The element with the focus may be gone then.
  if (list.dataset.shown === shown) return;
  const hadFocus = list.contains(document.activeElement);
  list.dataset.shown = shown;
  list.replaceChildren(...listed.toSorted(byAge).map(session => sessionLine(session, end)));
  if (hadFocus) element('end-others', HTMLElement).focus();
}

/** Sorts the present session first, then the newest. */
function byAge(one: Listed, other: Listed): number {
  return Number(other.current) - Number(one.current) || other.createdAtMs - one.createdAtMs;
}

function sessionLine(session: Listed, end: (session: Listed) => void): HTMLElement {
  const { handle, createdAtMs, address, userAgent, current } = session;
  const since = new Date(createdAtMs).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
  const name = makeElement(
    'span',
    '',
    makeElement('code', handle.slice(0, 6)),
    makeElement('small', ` since ${since}`),
    makeElement('small', [address, userAgent].filter(text => text !== undefined).join(', ')),
  );
  if (current) return makeElement('li', '', name, makeElement('strong', 'this browser'));
  const button = makeElement('button', 'Log out');
  button.setAttribute('aria-label', `Log out session ${handle.slice(0, 6)}`);
  button.addEventListener('click', () => end(session));
  return makeElement('li', '', name, button);
}

export function showEnrolment({ picture, uri }: PageAnswer['body']): void {
  element('picture', HTMLImageElement).src = String(picture);
  const key = new URL(String(uri)).searchParams.get('secret') ?? '';
  element('key', HTMLElement).textContent = key.replaceAll(/.{4}(?=.)/g, '$& ');
  element('uri', HTMLAnchorElement).href = String(uri);
  element('enrolment', HTMLElement).hidden = false;
  focusCode();
}

export function focusCode(): void {
  element('enrol-code', HTMLInputElement).focus();
}

function hideEnrolment(): void {
  resetForm('enrolment');
  element('picture', HTMLImageElement).removeAttribute('src');
  element('key', HTMLElement).textContent = '';
  element('uri', HTMLAnchorElement).removeAttribute('href');
  element('enrolment', HTMLElement).hidden = true;
}

/** Removes the account from the page, so that the next user does not see it. */
export function forgetAccount(): void {
  hideEnrolment();
  for (const form of ['proof', 'new-password', 'administration']) resetForm(form);
  element('totp-others', HTMLInputElement).checked = true;
  const list = element('sessions', HTMLElement);
  delete list.dataset.shown;
  list.replaceChildren();
}

/** Returns the fields for a re-authentication. Undefined if one is missing; then the browser shows which one. */
export function readProof(): object | undefined {
  const form = element('proof', HTMLFormElement);
  if (!form.reportValidity()) return undefined;
  const fields = new FormData(form);
  const code = String(fields.get('code') ?? '').replaceAll(' ', '');
  return { password: String(fields.get('password')), ...(code === '' ? {} : { code }) };
}

export function resetForm(id: string): void {
  element(id, HTMLFormElement).reset();
}
