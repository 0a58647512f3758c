import {
  focusCode,
  forgetAccount,
  type Listed,
  readProof,
  resetForm,
  showAccount,
  showEnrolment,
  showSessions,
} from './account-view.js';
import { type ActionText, tellAction } from './actions.js';
import { ask, type PageAnswer } from './ask.js';
import { element, onClick, onSubmit, showStory } from './view.js';

/** The functions of the page that the account panel needs: run one request at a time, and show each answer. */
export interface PageActions {
  inTurn(task: () => Promise<void>): void;
  showAnswer(answer: PageAnswer, action?: 'logout'): void;
}

/** The account of the user: sessions, password, second factor. For an administrator, also the accounts of others. */
export class AccountPanel {
  readonly #page: PageActions;

  constructor(page: PageActions) {
    this.#page = page;
    onClick('end-others', () =>
      this.#runAction(loggedOutAction('your other sessions', 'were'), '/account/sessions/end-others'),
    );
    onClick('end-all', () => this.#logOutEverywhere());
    onSubmit('new-password', fields => this.#changePassword(fields));
    onClick('totp-on', () => this.#runSensitive(keyMade, '/account/totp', {}, ({ body }) => showEnrolment(body)));
    onClick('totp-off', () => this.#runSensitive(turnedAction('off'), '/account/totp/remove', {}));
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
    this.#runAction(loggedOutAction(`session ${handle.slice(0, 6)}`, 'was'), `/account/sessions/${handle}`, 'DELETE');
  }

  #logOutEverywhere(): void {
    this.#page.inTurn(async () => {
      const answer = await ask('POST', '/logout-everywhere', {});
      if (answer.result.kind === 'done') this.#page.showAnswer(answer, 'logout');
      else await this.#tell(loggedOutAction('you', 'were'), answer);
    });
  }

  #changePassword(fields: FormData): void {
    const password = String(fields.get('password'));
    const others = fields.get('others') === null ? 'keep' : 'end';
    const action: ActionText = { subject: 'your password', verb: 'was', participle: 'changed' };
    this.#runSensitive(action, '/account/password', { password, others }, () => resetForm('new-password'));
  }

  #confirm(fields: FormData): void {
    this.#page.inTurn(async () => {
      const answer = await this.#ask('POST', '/account/totp/confirm', { code: codeIn(fields) });
      await this.#tell(turnedAction('on'), answer);
      if (answer.result.kind !== 'done') focusCode();
    });
  }

  #administer(id: string, participle: string): void {
    const isAboutAll = id === 'end-everyone';
    if (!isAboutAll && !element('administration', HTMLFormElement).reportValidity()) return;
    const user = element('revoke-user', HTMLInputElement).value;
    const subject = isAboutAll ? 'everybody' : user;
    this.#runSensitive({ subject, verb: 'was', participle }, `/admin/${id}`, isAboutAll ? {} : { user });
  }

  #runAction(action: ActionText, path: string, method = 'POST'): void {
    this.#page.inTurn(async () => {
      await this.#tell(action, await this.#ask(method, path, method === 'POST' ? {} : undefined));
    });
  }

  /** Runs a sensitive request: asks for the password again and gets a nonce for this one request. */
  #runSensitive(
    action: ActionText,
    path: string,
    content: object,
    then: (answer: PageAnswer) => void = () => undefined,
  ): void {
    const given = readProof();
    if (given === undefined) return;
    this.#page.inTurn(async () => {
      const proof = await this.#ask('POST', '/account/reauthenticate', given);
      if (proof.result.kind !== 'done') return this.#tell(action, proof);
      const answer = await this.#ask('POST', path, { ...content, nonce: proof.body.nonce });
      await this.#tell(action, answer);
      if (answer.result.kind === 'done') then(answer);
    });
  }

  async #tell(action: ActionText, { result }: PageAnswer): Promise<void> {
    resetForm('proof');
    showStory(tellAction(action, result), result.kind === 'done' ? 'good' : 'trouble');
    await this.refresh(element('account', HTMLElement).hidden ? null : '');
  }

  async #ask(method: string, path: string, content?: object): Promise<PageAnswer> {
    const answer = await ask(method, path, content);
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
  'end-sessions': 'logged out everywhere',
  'end-everyone': 'logged out',
};

const keyMade: ActionText = { subject: 'the key for your authenticator', verb: 'was', participle: 'made' };

function loggedOutAction(subject: string, verb: ActionText['verb']): ActionText {
  return { subject, verb, participle: 'logged out' };
}

function turnedAction(word: 'on' | 'off'): ActionText {
  return { subject: 'two-factor', verb: 'was', participle: `turned ${word}` };
}

export function codeIn(fields: FormData): string {
  return String(fields.get('code') ?? '').replaceAll(' ', '');
}
