import { expect } from 'chai';
import { BoundBrowsers } from '#src/proxy/pool/bound-browsers.js';

describe('bound browsers', () => {
  it('count once each, until they are forgotten or idle for too long', () => {
    const bound = new BoundBrowsers(100);
    bound.see('1', 0);
    bound.see('2', 50);
    bound.see('1', 60);
    expect(bound.count(60)).to.equal(2);
    expect(bound.count(155)).to.equal(1);
    bound.forget('1');
    expect(bound.count(155)).to.equal(0);
  });

  it('are limited in number', () => {
    const bound = new BoundBrowsers(100);
    for (let i = 0; i < 100_010; i += 1) bound.see(String(i), 0);
    expect(bound.count(0)).to.equal(100_000);
  });
});
