import { expect } from 'chai';
import { browserFamily } from '#backends/call.js';

describe('browser family', () => {
  const engine = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)';
  for (const [agent, family] of [
    [`${engine} Chrome/126.0.0.0 Safari/537.36`, 'chrome'],
    [`${engine} HeadlessChrome/126.0.0.0 Safari/537.36`, 'chrome'],
    [`${engine} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`, 'edge'],
    [`${engine} Chrome/126.0.0.0 Safari/537.36 OPR/111.0.0.0`, 'opera'],
    [`${engine} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36`, 'samsung'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0', 'firefox'],
    [`${engine} FxiOS/127.0 Mobile/15E148 Safari/605.1.15`, 'firefox'],
    [`${engine} CriOS/126.0.0.0 Mobile/15E148 Safari/604.1`, 'chrome'],
    [`${engine} Version/17.5 Safari/605.1.15`, 'safari'],
    ['curl/8.5.0', undefined],
    ['node', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const) {
    it(`${String(agent).slice(-60)}: ${family ?? 'none'}`, () => {
      expect(browserFamily(agent)).to.equal(family);
    });
  }
});
