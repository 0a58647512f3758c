import { type Apps, describeApps } from './apps-suite.js';

/** A sample of own-apps.full.test.ts: an app with the defects that are planted together, and the attacks that must find them. */
const apps: Apps = [
  [
    'express',
    {
      // The attacker and the victim see the first mistake. app-attacks.full.test.ts plants each one alone.
      'keep-id,cookie-only-logout': ['fixation', 'id-kept-at-login', 'replay-after-logout'],
      // The store of express-session itself writes late.
      'no-httponly,late-write': ['cookie-attributes', 'logout-race'],
    },
  ],
];

describeApps(apps);
