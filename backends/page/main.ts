import { AccountPanel, codeIn } from './account.js';
import { type ActionText, tellAction, tellMissing } from './actions.js';
import { ask, type PageAnswer } from './ask.js';
import { opening, type PageState, type Served, tell } from './story.js';
import {
  type CartLine,
  element,
  onClick,
  onSubmit,
  showCart,
  showGoods,
  showScene,
  showStory,
  showTurn,
} from './view.js';

const lookEveryMs = 1_000;
/** Polls per refresh of the account. Other browsers change its list of sessions. */
const looksPerRefresh = 3;
let looks = 0;

let scene: PageState = opening;
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
function see({ sight, body }: PageAnswer, deed?: Served['deed']): void {
  if (sight === undefined) return;
  if (typeof body.mode === 'string') scene = { ...scene, mode: body.mode, proxied: body.proxied === true };
  const user = scene.user;
  const told = tell(scene, sight.kind === 'served' && deed !== undefined ? { ...sight, deed } : sight);
  scene = told.scene;
  showTurn(sight);
  if (scene.user !== user) forgetUser();
  if (sight.kind === 'served') showScene(scene);
  if (told.sentence !== undefined) showStory(told.sentence, told.mood);
}

async function look(): Promise<void> {
  see(await ask('GET', '/me'));
  await lookIntoCart();
  looks++;
  if (looks % looksPerRefresh === 0 && scene.user !== null && scene.kind === 'served')
    await account.refresh(scene.user);
}

async function lookIntoCart(): Promise<void> {
  if (scene.user === null || scene.kind !== 'served') return;
  const answer = await ask('GET', '/cart');
  see(answer);
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
  scene = { ...scene, items: expected.length };
}

/** Clears the cart and the account after the user changed or logged out. */
function forgetUser(): void {
  void inTurn(() => account.refresh(scene.user));
  cart = [];
  expected = [];
  showCart(cart, remove);
}

function add(sku: string): void {
  const deed: ActionText = { subject: sku, verb: 'was', participle: 'added' };
  void change(deed, 'POST', '/cart', { sku }, () => [...expected, sku]);
}

function remove(sku: string): void {
  const deed: ActionText = { subject: sku, verb: 'was', participle: 'removed' };
  // The item may be gone whatever the result is, so it no longer counts as missing.
  expected = expected.filter(other => other !== sku);
  void change(deed, 'DELETE', `/cart/${encodeURIComponent(sku)}`, undefined, () => expected);
}

function change(
  deed: ActionText,
  method: string,
  path: string,
  content: object | undefined,
  after: () => readonly string[],
) {
  return inTurn(async () => {
    const answer = await ask(method, path, content);
    const user = scene.user;
    see(answer);
    const loggedOut = user !== null && scene.user === null;
    const good = answer.result.kind === 'done';
    if (good) expect(after());
    if (!loggedOut) showStory(tellAction(deed, answer.result), good ? 'good' : 'trouble');
    await lookIntoCart();
  });
}

function logIn(path: '/login' | '/login/totp', content: object): void {
  void inTurn(async () => {
    const answer = await ask('POST', path, content);
    if (answer.body.next === 'totp') return askForCode();
    const good = answer.result.kind === 'done';
    see(answer, good ? 'login' : undefined);
    if (!good)
      showStory(tellAction({ subject: 'you', verb: 'were', participle: 'logged in' }, answer.result), 'trouble');
    if (good) element('login', HTMLFormElement).reset();
    // The time for the code is over, or no code is needed any more.
    if (good || answer.body.why === 'wrong-login') element('code', HTMLFormElement).reset();
    await lookIntoCart();
  });
}

/** Shows the form for the code. The password was right, but there is no session yet. This form hides the login form. */
function askForCode(): void {
  element('code', HTMLElement).hidden = false;
  element('login-code', HTMLInputElement).focus();
  showStory('The password is right. Now the code of your authenticator: until then you are not logged in.', 'good');
}

function logOut(): void {
  void inTurn(async () => {
    const answer = await ask('POST', '/logout', {});
    const good = answer.result.kind === 'done';
    see(answer, good ? 'logout' : undefined);
    if (!good)
      showStory(tellAction({ subject: 'you', verb: 'were', participle: 'logged out' }, answer.result), 'trouble');
  });
}

/** Polls every second while the page is visible, and at once when it becomes visible again. */
async function keepLooking(): Promise<never> {
  for (;;) {
    if (!document.hidden) await inTurn(look);
    await Promise.race([pause(lookEveryMs), once(document, 'visibilitychange')]);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

function once(target: EventTarget, event: string): Promise<void> {
  return new Promise(resolve => target.addEventListener(event, () => resolve(), { once: true }));
}

const account = new AccountPanel({ inTurn, see });
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
void keepLooking();
