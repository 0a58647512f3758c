/**
 * Moves one cursor across all lanes of each timeline, by pointer and by keyboard, and says what happened there.
 * Runs in the page: its source text is written into the report, so it may use nothing from outside its own body.
 */
export function shareCursors(): void {
  for (const figure of document.querySelectorAll('figure.timeline')) connect(figure);

  function connect(figure: Element): void {
    const lanes = figure.querySelector('.lanes');
    const plot = figure.querySelector('.overlay.front');
    const cursor = figure.querySelector('.cursor');
    const slider = figure.querySelector('input');
    const output = figure.querySelector('output');
    const data = figure.querySelector('.readings')?.textContent;
    if (!lanes || !plot || !cursor || !slider || !output || !data) return;
    const readings: string[] = JSON.parse(data);

    const show = (index: number): void => {
      const x = `${(100 * (index + 0.5)) / readings.length}%`;
      cursor.setAttribute('x1', x);
      cursor.setAttribute('x2', x);
      figure.classList.add('pointed');
      output.textContent = readings[index] ?? '';
      slider.value = String(index);
      slider.setAttribute('aria-valuetext', readings[index] ?? '');
    };
    const follow = (event: Event): void => {
      if (!(event instanceof PointerEvent) || event.target === slider) return;
      const { left, width } = plot.getBoundingClientRect();
      const index = Math.floor(((event.clientX - left) / width) * readings.length);
      show(Math.max(0, Math.min(readings.length - 1, index)));
    };
    lanes.addEventListener('pointermove', follow);
    lanes.addEventListener('pointerdown', follow);
    slider.addEventListener('input', () => show(slider.valueAsNumber));
    slider.addEventListener('focus', () => show(slider.valueAsNumber));
    output.textContent = 'Point at the timeline, or focus the slider below it and use the arrow keys.';
    figure.classList.add('live');
  }
}
