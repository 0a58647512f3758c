import { AccountPanel, codeIn } from './account.js';
import { type ActionText, ask, type PageAnswer, tellAction, tellMissing } from './ask.js';
import { initialState, type PageState, type Served, tell } from './story.js';
import {
  type CartLine,
  element,
  onClick,
  onSubmit,
  showCart,
  showGoods,
  showState,
  showStory,
  showTurn,
  showWantedUser,
} from './view.js';

const pollEveryMs = 1_000;
/** Polls per refresh of the account. Other browsers change its list of sessions. */
const pollsPerRefresh = 3;
let polls = 0;

let state: PageState = initialState;
/** The cart that was last shown, and the items that were acknowledged. */
let cart: readonly CartLine[] = [];
let expected: readonly string[] = [];

/** Runs one request at a time. Answers out of order would make the story wrong. */
let turn: Promise<void> = Promise.resolve();
function inTurn(task: () => Promise<void>): Promise<void> {
  turn = turn.then(task).catch(error => console.error(error));
  return turn;
}

/** Shows an answer: answer -> observation -> sentence -> page. */
function showAnswer({ observation, body }: PageAnswer, action?: Served['action']): void {
  if (observation === undefined) return;
  if (typeof body.mode === 'string') state = { ...state, mode: body.mode, proxied: body.proxied === true };
  const user = state.user;
  const update = tell(
    state,
    observation.kind === 'served' && action !== undefined ? { ...observation, action } : observation,
  );
  state = update.state;
  showTurn(observation);
  if (state.user !== user) forgetUser();
  if (observation.kind === 'served') showState(state);
  if (update.sentence !== undefined) showStory(update.sentence, update.mood);
}

/** Reasons for which an answer may know no user although the user is logged in. */
const mayBeOvertaken: readonly (string | null)[] = ['unknown', 'revoked', 'session-gone'];
/** Time for the answer that brings the new cookie to arrive in the other tab. */
const askAgainMs = 300;

/** Sends a request, and sends it once more if it may have been overtaken: another tab of this browser replaced the
 * token meanwhile. The second request has the new token. The first one changed nothing: it was answered like one without
 * a session. If both lost the session, the first answer says best why: the proxy tells a move once. */
async function askForUser(method: string, path: string, content?: object): Promise<PageAnswer> {
  const first = await ask(method, path, content);
  if (state.user === null || !isWithoutSession(first)) return first;
  await pause(askAgainMs);
  const second = await ask(method, path, content);
  return isWithoutSession(second) ? first : second;
}

function isWithoutSession({ observation }: PageAnswer): boolean {
  return observation?.kind === 'served' && observation.user === null && mayBeOvertaken.includes(observation.why);
}

async function poll(): Promise<void> {
  showAnswer(await askForUser('GET', '/me'));
  await pollCart();
  polls++;
  if (polls % pollsPerRefresh === 0 && state.user !== null && state.kind === 'served')
    await account.refresh(state.user);
}

async function pollCart(): Promise<void> {
  if (state.user === null || state.kind !== 'served') return;
  const answer = await askForUser('GET', '/cart');
  showAnswer(answer);
  const lines = answer.body.items;
  if (answer.result.kind !== 'done' || !Array.isArray(lines)) return;
  cart = lines.map((line): CartLine => ({ sku: String(line.sku), quantity: Number(line.quantity) }));
  const skus = cart.map(({ sku }) => sku);
  const missing = tellMissing(expected, skus);
  if (missing !== undefined) showStory(missing, 'lost');
  expect(skus);
  showCart(cart, remove);
}

/** Sets the expected items. An acknowledged item counts at once: the backend may be gone before the next look into the
 * cart. */
function expect(skus: readonly string[]): void {
  expected = [...new Set(skus)];
  state = { ...state, items: expected.length };
}

/** Clears the cart and the account after the user changed or logged out. */
function forgetUser(): void {
  void inTurn(() => account.refresh(state.user));
  cart = [];
  expected = [];
  showCart(cart, remove);
}

function add(sku: string): void {
  const action: ActionText = { subject: sku, verb: 'was', participle: 'added' };
  void change(action, 'POST', '/cart', { sku }, () => [...expected, sku]);
}

function remove(sku: string): void {
  const action: ActionText = { subject: sku, verb: 'was', participle: 'removed' };
  // The item may be gone whatever the result is, so it no longer counts as missing.
  expected = expected.filter(other => other !== sku);
  void change(action, 'DELETE', `/cart/${encodeURIComponent(sku)}`, undefined, () => expected);
}

function change(
  action: ActionText,
  method: string,
  path: string,
  content: object | undefined,
  after: () => readonly string[],
) {
  return inTurn(async () => {
    const answer = await askForUser(method, path, content);
    const user = state.user;
    showAnswer(answer);
    const loggedOut = user !== null && state.user === null;
    const good = answer.result.kind === 'done';
    if (good) expect(after());
    if (!loggedOut) showStory(tellAction(action, answer.result), good ? 'good' : 'trouble');
    await pollCart();
  });
}

function logIn(path: '/login' | '/login/totp', content: object): void {
  void inTurn(async () => {
    const answer = await ask('POST', path, content);
    if (answer.body.next === 'totp') return askForCode();
    const good = answer.result.kind === 'done';
    showAnswer(answer, good ? 'login' : undefined);
    if (!good)
      showStory(tellAction({ subject: 'you', verb: 'were', participle: 'logged in' }, answer.result), 'trouble');
    if (good) element('login', HTMLFormElement).reset();
    // The time for the code is over, or no code is needed any more.
    if (good || answer.body.why === 'wrong-login') element('code', HTMLFormElement).reset();
    await pollCart();
  });
}

/** Shows the form for the code. The password was right, but there is no session yet. This form hides the login form. */
function askForCode(): void {
  element('code', HTMLElement).hidden = false;
  element('login-code', HTMLInputElement).focus();
  showStory(
    'The password is right. Enter the code from your authenticator app: you are not logged in before that.',
    'good',
  );
}

function logOut(): void {
  void inTurn(async () => {
    const answer = await ask('POST', '/logout', {});
    const good = answer.result.kind === 'done';
    showAnswer(answer, good ? 'logout' : undefined);
    if (!good)
      showStory(tellAction({ subject: 'you', verb: 'were', participle: 'logged out' }, answer.result), 'trouble');
  });
}

/** Polls every second while the page is visible, and at once when it becomes visible again. */
async function keepPolling(): Promise<never> {
  for (;;) {
    if (!document.hidden) await inTurn(poll);
    await Promise.race([pause(pollEveryMs), once(document, 'visibilitychange')]);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

function once(target: EventTarget, event: string): Promise<void> {
  return new Promise(resolve => target.addEventListener(event, () => resolve(), { once: true }));
}

const account = new AccountPanel({ ask: askForUser, inTurn, showAnswer });
onSubmit('login', fields =>
  logIn('/login', { user: String(fields.get('user')), password: String(fields.get('password')) }),
);
element('code', HTMLFormElement).addEventListener('reset', () => {
  element('code', HTMLElement).hidden = true;
});
onSubmit('code', fields => logIn('/login/totp', { code: codeIn(fields) }));
onSubmit('add', fields => {
  add(String(fields.get('sku')));
  element('add', HTMLFormElement).reset();
});
onClick('logout', logOut);
showGoods(add);
showWantedUser(location.hash);
void keepPolling();
