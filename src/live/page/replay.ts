import type { LabRecording, StrikeView } from '../protocol.js';
import { parseFragment } from './address.js';
import { find, make, onPress, setText } from './dom.js';
import { LabPage } from './lab-page.js';
import { RecordedLab } from './lab-sources.js';
import { describeStrike } from './sentences.js';

/** Opens the page of a recording, which is inside the page (`page-file.ts`). */
function openReplay(): void {
  const recording: LabRecording = JSON.parse(document.querySelector('#recording')?.textContent ?? '');
  const lab = new RecordedLab(recording);
  const page = new LabPage(lab, '');
  connectPlayer(lab, recording);
  page.seek(parseFragment(location.hash).user);
  document.documentElement.toggleAttribute('data-framed', window !== window.parent);
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) playWhenSeen(lab);
}

/** Starts the replay when the page is first seen: a frame may be far below what the reader sees. */
function playWhenSeen(lab: RecordedLab): void {
  const observer = new IntersectionObserver(
    entries => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      if (lab.atMs === 0) lab.play();
    },
    { threshold: 0.25 },
  );
  observer.observe(document.body);
}

function connectPlayer(lab: RecordedLab, { endMs, messages }: LabRecording): void {
  const play = find('#play', HTMLButtonElement);
  const position = find('#position', HTMLInputElement);
  const speed = find('#speed', HTMLSelectElement);
  const clock = find('#clock', HTMLElement);
  const stepMs = Number(position.step);
  position.max = String(Math.ceil(endMs / stepMs) * stepMs);
  onPress(play, () => lab.togglePause());
  position.addEventListener('input', () => {
    const chosenMs = position.valueAsNumber;
    lab.pause();
    lab.seek(chosenMs);
  });
  const setSpeed = (): void => lab.setSpeed(Number(speed.value));
  speed.addEventListener('change', setSpeed);
  setSpeed();
  lab.onChange = () => {
    const text = `${seconds(lab.atMs)} of ${seconds(endMs)}`;
    setText(play, lab.isPlaying ? 'Pause' : lab.isAtEnd ? 'Play again' : 'Play');
    position.value = lab.isAtEnd ? position.max : String(lab.atMs);
    position.setAttribute('aria-valuetext', text);
    setText(clock, text);
  };
  lab.onChange();
  const strikes = messages.flatMap(({ message }) => (message.kind === 'strike' ? [message.strike] : []));
  find('#strike-marks', HTMLElement).append(...strikeMarks(strikes, endMs));
}

/** Makes a mark for each fault. A fault that struck both sides has one mark: the times differ by milliseconds. */
function strikeMarks(strikes: readonly StrikeView[], endMs: number): HTMLElement[] {
  const byId = new Map(strikes.filter(({ state }) => state === 'requested').map(strike => [strike.id, strike]));
  return [...byId.values()].map(strike => {
    const mark = make('li', {}, `${describeStrike(strike)}, at ${seconds(strike.requestedMs)}`);
    mark.style.setProperty('--at', String(strike.requestedMs / endMs));
    return mark;
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

openReplay();
