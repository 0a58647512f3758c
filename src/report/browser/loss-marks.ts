/**
 * The marks of the lost writes and of the users logged out take clicks; for the keyboard each lane is one stop, in which
 * the arrow keys go from mark to mark and Enter opens.
 */
export function enlivenMarks(lane: Element, open: (incident: number) => void): void {
  const marks = [...lane.querySelectorAll<SVGElement>('[data-incident]')];
  marks.forEach((mark, index) => {
    mark.setAttribute('role', 'button');
    mark.setAttribute('aria-label', mark.querySelector('title')?.textContent ?? '');
    mark.tabIndex = index === 0 ? 0 : -1;
    mark.addEventListener('click', () => open(Number(mark.dataset.incident)));
    mark.addEventListener('keydown', event => press(event, marks, index, open));
  });
  if (marks.length > 0) lane.setAttribute('role', 'group');
}

const stepOfKey: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function press(event: KeyboardEvent, marks: readonly SVGElement[], at: number, open: (incident: number) => void): void {
  const step = stepOfKey[event.key];
  if (event.key === 'Enter' || event.key === ' ') open(Number(marks[at]?.dataset.incident));
  else if (step === undefined) return;
  event.preventDefault();
  const next = marks[at + (step ?? 0)];
  if (next === undefined || step === undefined) return;
  for (const mark of marks) mark.tabIndex = mark === next ? 0 : -1;
  next.focus();
}
