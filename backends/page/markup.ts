/** The page without its style, its script and its link to the live lab. `page.ts` inserts them. */
export const markup = `<!doctype html>
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

/** Returns the link to the live lab. `view.ts` adds the name of the user. */
export function liveLabLink(origin: string): string {
  return `\n  <p><a id="live-lab" href="${origin}/">Back to the live lab</a></p>`;
}
