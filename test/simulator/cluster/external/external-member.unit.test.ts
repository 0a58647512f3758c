import { expect } from 'chai';
import type { ListedMember } from '#src/simulator/cluster/external/driver.js';
import { ExternalMember } from '#src/simulator/cluster/external/external-member.js';
import type { ExternalSystem } from '#src/simulator/cluster/external/external-system.js';

const ready: readonly ListedMember[] = ['a', 'b'].map(name => ({ name, names: [name] }));

/** Creates a member of a system whose `list` ends when the test says so. */
function memberOf(list: () => Promise<readonly ListedMember[]>) {
  const ran: string[] = [];
  const system = {
    spec: { selector: 'app=shop', withinMs: 100, commands: { alive: 'true' } },
    list,
    alive: async () => ({ ok: true, late: false, how: 'ended with code 0', said: '', printed: '' }),
    run: async (verb: string, name: string) => void ran.push(`${verb} ${name}`),
  };
  const member = new ExternalMember(
    'member-1',
    system as unknown as ExternalSystem,
    ([first]) => first,
    () => undefined,
  );
  return { member, ran };
}

describe('a member that the lab did not start', () => {
  it('is not struck any more when its healing begins before it was found', async () => {
    let found: (ready: readonly ListedMember[]) => void = () => undefined;
    const { member, ran } = memberOf(() => new Promise(resolve => (found = resolve)));
    const killing = member.kill();
    expect(await member.answers()).to.equal(true); // as healing asks
    found(ready);
    expect(await killing).to.equal(false);
    expect(ran).to.deep.equal([]);
    expect(member.shownAs).to.equal('member-1');
  });

  it('stands for the one that was struck until it is up again', async () => {
    const { member, ran } = memberOf(async () => ready);
    await member.hang();
    expect([member.shownAs, member.state]).to.deep.equal(['a', 'stopped']);
    member.mark('up');
    expect(member.shownAs).to.equal('member-1');
    expect(ran).to.deep.equal(['hang a']);
  });
});
