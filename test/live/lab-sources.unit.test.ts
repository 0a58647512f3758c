import { expect } from 'chai';
import { parseEvents, RecordedLab } from '#src/live/page/lab-sources.js';
import { type LabSides, sidesAfter } from '#src/live/page/lab-state.js';
import { makeRecording } from '#src/live/played-run.js';
import type { SideName, SideView, StreamMessage } from '#src/live/protocol.js';
import { packageFile } from '#src/shared/package.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { countsOfReport } from './told-run.js';

const scenario = await readScenario(packageFile('scenarios/kill-one.yaml'));
const plan = makePlan(scenario, 42);
const runs = {
  left: await runInMemory(scenario, 'sticky', plan),
  right: await runInMemory(scenario, 'redis', plan),
};
const recording = await makeRecording(runs.left, runs.right);
const kill = runs.left.faults[0] ?? expect.fail('no fault');

/** Plays the recording by a clock that the test moves. `sides`: what a page would know. */
function openRecorded() {
  let nowMs = 1000;
  let sides: LabSides = {};
  const kinds: StreamMessage['kind'][] = [];
  const lab = new RecordedLab(recording, () => nowMs);
  const connection = lab.connect({
    message: message => {
      kinds.push(message.kind);
      sides = sidesAfter(sides, message);
    },
    connection: () => {},
  });
  void connection.run();
  const view = (name: SideName): SideView => sides[name]?.view ?? expect.fail(`no ${name} side`);
  const playTo = (atMs: number) => {
    nowMs = 1000 + atMs;
    lab.step();
  };
  return { lab, view, playTo, kinds };
}

const countsOf = (view: SideView) => {
  const { p99Ms: _, ...counts } = view.counts;
  return counts;
};

describe('a recording of two runs', () => {
  it('ends in the state of their reports, and holds the story of each user', () => {
    const { lab, view } = openRecorded();
    lab.seek(recording.endMs);
    for (const name of ['left', 'right'] as const) {
      expect(countsOf(view(name))).to.deep.equal(countsOfReport(runs[name]));
      expect(view(name).stage).to.equal('over');
      const users = view(name).users.map(each => each.name);
      expect(Object.keys(recording.stories[name] ?? {})).to.have.members(users);
    }
    expect(view('left').counts.loggedOut).to.be.greaterThan(5);
  });

  it('has its messages in the order of time, at most 100 ms apart while something happens', () => {
    const times = recording.messages.map(({ atMs }) => atMs);
    expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).to.equal(recording.endMs);
    const busy = times.filter(atMs => atMs > 500 && atMs < kill.requestedMs + 500);
    expect(Math.max(...busy.slice(1).map((atMs, index) => atMs - (busy[index] ?? 0)))).to.be.at.most(100);
  });
});

describe('a page that plays a recording', () => {
  it('shows each moment at its time, by its own clock, and stops at the end', () => {
    const { lab, view, playTo } = openRecorded();
    lab.play();
    playTo(kill.requestedMs - 200);
    expect(view('left').strikes).to.deep.equal([]);
    expect(view('left').stage).to.equal('running');
    playTo(kill.requestedMs + 700);
    expect(view('left').strikes.map(({ state }) => state)).to.deep.equal(['confirmed']);
    expect(lab.isPlaying).to.equal(true);
    playTo(recording.endMs + 5000);
    expect([lab.isPlaying, lab.isAtEnd, lab.atMs]).to.deep.equal([false, true, recording.endMs]);
    expect(countsOf(view('left'))).to.deep.equal(countsOfReport(runs.left));
  });

  it('shows after a jump, forward or back, what it shows when it plays to that time', () => {
    const [played, jumped] = [openRecorded(), openRecorded()];
    played.lab.play();
    for (let atMs = 0; atMs <= 3000; atMs += 40) played.playTo(atMs);
    jumped.lab.seek(recording.endMs);
    jumped.lab.seek(3000);
    expect(jumped.view('left')).to.deep.equal(played.view('left'));
    expect(jumped.kinds).to.deep.equal(['snapshot', 'snapshot', 'snapshot']);
    played.lab.pause();
  });

  it('pauses, goes on from there, plays slower, and begins again after the end', () => {
    const { lab, playTo } = openRecorded();
    lab.togglePause();
    playTo(1000);
    lab.togglePause();
    playTo(3000);
    lab.pause();
    const pausedAt = lab.atMs;
    lab.togglePause();
    lab.setSpeed(0.5);
    playTo(4000);
    expect(lab.atMs - pausedAt).to.equal(500);
    playTo(100_000);
    expect(lab.isAtEnd).to.equal(true);
    lab.togglePause();
    expect([lab.atMs, lab.isPlaying]).to.deep.equal([0, true]);
    lab.pause();
  });

  it('tells the whole story of a user, changes nothing, and offers no file', async () => {
    const { lab } = openRecorded();
    const { file, user } = await lab.story('left', 'user-1');
    expect(file.words[user]).to.equal('user-1');
    expect(await lab.send()).to.deep.equal([{ problem: 'This is a recording: nothing can be changed.' }]);
    expect('save' in lab).to.equal(false);
    expect(await lab.story('left', 'user-999').catch(String)).to.include('no user user-999');
  });
});

describe('the parser of server-sent events', () => {
  const text = ': hello\n\nid: 7\ndata: {"a":1}\n\nid: 8\ndata: {"b":\ndata: 2}\n\n';
  for (const size of [1, 5, text.length]) {
    it(`reads events that arrive in pieces of ${size} characters`, () => {
      const parse = parseEvents();
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      expect(pieces.flatMap(parse)).to.deep.equal([
        { id: '7', data: '{"a":1}' },
        { id: '8', data: '{"b":\n2}' },
      ]);
    });
  }
});
