import { find } from './dom.js';
import type { StrikeBar } from './strike-bar.js';

interface KeyActions {
  readonly pause: () => void;
  readonly export: () => void;
  readonly help: () => void;
}

/**
 * Connects the keys of the page. Those of the strike bar need the bar. A key does nothing while a dialog is open, while the focus is in a field, with Ctrl,
 * Alt or Meta, and when the user has turned the keys off.
 */
export function listenToKeys(bar: StrikeBar, actions: KeyActions): void {
  const areOn = find('#keys-on', HTMLInputElement);
  const barPlace = find('#strike-bar', HTMLElement);
  const barKeys: Readonly<Record<string, () => void>> = {
    k: () => bar.strike('kill'),
    h: () => bar.strike('hang'),
    d: () => bar.strike('drain'),
    s: () => bar.strike('slow'),
    c: () => bar.strike('cut-link'),
    r: () => bar.heal(),
    m: () => bar.openMore(),
    b: () => bar.nextScope(),
    ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index + 1, () => bar.select(index + 1)])),
  };
  const pageKeys: Readonly<Record<string, () => void>> = {
    e: actions.export,
    '?': actions.help,
    ' ': actions.pause,
  };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !areOn.checked) return;
    if (document.querySelector('dialog[open]') !== null || takesKey(event.target, event.key)) return;
    const key = event.key.toLowerCase();
    const act = pageKeys[key] ?? (barPlace.hidden ? undefined : barKeys[key]);
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}

/** Returns whether the focused element uses this key itself: a field for all, a button for the space bar. */
function takesKey(target: EventTarget | null, key: string): boolean {
  // For a moment a dialog that was just closed still has the focus.
  if (!(target instanceof Element) || target.closest('dialog') !== null) return false;
  return (
    target.matches('input:not([type=checkbox]), select, textarea') ||
    (key === ' ' && target.matches('button, summary, input'))
  );
}
