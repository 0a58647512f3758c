import { type ActionText, type PageAnswer, tellAction } from './ask.js';
import { element, makeElement, onClick, onSubmit, showStory } from './view.js';

/** The functions of the page that the account panel needs: run one request at a time, send it, and show its answer. */
interface PageActions {
  ask(method: string, path: string, content?: object): Promise<PageAnswer>;
  inTurn(task: () => Promise<void>): void;
  showAnswer(answer: PageAnswer, action?: 'logout'): void;
}

/** The account of the user: sessions, password, second factor. For an administrator, also the accounts of others. */
export class AccountPanel {
  readonly #page: PageActions;

  constructor(page: PageActions) {
    this.#page = page;
    onClick('end-others', () =>
      this.#runSensitive(loggedOutAction('your other sessions', 'were'), '/account/sessions/end-others', {}),
    );
    onClick('end-all', () => this.#logOutEverywhere());
    onSubmit('new-password', fields => this.#changePassword(fields));
    onClick('totp-on', () => this.#runSensitive(keyMade, '/account/totp', {}, ({ body }) => showEnrolment(body)));
    onClick('totp-off', () =>
      this.#runSensitive(turnedAction('off'), '/account/totp/remove', { others: totpOthers() }),
    );
    onSubmit('enrolment', fields => this.#confirm(fields));
    onSubmit('administration', () => undefined);
    for (const [id, participle] of Object.entries(administrations)) onClick(id, () => this.#administer(id, participle));
  }

  /** Loads and shows the account. Called after a login, after every change, and from time to time. */
  async refresh(user: string | null): Promise<void> {
    element('account', HTMLElement).hidden = user === null;
    if (user === null) return forgetAccount();
    const account = await this.#ask('GET', '/account');
    const sessions = await this.#ask('GET', '/account/sessions');
    if (account.result.kind === 'done') showAccount(account.body);
    if (sessions.result.kind === 'done') showSessions(sessions.body.sessions, session => this.#end(session));
  }

  #end({ handle }: Listed): void {
    this.#runSensitive(loggedOutAction(`session ${handle.slice(0, 6)}`, 'was'), '/account/sessions/end', { handle });
  }

  #logOutEverywhere(): void {
    this.#runProved(loggedOutAction('you', 'were'), '/logout-everywhere', {}, async answer =>
      this.#page.showAnswer(answer, 'logout'),
    );
  }

  #changePassword(fields: FormData): void {
    const password = String(fields.get('password'));
    const others = fields.get('others') === null ? 'keep' : 'end';
    const action: ActionText = { subject: 'your password', verb: 'was', participle: 'changed' };
    this.#runSensitive(action, '/account/password', { password, others }, () => resetForm('new-password'));
  }

  #confirm(fields: FormData): void {
    this.#page.inTurn(async () => {
      const answer = await this.#ask('POST', '/account/totp/confirm', { code: codeIn(fields), others: totpOthers() });
      await this.#tell(turnedAction('on'), answer);
      if (answer.result.kind !== 'done') focusCode();
    });
  }

  #administer(id: string, participle: string): void {
    const isAboutAll = id === 'end-everyone';
    if (!isAboutAll && !element('administration', HTMLFormElement).reportValidity()) return;
    const user = element('revoke-user', HTMLInputElement).value;
    const subject = isAboutAll ? 'every user' : `user ${user}`;
    const action: ActionText = { subject, verb: 'was', participle };
    if (isAboutAll) this.#runProved(action, `/admin/${id}`, {}, answer => this.#showOwnEnd(action, answer));
    else this.#runSensitive(action, `/admin/${id}`, { user });
  }

  /** Shows the result of an action that ended the present session too. */
  async #showOwnEnd(action: ActionText, answer: PageAnswer): Promise<void> {
    this.#page.showAnswer(answer, 'logout');
    showStory(tellAction(action, answer.result), 'good');
  }

  /** Runs a sensitive request and tells its result. */
  #runSensitive(
    action: ActionText,
    path: string,
    content: object,
    then: (answer: PageAnswer) => void = () => undefined,
  ): void {
    this.#runProved(action, path, content, async answer => {
      await this.#tell(action, answer);
      then(answer);
    });
  }

  /** Sends the password again, and then a sensitive request with the nonce. Shows the failure of either request. Calls
   * `then` with the answer when both succeed. */
  #runProved(action: ActionText, path: string, content: object, then: (answer: PageAnswer) => Promise<void>): void {
    const given = readProof();
    if (given === undefined) return;
    this.#page.inTurn(async () => {
      const proof = await this.#ask('POST', '/account/reauthenticate', given);
      if (proof.result.kind !== 'done') return this.#tell(action, proof);
      const answer = await this.#ask('POST', path, { ...content, nonce: proof.body.nonce });
      await (answer.result.kind === 'done' ? then(answer) : this.#tell(action, answer));
    });
  }

  async #tell(action: ActionText, { result }: PageAnswer): Promise<void> {
    resetForm('proof');
    showStory(tellAction(action, result), result.kind === 'done' ? 'good' : 'trouble');
    await this.refresh(element('account', HTMLElement).hidden ? null : '');
  }

  async #ask(method: string, path: string, content?: object): Promise<PageAnswer> {
    const answer = await this.#page.ask(method, path, content);
    // Only failures are shown: the other answers of these routes do not name the user. A wrong password at a
    // re-authentication is a 401 too, but it logs no user out.
    const isOwnMistake = answer.body.why === 'wrong-login' || answer.body.why === 'wrong-code';
    if (answer.result.kind !== 'done' && !isOwnMistake) this.#page.showAnswer(answer);
    return answer;
  }
}

/** Maps each action of the administrator, named like its route, to the participle in its message. */
const administrations: Readonly<Record<string, string>> = {
  disable: 'disabled',
  enable: 'enabled again',
  delete: 'deleted',
  'end-sessions': 'logged out everywhere',
  'end-everyone': 'logged out',
};

const keyMade: ActionText = { subject: 'the key for your authenticator app', verb: 'was', participle: 'made' };

function loggedOutAction(subject: string, verb: ActionText['verb']): ActionText {
  return { subject, verb, participle: 'logged out' };
}

function turnedAction(word: 'on' | 'off'): ActionText {
  return { subject: 'two-factor login', verb: 'was', participle: `turned ${word}` };
}

/** The choice of the user about the other sessions, for a change of two-factor login. */
function totpOthers(): 'end' | 'keep' {
  return element('totp-others', HTMLInputElement).checked ? 'end' : 'keep';
}

export function codeIn(fields: FormData): string {
  return String(fields.get('code') ?? '').replaceAll(' ', '');
}

/* The functions below show the account and read its forms. */

interface Listed {
  readonly handle: string;
  readonly createdAtMs: number;
  /** The client that began the session, as it described itself. */
  readonly address?: string;
  readonly userAgent?: string;
  readonly current: boolean;
}

function showAccount({ user, role, totp }: PageAnswer['body']): void {
  element('administration', HTMLElement).hidden = role !== 'administrator';
  element('totp-on', HTMLElement).hidden = totp === true;
  element('totp-off', HTMLElement).hidden = totp !== true;
  element('proof-code', HTMLElement).hidden = totp !== true;
  element('proof-code-field', HTMLInputElement).required = totp === true;
  // A password manager needs the name of the user.
  for (const id of ['proof-user', 'new-password-user']) element(id, HTMLInputElement).value = String(user);
  if (totp === true) hideEnrolment();
}

function showSessions(sessions: unknown, end: (session: Listed) => void): void {
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

function showEnrolment({ picture, uri }: PageAnswer['body']): void {
  element('picture', HTMLImageElement).src = String(picture);
  const key = new URL(String(uri)).searchParams.get('secret') ?? '';
  element('key', HTMLElement).textContent = key.replaceAll(/.{4}(?=.)/g, '$& ');
  element('uri', HTMLAnchorElement).href = String(uri);
  element('enrolment', HTMLElement).hidden = false;
  focusCode();
}

function focusCode(): void {
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
function forgetAccount(): void {
  hideEnrolment();
  for (const form of ['proof', 'new-password', 'administration']) resetForm(form);
  element('totp-others', HTMLInputElement).checked = true;
  const list = element('sessions', HTMLElement);
  delete list.dataset.shown;
  list.replaceChildren();
}

/** Returns the fields for a re-authentication. Undefined if one is missing; then the browser shows which one. */
function readProof(): object | undefined {
  const form = element('proof', HTMLFormElement);
  if (!form.reportValidity()) return undefined;
  const fields = new FormData(form);
  const code = codeIn(fields);
  return { password: String(fields.get('password')), ...(code === '' ? {} : { code }) };
}

function resetForm(id: string): void {
  element(id, HTMLFormElement).reset();
}
