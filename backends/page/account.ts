import { type Answer, ask } from './ask.js';
import { type Deed, tellDeed } from './deeds.js';
import { element, made, onSubmit, showStory } from './view.js';

/** What the account's panel needs of the page: one question at a time, and every answer seen. */
export interface Desk {
  inTurn(task: () => Promise<void>): void;
  see(answer: Answer, deed?: 'logout'): void;
}

interface Listed {
  readonly handle: string;
  readonly createdAtMs: number;
  readonly idleUntilMs: number;
  readonly current: boolean;
}

/** The account of whoever is logged in: sessions, password, second factor; for an administrator those of others too. */
export class AccountPanel {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
    onClick('end-others', () => this.#do(loggedOut('your other sessions', 'were'), '/account/sessions/end-others'));
    onClick('end-all', () => this.#logOutEverywhere());
    onSubmit('new-password', fields => this.#changePassword(fields));
    onClick('totp-on', () => this.#sensitive(turned('on', 'shown'), '/account/totp', {}, showEnrolment));
    onClick('totp-off', () => this.#sensitive(turned('off', 'turned off'), '/account/totp/remove', {}));
    onSubmit('enrolment', fields => this.#confirm(fields));
    for (const [id, participle] of Object.entries(administrations)) onClick(id, () => this.#administer(id, participle));
  }

  /** Shows the account anew; called when somebody has logged in, and after every change. */
  async refresh(user: string | null): Promise<void> {
    element('account', HTMLElement).hidden = user === null;
    if (user === null) return forget();
    const account = await this.#ask('GET', '/account');
    const sessions = await this.#ask('GET', '/account/sessions');
    if (account.result.kind === 'done') showAccount(account.body);
    if (sessions.result.kind === 'done') this.#showSessions(sessions.body.sessions);
  }

  #showSessions(sessions: unknown): void {
    const lines = (Array.isArray(sessions) ? sessions : []).map((each: Listed) => {
      const button = made('button', 'End');
      button.setAttribute('aria-label', `End session ${each.handle}`);
      button.addEventListener('click', () => this.#end(each.handle));
      const since = new Date(each.createdAtMs).toLocaleTimeString('en-GB');
      const text = `${each.handle.slice(0, 6)}, since ${since}${each.current ? ': this one' : ''}`;
      return made('li', '', made('span', text), ...(each.current ? [] : [button]));
    });
    element('sessions', HTMLElement).replaceChildren(...lines);
  }

  #end(handle: string): void {
    this.#do(loggedOut(`session ${handle.slice(0, 6)}`, 'was'), `/account/sessions/${handle}`, 'DELETE');
  }

  #logOutEverywhere(): void {
    this.#desk.inTurn(async () => {
      const answer = await ask('POST', '/logout-everywhere', {});
      if (answer.result.kind === 'done') this.#desk.see(answer, 'logout');
      else await this.#tell(loggedOut('you', 'were'), answer);
    });
  }

  #changePassword(fields: FormData): void {
    const password = String(fields.get('password'));
    const others = fields.get('others') === null ? 'keep' : 'end';
    const deed: Deed = { subject: 'your password', verb: 'was', participle: 'changed' };
    this.#sensitive(deed, '/account/password', { password, others }, () => reset('new-password'));
  }

  #confirm(fields: FormData): void {
    this.#desk.inTurn(async () => {
      const answer = await this.#ask('POST', '/account/totp/confirm', { code: codeIn(fields) });
      await this.#tell(turned('on', 'turned on'), answer);
      if (answer.result.kind === 'done') hideEnrolment();
    });
  }

  #administer(id: string, participle: string): void {
    const user = element('whom', HTMLInputElement).value;
    const subject = id === 'end-everyone' ? 'everybody' : user;
    const content = id === 'end-everyone' ? {} : { user };
    this.#sensitive({ subject, verb: 'was', participle }, `/admin/${id}`, content);
  }

  #do(deed: Deed, path: string, method = 'POST'): void {
    this.#desk.inTurn(async () => {
      await this.#tell(deed, await this.#ask(method, path, method === 'POST' ? {} : undefined));
    });
  }

  /** Who asks for something sensitive says the password once more, and gets a nonce for this one time. */
  #sensitive(deed: Deed, path: string, content: object, then: (answer: Answer) => void = () => undefined): void {
    this.#desk.inTurn(async () => {
      const proof = await this.#ask('POST', '/account/reauthenticate', freshProof());
      if (proof.result.kind !== 'done') return this.#tell(deed, proof);
      const answer = await this.#ask('POST', path, { ...content, nonce: proof.body.nonce });
      if (answer.result.kind === 'done') then(answer);
      await this.#tell(deed, answer);
    });
  }

  async #tell(deed: Deed, { result }: Answer): Promise<void> {
    reset('proof');
    showStory(tellDeed(deed, result), result.kind === 'done' ? 'good' : 'trouble');
    await this.refresh(element('account', HTMLElement).hidden ? null : '');
  }

  async #ask(method: string, path: string, content?: object): Promise<Answer> {
    const answer = await ask(method, path, content);
    // Only trouble is seen: the good answers here speak of users and sessions, not of who is asking. A wrong password
    // at a re-authentication is a 401 as well, and nobody is logged out by it.
    const isOwnMistake = answer.body.why === 'wrong-login' || answer.body.why === 'wrong-code';
    if (answer.result.kind !== 'done' && !isOwnMistake) this.#desk.see(answer);
    return answer;
  }
}

/** Route and button of the same name, and what is said to have happened. */
const administrations: Readonly<Record<string, string>> = {
  disable: 'disabled',
  enable: 'enabled again',
  'end-sessions': 'logged out everywhere',
  'end-everyone': 'logged out',
};

function loggedOut(subject: string, verb: Deed['verb']): Deed {
  return { subject, verb, participle: 'logged out' };
}

function turned(word: 'on' | 'off', participle: string): Deed {
  const subject = participle === 'shown' ? 'the key for your authenticator' : `two-factor (${word})`;
  return { subject, verb: 'was', participle };
}

function freshProof(): object {
  const fields = new FormData(element('proof', HTMLFormElement));
  const code = codeIn(fields);
  return { password: String(fields.get('password')), ...(code === '' ? {} : { code }) };
}

export function codeIn(fields: FormData): string {
  return String(fields.get('code') ?? '').replaceAll(' ', '');
}

function showAccount({ role, totp }: Answer['body']): void {
  element('administration', HTMLElement).hidden = role !== 'administrator';
  element('totp-on', HTMLElement).hidden = totp === true;
  element('totp-off', HTMLElement).hidden = totp !== true;
  element('proof-code', HTMLElement).hidden = totp !== true;
}

function showEnrolment({ body }: Answer): void {
  element('picture', HTMLImageElement).src = String(body.picture);
  element('uri', HTMLElement).textContent = String(body.uri);
  element('enrolment', HTMLElement).hidden = false;
}

function hideEnrolment(): void {
  reset('enrolment');
  element('picture', HTMLImageElement).removeAttribute('src');
  element('uri', HTMLElement).textContent = '';
  element('enrolment', HTMLElement).hidden = true;
}

function forget(): void {
  hideEnrolment();
  reset('proof');
  reset('new-password');
  element('sessions', HTMLElement).replaceChildren();
}

function reset(form: string): void {
  element(form, HTMLFormElement).reset();
}

function onClick(id: string, act: () => void): void {
  element(id, HTMLButtonElement).addEventListener('click', act);
}
