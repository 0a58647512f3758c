import { expect } from 'chai';
import { Member } from '#src/proxy/pool/member.js';
import { BoundBrowsers } from '#src/proxy/pool/observations.js';

describe('member: which boot a browser was bound to', () => {
  const nameless = (steps: (member: Member, at: (ms: number) => void) => void): Member => {
    let nowMs = 0;
    const member = new Member('backend-1', new URL('http://127.0.0.1:3000'), {
      boundIdleMs: 1000,
      now: () => nowMs,
      onEvent: () => {},
      onStateChange: () => {},
    });
    member.up('test');
    steps(member, ms => {
      nowMs = ms;
    });
    return member;
  };
  const restarted = nameless((member, at) => {
    at(100);
    member.down('test');
    at(200);
    member.up('test');
  });
  const renamed = nameless((member, at) => {
    at(100);
    member.learn('a');
    at(200);
    member.learn('b');
  });
  const named = nameless((member, at) => {
    at(100);
    member.learn('a');
  });
  const table: readonly (readonly [what: string, Member, bootName: string, issuedMs: number, same: boolean])[] = [
    ['no restart seen', nameless(() => {}), '', 1, true],
    ['without a name, bound before it went down', restarted, '', 99, false],
    ['without a name, bound at another proxy while this one believed it down', restarted, '', 150, true],
    ['without a name, bound since the restart', restarted, '', 201, true],
    ['a name that only the other proxy knows, bound before it went down', restarted, 'a', 99, false],
    ['a name that only the other proxy knows, bound since the restart', restarted, 'a', 150, true],
    ['its present name, bound at any time', renamed, 'b', 0, true],
    ['its name before', renamed, 'a', 150, false],
    ['a name that is new to this proxy', renamed, 'c', 201, true],
    ['no name, bound to the previous boot', renamed, '', 150, false],
    ['no name, bound to the present boot', renamed, '', 201, true],
    ['no name, bound before its first name was known', named, '', 50, true],
    ['another name, bound before its first name was known', named, 'z', 50, false],
  ];
  for (const [what, member, bootName, issuedMs, same] of table) {
    it(`${what}: ${same ? 'the present boot' : 'not the present boot'}`, () => {
      expect(member.isBoot(bootName, issuedMs)).to.equal(same);
    });
  }
});

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
