import { type Setting, time } from './setting.js';

const group = 'Affinity:';
/** The fields that settings of the affinity share. */
const affinity = { group, option: 'affinity', reload: 'special' } as const;

/** Settings of session affinity. */
export const affinitySettings = {
  mode: {
    type: 'string',
    default: 'sticky',
    group,
    describe: 'how sessions are kept',
    chosenByLab: true,
  },
  affinity: {
    type: 'string',
    choices: ['on', 'off'],
    ...affinity,
    describe: 'bind each browser to one backend, or not; default: as the mode says',
  },
  'on-lost-affinity': {
    type: 'string',
    choices: ['rebind', 'temporary', 'strict'],
    default: 'rebind',
    ...affinity,
    describe: 'when the bound backend is gone: use another one for good, for now only, or answer 503',
  },
  'affinity-idle': {
    type: 'string',
    format: time,
    default: '30min',
    ...affinity,
    describe: 'a binding ends when its browser was not seen for this long',
  },
  'affinity-absolute': {
    type: 'string',
    format: time,
    default: '8h',
    ...affinity,
    describe: 'a binding ends after this long, however busy its browser is',
  },
  'affinity-cookie': {
    type: 'string',
    ...affinity,
    describe: "learn bindings from this session cookie of the app, in place of the proxy's own cookie",
  },
  'affinity-header': {
    type: 'string',
    ...affinity,
    describe: 'learn bindings from this header of answers and requests, for API and mobile clients',
  },
  'secrets-file': {
    type: 'string',
    path: true,
    ...affinity,
    describe:
      'key ring of the affinity cookie, id:hex,id:hex, newest first (or HOLDFAST_SECRETS); shared by all proxies',
  },
  pool: {
    type: 'string',
    default: '',
    ...affinity,
    describe: 'name of this pool, part of the cookie name',
  },
  'same-site': {
    type: 'string',
    choices: ['Lax', 'Strict', 'None'],
    default: 'Lax',
    ...affinity,
    describe: 'the SameSite attribute of the affinity cookie',
  },
} as const satisfies Readonly<Record<string, Setting>>;
