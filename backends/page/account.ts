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
import type { PageAnswer } from './ask.js';
import { element, onClick, onSubmit, showStory } from './view.js';

/** The functions of the page that the account panel needs: run one request at a time, send it, and show its answer. */
export interface PageActions {
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

  /** Sends the password again, and then a sensitive request with the nonce. Tells a failure of either; `then` gets the
   * answer of a success. */
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
