import { openUserStory } from '../../report/browser/stories.js';
import { messageOf } from '../../shared/text.js';
import {
  type Command,
  type LiveSettings,
  type OverMessage,
  type SideName,
  type StreamMessage,
  sideNames,
} from '../protocol.js';
import { formatFragment, parseFragment, SoughtUser, shopAddress } from './address.js';
import { find, make, makeButton, makeNewTabLink, onPress, setText } from './dom.js';
import type { ConnectionState, LabConnection, LabSource } from './lab-sources.js';
import { type LabSides, settingsAfter, sidesAfter } from './lab-state.js';
import { Announcer, capitalize, UserTable } from './screen-reader.js';
import { stateWords } from './sentences.js';
import { SidePanel } from './side-panel.js';
import { listenToKeys, StrikeBar } from './strike-bar.js';

/** The plots move less than a pixel in this time. */
const timelineEveryMs = 250;

/** The page: it keeps what the messages say, draws one frame for them, and sends commands. */
export class LabPage {
  readonly #token: string;
  readonly #source: LabSource;
  readonly #connectionToLab: LabConnection;
  readonly #panels = new Map<SideName, SidePanel>();
  readonly #bar: StrikeBar;
  readonly #table = new UserTable(
    (side, user) => this.#openStory(side, user),
    () => this.#requestFrame(),
  );
  readonly #announcer = new Announcer(find('#announcer', HTMLElement));
  readonly #sought = new SoughtUser({
    mark: user => this.#mark(user),
    scrollTo: (side, user) => this.#panels.get(side)?.dots.scrollTo(user),
    openStory: (side, user) => this.#openStory(side, user),
    say: sentence => this.#announcer.say(sentence),
    closed: () => this.seek(undefined),
  });
  readonly #users = find('#users', HTMLInputElement);
  readonly #pause = find('#pause', HTMLButtonElement);
  #sides: LabSides = {};
  #settings: LiveSettings | undefined;
  #over: OverMessage | undefined;
  #connection: ConnectionState = 'connecting';
  #isPaused = false;
  #isDrawing = false;
  #timelineAt = 0;
  #timelineTimer: ReturnType<typeof setTimeout> | undefined;

  /** `token`: the token in the address of the page. Empty: it has none. */
  constructor(source: LabSource, token: string) {
    this.#token = token;
    this.#source = source;
    this.#connectionToLab = source.connect({
      message: message => this.#receive(message),
      connection: (state, problem) => this.#connect(state, problem),
    });
    showLegend();
    this.#bar = new StrikeBar(
      commands => this.#send(commands),
      member => this.#showSelected(member),
    );
    this.#connectControls();
    void this.#connectionToLab.run();
  }

  /** Whether the lab accepts the token now. */
  get isConnected(): boolean {
    return this.#connection === 'open';
  }

  /** Marks the dot of this user, and keeps the name in the address, so that a reload shows the same. */
  seek(user: string | undefined): void {
    const fragment = formatFragment({ token: this.#token, user });
    if (fragment !== (location.hash || '#')) history.replaceState(null, '', fragment);
    this.#sought.seek(user);
    this.#requestFrame();
  }

  #mark(user: string | undefined): void {
    for (const panel of this.#panels.values()) panel.dots.mark(user);
  }

  #receive(message: StreamMessage): void {
    if (message.kind === 'over') {
      this.#over = message;
      if (message.isWriting) this.#connect('open');
      return;
    }
    const isFirst = message.kind === 'snapshot';
    this.#settings = settingsAfter(this.#settings, message);
    this.#sides = sidesAfter(this.#sides, message);
    if (!this.#isPaused) this.#announcer.follow(this.#sides, isFirst);
    this.#requestFrame();
  }

  #requestFrame(): void {
    if (this.#isDrawing || this.#isPaused) return;
    this.#isDrawing = true;
    requestAnimationFrame(now => {
      this.#isDrawing = false;
      this.#draw(now);
    });
  }

  #draw(now: number): void {
    const settings = this.#settings;
    if (settings === undefined) return;
    this.#showSettings(settings);
    const withTimeline = now - this.#timelineAt >= timelineEveryMs;
    clearTimeout(this.#timelineTimer);
    if (withTimeline) this.#timelineAt = now;
    // No further message may come.
    else this.#timelineTimer = setTimeout(() => this.#requestFrame(), timelineEveryMs);
    for (const name of sideNames) {
      const shown = this.#sides[name];
      if (shown !== undefined) this.#panel(name, settings).draw(shown, settings, withTimeline);
    }
    this.#bar.draw({ left: this.#sides.left?.view, right: this.#sides.right?.view });
    this.#table.draw(this.#sides, now);
    this.#sought.draw(this.#sides);
    this.#showAlarm();
    const warning = find('#warning', HTMLElement);
    setText(warning, settings.warning ?? '');
    warning.hidden = settings.warning === undefined;
  }

  #panel(name: SideName, settings: LiveSettings): SidePanel {
    const known = this.#panels.get(name);
    if (known !== undefined) return known;
    const panel = new SidePanel(name, settings, {
      selectMember: member => this.#bar.select(member),
      setMode: (side, mode) => this.#send([{ do: 'set-mode', side, mode }]),
      openStory: (side, user) => this.#openStory(side, user),
      pointAt: user => this.#mark(user ?? this.#sought.name),
    });
    panel.dots.mark(this.#sought.name);
    this.#panels.set(name, panel);
    document.querySelector('#empty')?.remove();
    find('#sides', HTMLElement).append(panel.place);
    return panel;
  }

  #showSelected(member: string | undefined): void {
    for (const panel of this.#panels.values()) panel.boxes.showSelected(member);
  }

  #showSettings(settings: LiveSettings): void {
    if (this.#users.dataset.shown === `${settings.users} ${settings.seed}`) return;
    this.#users.dataset.shown = `${settings.users} ${settings.seed}`;
    this.#users.min = String(settings.usersMin);
    this.#users.max = String(settings.usersMax);
    this.#users.value = String(settings.users);
    setText(find('#seed', HTMLElement), String(settings.seed));
    this.#setFixed(settings.isReplay || this.#over !== undefined);
    document.documentElement.toggleAttribute('data-replay', settings.isReplay);
    if (settings.isReplay)
      setText(find('#lead', HTMLElement), 'What real systems did: recorded histories, played again.');
  }

  /** Hides or disables all controls that change the systems. `isFixed`: the systems are played or have ended. */
  #setFixed(isFixed: boolean): void {
    find('#strike-bar', HTMLElement).hidden = isFixed;
    for (const id of ['#next-seed', '#clear']) find(id, HTMLButtonElement).disabled = isFixed;
    this.#users.disabled = isFixed;
  }

  /** Warns of users who got the answer of another user: the worst that a session system can do. */
  #showAlarm(): void {
    const sentences = sideNames.flatMap(name => {
      const shown = this.#sides[name];
      const swapped = shown?.view.counts.swapped ?? 0;
      if (shown === undefined || swapped === 0) return [];
      const now = shown.view.users.find(({ state }) => state === 'someone-else');
      const which = now === undefined ? '' : ` Now it is ${now.name}.`;
      return [
        `${capitalize(name)}: ${swapped === 1 ? '1 user' : `${swapped} users`} got the answer of another user.${which}`,
      ];
    });
    const place = find('#alarm', HTMLElement);
    setText(place, sentences.join(' '));
    place.hidden = sentences.length === 0;
  }

  #connect(state: ConnectionState, problem?: string): void {
    this.#connection = state;
    document.documentElement.dataset.connection = state;
    const place = find('#notice', HTMLElement);
    // The first attempts are made within a second: they need no words.
    const words = this.#connectionWords(problem);
    place.hidden = words === undefined;
    if (words === undefined) place.replaceChildren();
    if (words === undefined || state === 'connecting') return;
    const retry = state === 'waiting' ? [makeButton('Try now', () => this.#connectionToLab.retryNow())] : [];
    const files = this.#over?.files ?? [];
    place.replaceChildren(words, ...retry, ...(state === 'ended' && files.length > 0 ? listFiles(files) : []));
    if (this.#over !== undefined) this.#showOver(this.#over);
  }

  #connectionWords(problem?: string): string | undefined {
    const { reason = '' } = this.#over ?? {};
    switch (this.#connection) {
      case 'open':
        return this.#over && `The live lab has ended: ${reason} It is writing its files.`;
      case 'connecting':
        return find('#notice', HTMLElement).hidden ? undefined : 'Connecting …';
      case 'waiting':
        return `The live lab does not answer. The page tries again by itself. ${problem ?? ''}`;
      case 'refused':
        return 'This address belongs to another run. Open the address that "holdfast live" printed.';
      case 'ended':
        return `The live lab has ended: ${reason} This page keeps its last state.`;
    }
  }

  #showOver({ files, isWriting }: OverMessage): void {
    document.documentElement.dataset.stage = 'over';
    this.#setFixed(true);
    this.#pause.disabled = true;
    for (const panel of this.#panels.values()) panel.close();
    setText(
      find('#export-words', HTMLElement),
      files.length > 0
        ? 'The live lab has written these files:'
        : `The live lab ${isWriting ? 'is writing its' : 'wrote no'} files.`,
    );
    find('#files', HTMLElement).replaceChildren(...files.map(makeFileItem));
    this.#requestFrame();
  }

  #connectControls(): void {
    const actions = {
      'next-seed': () => this.#send([{ do: 'next-seed' }]),
      clear: () => this.#send([{ do: 'clear' }]),
      pause: () => (this.#source.togglePause ? this.#source.togglePause() : this.#setPaused(!this.#isPaused)),
      export: () => this.#source.save && find('#export-box', HTMLDialogElement).showModal(),
      help: () => find('#help-box', HTMLDialogElement).showModal(),
    };
    for (const [id, act] of Object.entries(actions)) onPress(find(`#${id}`, HTMLButtonElement), act);
    this.#users.addEventListener('change', () => {
      const { rangeOverflow, rangeUnderflow, badInput, valueMissing } = this.#users.validity;
      if (rangeOverflow || rangeUnderflow || badInput || valueMissing) this.#users.reportValidity();
      else this.#send([{ do: 'set-users', count: Math.round(this.#users.valueAsNumber) }]);
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>('#files button')) {
      onPress(button, () => void this.#save(button));
    }
    addEventListener('hashchange', () => {
      const { token, user } = parseFragment(location.hash);
      if (token === '' || token === this.#token) this.seek(user);
      else location.reload();
    });
    listenToKeys(this.#bar, actions);
    for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)']) {
      matchMedia(query).addEventListener('change', () => {
        for (const panel of this.#panels.values()) panel.arrange();
      });
    }
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#pause.setAttribute('aria-pressed', String(isPaused));
    setText(this.#pause, isPaused ? 'Go on' : 'Pause');
    document.documentElement.classList.toggle('paused', isPaused);
    this.#announcer.say(isPaused ? 'The view is paused. The systems go on.' : 'The view goes on.');
    this.#requestFrame();
  }

  #send(commands: readonly Command[]): void {
    void (async () => {
      const replies = await Promise.all(commands.map(command => this.#source.send(command)));
      const problems = replies
        .flat()
        .map(({ side, problem }) => (side === undefined ? problem : `${capitalize(side)}: ${problem}`));
      this.#showReply([...new Set(problems)].join(' '));
      // A number of users that was refused must not stay in the field.
      if (problems.length > 0) delete this.#users.dataset.shown;
    })();
  }

  #showReply(text: string): void {
    const place = find('#reply', HTMLElement);
    setText(place, text);
    place.hidden = text === '';
    if (text !== '') this.#announcer.say(text);
  }

  #openStory(side: SideName, user: string): void {
    this.#source.story(side, user).then(
      ({ file, user: index }) => {
        const view = this.#sides[side]?.view;
        openUserStory(file, view?.mode ?? side, index);
        const shop = view === undefined ? undefined : shopAddress(side, view, user);
        if (shop !== undefined)
          find('#story h2', HTMLElement).after(makeNewTabLink(`Log in to the shop as ${user}`, shop));
      },
      (error: unknown) => this.#showReply(messageOf(error)),
    );
  }

  async #save(button: HTMLButtonElement): Promise<void> {
    const words = find('#export-words', HTMLElement);
    button.disabled = true;
    await this.#source.save?.(button.dataset.file ?? '').catch((error: unknown) => setText(words, messageOf(error)));
    button.disabled = false;
  }
}

/** Names the files that the lab has written. */
function listFiles(files: readonly string[]): HTMLElement[] {
  return [
    make('p', {}, 'The live lab has written these files:'),
    make('ul', { class: 'files' }, ...files.map(makeFileItem)),
  ];
}

function makeFileItem(file: string): HTMLElement {
  return make('li', {}, make('code', {}, file));
}

function showLegend(): void {
  const items = Object.entries(stateWords).map(([state, words]) =>
    make('li', {}, make('i', { 'data-state': state, 'aria-hidden': 'true' }), words),
  );
  find('#legend', HTMLElement).replaceChildren(...items);
}
