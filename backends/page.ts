import { createHash } from 'node:crypto';
import type { Reply } from '#src/sessions/request-session.js';
import { readPackedFile } from '#src/shared/package.js';

/**
 * Builds one HTML page with everything in it. It must work while its server is dead, so it can load nothing later. Its
 * policy allows the one script and the one style by their digests, and requests to this origin only. `liveLab`: the
 * origin of the live lab that the page links to.
 */
export function shopPage(liveLab?: string): Reply {
  // scripts/pack.mjs has packed it from page/main.ts.
  const script = readPackedFile('dist/backends/page-script.js');
  const link = liveLab === undefined ? '' : liveLabLink(liveLab);
  const body = markup
    .replace('/*live-lab*/', () => link)
    .replace('/*style*/', () => style)
    .replace('/*script*/', () => script);
  const policy = [
    "default-src 'none'",
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { status: 200, headers: { ...pageHeaders, 'content-security-policy': policy.join('; ') }, body };
}

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function digest(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Returns the link to the live lab. `view.ts` adds the name of the user. */
function liveLabLink(origin: string): string {
  return `\n  <p><a id="live-lab" href="${origin}/">Back to the live lab</a></p>`;
}

/** The page without its style, its script and its link to the live lab. `shopPage` inserts them. */
const markup = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast shop</title>
<link rel="icon" href="data:,">
<style>/*style*/</style>
</head>
<body>
<header>
  <h1>Holdfast shop</h1>
  <p>A shop that shows where your session lives. Kill a server and watch what happens to it.</p>/*live-lab*/
</header>
<noscript><p class="story" data-mood="trouble">This page needs JavaScript: it asks the shop every second who you are.</p></noscript>
<main>
  <p id="story" class="story" role="status" data-mood="good">Asking the shop who you are …</p>
  <div class="columns">
    <section aria-labelledby="shop-title">
      <h2 id="shop-title">Shop</h2>
      <form id="code" hidden>
        <label for="login-code">Code from your authenticator app</label>
        <input id="login-code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="7" pattern="[0-9 ]+" title="six digits">
        <button class="main" type="submit">Continue</button>
        <button class="spaced" type="reset">Start over</button>
      </form>
      <form id="login" hidden>
        <label for="user">Name</label>
        <input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="64" pattern="[a-z0-9\\-]+" title="lower-case letters, digits and hyphens" value="anna">
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required>
        <button class="main" type="submit">Log in</button>
        <p class="faint hint">Any name will do. The password is <code>secret</code>, unless SHOP_PASSWORD says otherwise or you have chosen your own.</p>
      </form>
      <div id="shelf" hidden>
        <div class="greeting">
          <p>Logged in as <strong id="name"></strong></p>
          <button id="logout" type="button">Log out</button>
        </div>
        <h3>Cart</h3>
        <p id="empty" class="faint">Your cart is empty.</p>
        <ul id="cart" class="cart"></ul>
        <h3>Add an item</h3>
        <div id="goods" class="goods"></div>
        <form id="add">
          <label for="sku">Another item</label>
          <div class="row">
            <input id="sku" name="sku" autocomplete="off" required maxlength="64" pattern="[A-Za-z0-9_.:\\-]+" title="letters, digits, or any of _ . : -">
            <button type="submit">Add</button>
          </div>
        </form>
      </div>
    </section>
    <section aria-labelledby="server-title">
      <h2 id="server-title">Which backend answered last</h2>
      <dl>
        <dt>Backend</dt><dd><span id="backend" class="badge">–</span></dd>
        <dt>Boot</dt><dd><code id="boot">–</code></dd>
        <dt>Mode</dt><dd id="mode">–</dd>
        <dt>Session</dt><dd id="where">–</dd>
      </dl>
      <h3 id="turns-title">The last answers, newest on the right</h3>
      <ol id="turns" class="turns" aria-labelledby="turns-title"></ol>
    </section>
    <section id="account" class="wide" aria-labelledby="account-title" hidden>
      <h2 id="account-title">Your account</h2>
      <div class="columns apart">
        <div>
          <h3>Confirm that it is you</h3>
          <p class="faint">Enter your password before each change of your account, and before you log out other sessions.</p>
          <form id="proof">
            <input id="proof-user" name="user" autocomplete="username" hidden>
            <label for="proof-password">Your password</label>
            <input id="proof-password" name="password" type="password" autocomplete="current-password" required>
            <div id="proof-code" hidden>
              <label for="proof-code-field">Code from your authenticator app</label>
              <input id="proof-code-field" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="7" pattern="[0-9 ]+" title="six digits">
            </div>
          </form>
          <h3>Your sessions</h3>
          <ul id="sessions" class="cart"></ul>
          <div class="goods spaced">
            <button id="end-others" type="button">Log out my other sessions</button>
            <button id="end-all" type="button">Log out everywhere</button>
          </div>
        </div>
        <div>
          <h3>Password</h3>
          <form id="new-password">
            <input id="new-password-user" name="user" autocomplete="username" hidden>
            <label for="new-password-field">New password</label>
            <div class="row">
              <input id="new-password-field" name="password" type="password" autocomplete="new-password" required minlength="8" maxlength="128">
              <button type="submit">Change</button>
            </div>
            <label class="choice"><input type="checkbox" name="others" checked> Also log out my other sessions</label>
          </form>
          <h3>Two-factor login</h3>
          <button id="totp-on" type="button">Turn on two-factor login</button>
          <button id="totp-off" type="button" hidden>Turn off two-factor login</button>
          <label class="choice"><input id="totp-others" type="checkbox" checked> Also log out my other sessions</label>
          <form id="enrolment" hidden>
            <p class="faint spaced">Scan this with your authenticator app, or <a id="uri">open it</a> on this device, or type the key:</p>
            <img id="picture" width="180" height="180" alt="QR code of the key, for your authenticator app">
            <p><code id="key"></code></p>
            <label for="enrol-code">The code that the app shows now</label>
            <div class="row">
              <input id="enrol-code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="7" pattern="[0-9 ]+" title="six digits">
              <button type="submit">Turn it on</button>
            </div>
          </form>
          <form id="administration" hidden>
            <h3>Administration</h3>
            <label for="revoke-user">User</label>
            <input id="revoke-user" autocomplete="off" autocapitalize="none" spellcheck="false" required maxlength="64" pattern="[a-z0-9\\-]+" title="lower-case letters, digits and hyphens">
            <div class="goods spaced">
              <button id="disable" type="button">Disable</button>
              <button id="enable" type="button">Enable</button>
              <button id="delete" type="button">Delete</button>
              <button id="end-sessions" type="button">Log the user out everywhere</button>
              <button id="end-everyone" type="button">Log out every user</button>
            </div>
          </form>
        </div>
      </div>
    </section>
    <section class="wide" aria-labelledby="log-title">
      <h2 id="log-title">What happened</h2>
      <ol id="log" class="log" tabindex="0" aria-labelledby="log-title"></ol>
    </section>
  </div>
</main>
<script type="module">/*script*/</script>
</body>
</html>
`;

/** The style sheet. Its colours, light and dark, have a contrast of at least 4.5 : 1 against their background. */
const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f3ef; --card: #ffffff; --line: #dcd9d0; --ink: #22231f; --faint: #64655d;
  --accent: #1f5fae; --on-accent: #ffffff;
  --good: #e3f1e5; --good-edge: #2f7d3b; --trouble: #fdf0d2; --trouble-edge: #a86a00; --lost: #fbe2de; --lost-edge: #b3261e;
  --b0: #1f5fae; --b1: #8a4b00; --b2: #6a3fa0; --b3: #0b6e69; --b4: #a3265c; --b5: #4f6212;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #17181a; --card: #212326; --line: #3a3d42; --ink: #eceae4; --faint: #a5a69f;
    --accent: #8ab8f5; --on-accent: #10233b;
    --good: #1d3022; --good-edge: #6fbf7d; --trouble: #372c13; --trouble-edge: #e3a93f; --lost: #3c1f1c; --lost-edge: #f28b82;
    --b0: #8ab8f5; --b1: #e8ab6a; --b2: #c3a4f0; --b3: #6fcdc6; --b4: #f29abf; --b5: #b9cf6d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 0 0 .9rem; font-size: 1.05rem; }
h3 { margin: 1.3rem 0 .5rem; font-size: .85rem; font-weight: 600; color: var(--faint); }
header p { margin: .2rem 0 1.2rem; color: var(--faint); }
.story { margin: 0 0 1rem; padding: .9rem 1.1rem; border-radius: .6rem; border-left: .35rem solid var(--edge);
  background: var(--tint); font-size: 1.1rem; min-height: 3.5rem; overflow-wrap: anywhere; }
[data-mood=good] { --tint: var(--good); --edge: var(--good-edge); }
[data-mood=trouble] { --tint: var(--trouble); --edge: var(--trouble-edge); }
[data-mood=lost] { --tint: var(--lost); --edge: var(--lost-edge); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.2rem 1.3rem; min-width: 0; }
.wide { grid-column: 1 / -1; }
.apart { column-gap: 2.5rem; }
.apart > div { min-width: 0; }
.apart > div > h3:first-child { margin-top: 0; }
a { color: var(--accent); }
.faint { color: var(--faint); margin: 0; }
.hint { margin: .8rem 0 0; font-size: .85rem; }
label { display: block; margin: .7rem 0 .2rem; font-size: .85rem; color: var(--faint); }
input { width: 100%; min-width: 0; padding: .5rem .6rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--faint); border-radius: .4rem; }
button { white-space: nowrap; padding: .5rem .9rem; font: inherit; color: var(--accent); background: transparent; border: 1px solid currentColor; border-radius: .4rem; cursor: pointer; }
button:hover { background: color-mix(in srgb, var(--accent) 12%, transparent); }
button:disabled { color: var(--faint); cursor: progress; }
.main { margin-top: 1rem; width: 100%; background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.main:hover { background: color-mix(in srgb, var(--accent) 85%, var(--ink)); }
:focus-visible { outline: .2rem solid var(--accent); outline-offset: .12rem; }
.greeting, .row, .cart li { display: flex; gap: .6rem; align-items: center; justify-content: space-between; }
.greeting p { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.cart, .goods, .turns, .log { list-style: none; margin: 0; padding: 0; }
.cart li { padding: .3rem 0; border-bottom: 1px solid var(--line); }
.cart span { overflow-wrap: anywhere; min-width: 0; }
.cart small { margin-left: .6rem; color: var(--faint); }
.cart button, .cart strong { flex: none; }
.cart strong { font-size: .85rem; }
.cart button { padding: .2rem .6rem; font-size: .9rem; }
.spaced { margin-top: .8rem; }
.choice { display: flex; align-items: center; gap: .4rem; }
.choice input { width: auto; }
#picture { display: block; background: #fff; border: 1px solid var(--line); border-radius: .4rem; margin-top: .8rem; }
#key { font-size: 1.05rem; overflow-wrap: anywhere; }
#code:not([hidden]) + #login { display: none; }
.goods { display: flex; flex-wrap: wrap; gap: .5rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .45rem 1.2rem; margin: 0; align-items: baseline; }
dt { color: var(--faint); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.badge { font-size: 1.3rem; font-weight: 650; color: var(--hue, var(--faint)); }
.turns { display: flex; flex-wrap: wrap; gap: .25rem; min-height: 1.6rem; }
.turns li { min-width: 1.5rem; height: 1.5rem; padding: 0 .3rem; border-radius: .3rem; font-size: .8rem; line-height: 1.5rem; text-align: center;
  font-variant-numeric: tabular-nums; background: var(--hue, var(--faint)); color: var(--card); }
[data-hue="0"] { --hue: var(--b0); } [data-hue="1"] { --hue: var(--b1); } [data-hue="2"] { --hue: var(--b2); }
[data-hue="3"] { --hue: var(--b3); } [data-hue="4"] { --hue: var(--b4); } [data-hue="5"] { --hue: var(--b5); }
.turns .none { background: transparent; color: var(--lost-edge); box-shadow: inset 0 0 0 .1rem var(--lost-edge); }
.log { max-height: 20rem; overflow-y: auto; }
.log li { display: grid; grid-template-columns: 5rem minmax(0, 1fr); gap: .8rem; padding: .4rem .6rem; border-left: .2rem solid var(--edge); margin-bottom: .3rem; }
.log time { color: var(--faint); font-variant-numeric: tabular-nums; }
.log span { overflow-wrap: anywhere; }
@media (max-width: 30rem) { .log li { grid-template-columns: 1fr; gap: 0; } }
`;
