/** One video on the page. `show(item)` makes the card say what the item says; it changes only what differs. */
import { formatDuration, formatExpected, formatFull, formatSize, formatWhen } from './format.js';
import { distance, isRunning, stageInWords } from './journey.js';
import { Player } from './player.js';

const template = document.getElementById('card');

export class Card {
  /**
   * `actions` has retry, cancel, remove and story, each called with the item, refetch(videoId) for a fresh link and
   * explain(item), which resolves to why the video failed in one sentence.
   */
  constructor(actions) {
    this.root = template.content.firstElementChild.cloneNode(true);
    this.article = this.root.querySelector('article');
    this.actions = actions;
    this.item = null;
    this.player = null;
    this.explained = null;
    this.#wire('story', actions.story);
    this.#wire('retry', actions.retry);
    this.#wire('cancel', actions.cancel);
    this.#wire('delete', actions.remove);
  }

  show(item) {
    const running = isRunning(item);
    this.item = item;
    this.root.dataset.videoId = item.videoId;
    this.article.dataset.stage = item.stage;
    this.article.dataset.running = running;
    this.#text('.card-title', item.title || 'Untitled');
    this.#one('.card-title').title = item.title ?? '';
    this.#text('.state-words', stageInWords(item));
    this.#text('.detail', detail(item, this.#why(item)));
    this.#text('.facts', facts(item));
    this.#one('.facts').title = formatFull(item.createdAt);
    this.#showCode(item);
    this.#showProgress(item, running);
    this.#showActions(item, running);
    this.#showVideo(item);
  }

  /** Says what went wrong with something the person asked of this card; '' takes it away. */
  complain(text) {
    const slot = this.#one('.error');
    slot.textContent = text;
    slot.hidden = !text;
  }

  focus() {
    this.#one('.card-title').focus({ preventScroll: true });
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.root.scrollIntoView({ block: 'nearest', behavior: calm ? 'auto' : 'smooth' });
  }

  // Asked for once for each attempt that failed; the card shows what it knows meanwhile.
  #why({ videoId, attempt, stage, error }) {
    const failure = `${videoId} ${attempt} ${error?.code} ${error?.message}`;
    if (stage !== 'failed' || !error) return '';
    if (this.explained?.failure === failure) return this.explained.why;
    this.explained = { failure, why: '' };
    this.#explain(this.explained);
    return '';
  }

  async #explain(explained) {
    explained.why = (await this.actions.explain?.(this.item)) ?? '';
    if (explained.why && this.explained === explained) this.show(this.item);
  }

  #showCode({ stage, error }) {
    const code = stage === 'failed' ? (error?.code ?? '') : '';
    this.#text('.code', code);
    this.#one('.code').hidden = !code;
  }

  #showProgress(item, running) {
    const percent = Math.round(distance(item));
    const isKnown = running && item.progress !== undefined;
    const route = this.#one('.route');
    this.#one('.travel').hidden = item.stage === 'ready';
    this.#text('.percent', isKnown ? `${percent}%` : '');
    this.#one('.route-done').style.width = `${percent}%`;
    route.ariaHidden = String(!running);
    route.ariaLabel = `Progress of ${item.title || 'the video'}`;
    route.ariaValueNow = String(percent);
    route.ariaValueText = stageInWords(item) + (isKnown ? `, ${percent}%` : '');
  }

  #showActions(item, running) {
    const shown = {
      download: item.stage === 'ready',
      retry: item.stage === 'failed' && item.error?.retryable === true,
      cancel: running,
      delete: !running,
    };
    for (const [name, isShown] of Object.entries(shown)) {
      const control = this.#one(`[data-action=${name}]`);
      control.hidden = !isShown;
      control.setAttribute('aria-label', `${control.textContent} “${item.title || 'Untitled'}”`);
    }
    this.#one('[data-action=download]').href = `/api/video/download/${encodeURIComponent(item.videoId)}`;
  }

  #showVideo(item) {
    if (item.stage !== 'ready' || !item.video?.downloadUrl) {
      this.player?.remove();
      this.player = null;
    } else if (!this.player) {
      this.player = new Player(item, this.actions.refetch, (text) => this.complain(text));
      this.#one('.screen').append(this.player.element);
    }
  }

  #wire(name, action) {
    this.#one(`[data-action=${name}]`).addEventListener('click', () => action(this.item));
  }

  #one(selector) {
    return this.root.querySelector(selector);
  }

  #text(selector, text) {
    const element = this.#one(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}

function detail(item, why) {
  if (item.stage === 'failed') return reason(item.error?.message ?? 'This video could not be made.', why);
  if (item.stage === 'ready') return '';
  return item.detail;
}

// The message says what happened, then what to do; the sentence knows better what happened.
function reason(message, why) {
  const advice = message.split('. ').slice(1).join('. ');
  return why ? [why, advice].filter(Boolean).join(' ') : message;
}

function facts(item) {
  const when = formatWhen(item.createdAt);
  if (isRunning(item)) return joined(`Started ${when}`, formatExpected(item.expected));
  if (item.stage === 'failed') return joined(`Started ${when}`);
  const { duration, size, width, height } = item.video?.metadata ?? {};
  return joined(formatDuration(duration), formatSize(size), width && height && `${width} × ${height}`, when);
}

// Lines break between the parts, not in them.
function joined(...parts) {
  return parts
    .filter(Boolean)
    .map((part) => part.replaceAll(' ', '\u00a0'))
    .join(' · ');
}
