import type { Browser } from './browser.js';
import { Inconclusive } from './errors.js';

const pathsMin = 10;

/** Every path of the shop, as it tells whoever asks for one that it has not. Rejects with `Inconclusive`. */
export async function shopPaths(browser: Browser): Promise<readonly string[]> {
  const { json } = await browser.get('/no-such-path');
  const [, listed = ''] = /Known: (.*)$/.exec(String(json.error)) ?? [];
  const paths = listed.split(', ').map(path => path.replace(/:\w+$/, 'some-thing'));
  if (paths.length >= pathsMin) return paths;
  throw new Inconclusive('the shop does not say which paths it has, so that not all of them can be tried');
}
