import { type Apps, describeApps } from './apps-suite.js';

/** The apps, each with the defects that are planted together and the attacks that must find them. */
const apps: Apps = [
  ['express-jwt', { 'alg-none': ['jwt-none'] }],
  ['php', { 'keep-id': ['fixation', 'id-kept-at-login'] }],
  ['python', { 'cookie-only-logout': ['replay-after-logout'] }],
  ['ruby', { 'alg-none': ['jwt-none'] }],
];

describeApps(apps);
