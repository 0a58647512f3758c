import type { Setting } from './setting.js';

/** The settings about bodies of requests. */
export const bodySettings = {
  'max-body-size': {
    type: 'string',
    format: { is: 'size', minBytes: 0, maxBytes: 1024 ** 4 },
    default: '0',
    group: 'Timeouts and limits:',
    describe: 'longest request body; then 413. 0: no limit',
    option: 'limits',
    limit: 'bodyBytesMax',
    reload: 'restart',
    reloadName: 'timeouts and limits',
  },
} as const satisfies Readonly<Record<string, Setting>>;
