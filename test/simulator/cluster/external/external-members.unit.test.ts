import { expect } from 'chai';
import type { ListedMember } from '#src/simulator/cluster/external/drivers.js';
import { ExternalMember } from '#src/simulator/cluster/external/external-members.js';
import { ExternalSystem } from '#src/simulator/cluster/external/external-system.js';

const ready: readonly ListedMember[] = ['a', 'b'].map(name => ({ name, names: [name] }));

/** Creates a member of a system whose `list` ends when the test says so. */
function memberOf(list: () => Promise<readonly ListedMember[]>) {
  const ran: string[] = [];
  const system = {
    spec: { selector: 'app=shop', withinMs: 100, commands: { alive: 'true' } },
    list,
    strikeInTurn: <T>(strike: () => Promise<T>) => strike(),
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

/** Creates two targets that stand for the same member, which can be resumed only while it hangs. */
function mortalMembers() {
  const ran: string[] = [];
  let state = 'alive';
  const after: Readonly<Record<string, string>> = { kill: 'dead', hang: 'hung', resume: 'alive', start: 'alive' };
  const run = async (command: string) => {
    const [verb = '', name = ''] = command.split(' ');
    if (verb === 'alive') return endOf(state === 'alive');
    ran.push(`${verb} ${name}`);
    if (verb === 'resume' && state !== 'hung') return endOf(false);
    state = after[verb] ?? state;
    return endOf(true);
  };
  const verbs = ['alive', 'kill', 'hang', 'resume', 'start'].map(verb => [verb, `${verb} {member}`]);
  const commands = { list: 'list', alive: '', ...Object.fromEntries(verbs) };
  const spec = { selector: 'a', withinMs: 100, commands };
  const system = new ExternalSystem(spec, async command =>
    command === 'list' ? { ...endOf(true), printed: 'a' } : run(command),
  );
  const [first, second] = ['member-1', 'member-any'].map(
    name =>
      new ExternalMember(
        name,
        system,
        ([one]) => one,
        () => undefined,
      ),
  ) as [ExternalMember, ExternalMember];
  return { first, second, ran, die: () => (state = 'dead'), come: () => (state = 'alive') };
}

function endOf(ok: boolean) {
  return { ok, late: false, how: `ended with code ${ok ? 0 : 1}`, said: '', printed: '' };
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

  for (const others of ['the same target', 'another target'])
    it(`is struck by one of two faults that strike it at the same time by ${others}`, async () => {
      const { first, second, ran } = mortalMembers();
      const results = await Promise.all([first.kill(), (others === 'the same target' ? first : second).hang()]);
      expect(results).to.deep.equal([true, false]);
      expect(ran).to.deep.equal(['kill a']);
    });

  it('is started when it cannot be resumed, because something else has killed it', async () => {
    const { first, ran, die } = mortalMembers();
    await first.hang();
    die();
    expect(await first.resume()).to.equal(false);
    expect(first.isRunning).to.equal(false);
    await first.start();
    expect(ran).to.deep.equal(['hang a', 'resume a', 'start a']);
    expect(first.state).to.equal('up');
  });

  it('tells what its driver saw last', async () => {
    const { first, die, come } = mortalMembers();
    expect(first.describe()).to.equal('was not struck');
    await first.kill();
    come();
    await first.confirm('kill');
    expect(first.describe()).to.equal('is alive: ended with code 0');
    first.mark('up');
    die();
    await first.kill();
    expect(first.describe()).to.equal('was not alive before it was struck: ended with code 1');
  });

  it('is struck again where it is, although another member is the first one now', async () => {
    let listed = ready;
    const { member, ran } = memberOf(async () => listed);
    await member.kill();
    member.mark('up');
    listed = ready.toReversed();
    await member.kill('again');
    member.mark('up');
    await member.kill();
    expect(ran).to.deep.equal(['kill a', 'kill a', 'kill b']);
  });

  it('is another one when the one that was struck has been replaced', async () => {
    let listed = ready;
    const { member, ran } = memberOf(async () => listed);
    await member.kill();
    member.mark('up');
    listed = ready.slice(1);
    await member.kill('again');
    expect(ran).to.deep.equal(['kill a', 'kill b']);
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
