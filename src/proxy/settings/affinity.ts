import { type Setting, time } from './setting.js';

const affinityTimes = { group: 'Affinity:', option: 'affinity', reload: 'special' } as const;

/** The settings of `settings.ts` under "Affinity:". */
export const affinitySettings = {
  mode: {
    type: 'string',
    default: 'sticky',
    group: 'Affinity:',
    describe: 'how sessions are kept',
    chosenByLab: true,
  },
  affinity: {
    type: 'string',
    choices: ['on', 'off'],
    group: 'Affinity:',
    describe: 'binds each browser to one backend, or not; default: as the mode says',
    option: 'affinity',
    reload: 'special',
  },
  'on-lost-affinity': {
    type: 'string',
    choices: ['rebind', 'temporary', 'strict'],
    default: 'rebind',
    group: 'Affinity:',
    describe: 'when the bound backend is gone: use another one for good, for now only, or answer 503',
    option: 'affinity',
    reload: 'special',
  },
  'affinity-idle': {
    type: 'string',
    format: time,
    default: '30min',
    ...affinityTimes,
    describe: 'a binding ends when its browser was not seen for this long',
  },
  'affinity-absolute': {
    type: 'string',
    format: time,
    default: '8h',
    ...affinityTimes,
    describe: 'a binding ends after this long, however busy its browser is',
  },
  'affinity-cookie': {
    type: 'string',
    group: 'Affinity:',
    describe: "learn bindings from this session cookie of the app, in place of the proxy's own cookie",
    option: 'affinity',
    reload: 'special',
  },
  'affinity-header': {
    type: 'string',
    group: 'Affinity:',
    describe: 'learn bindings from this header of answers and requests, for API and mobile clients',
    option: 'affinity',
    reload: 'special',
  },
  'secrets-file': {
    type: 'string',
    path: true,
    group: 'Affinity:',
    describe:
      'key ring of the affinity cookie, id:hex,id:hex, newest first (or HOLDFAST_SECRETS); shared by all proxies',
    option: 'affinity',
    reload: 'special',
  },
  pool: {
    type: 'string',
    default: '',
    group: 'Affinity:',
    describe: 'name of this pool, part of the cookie name',
    option: 'affinity',
    reload: 'special',
  },
  'same-site': {
    type: 'string',
    choices: ['Lax', 'Strict', 'None'],
    default: 'Lax',
    group: 'Affinity:',
    describe: 'the SameSite attribute of the affinity cookie',
    option: 'affinity',
    reload: 'special',
  },
} as const satisfies Readonly<Record<string, Setting>>;
