/** "What happened": the timeline of one video in a drawer, drawn anew as news comes. */
import { call } from './api.js';
import { formatMoment, formatSince } from './format.js';
import { Moment } from './moment.js';

const SETTLE_MS = [250, 2_500]; // the stream is mostly a little ahead of the timeline

const dialog = document.getElementById('story');
const one = (selector) => dialog.querySelector(selector);

/** Resolves to everything that is known of what happened to a video. */
export function timelineOf(videoId) {
  return call('GET', `/api/video/timeline/${encodeURIComponent(videoId)}`);
}

export class Story {
  #videoId = null;
  #sections = new Map();
  #moments = new Map();
  #timers = [];

  constructor() {
    dialog.addEventListener('close', () => this.#clear());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    one('[data-action=close]').addEventListener('click', () => dialog.close());
  }

  async open(item) {
    this.#clear();
    this.#videoId = item.videoId;
    one('#story-of').textContent = item.title || 'Untitled';
    one('#story-of').title = item.title ?? '';
    one('.story-body').setAttribute('aria-busy', 'true');
    dialog.showModal();
    await this.refresh();
    one('.story-body').setAttribute('aria-busy', 'false');
  }

  close(videoId) {
    if (videoId === this.#videoId) dialog.close();
  }

  /** There is news of a video: it is looked at soon, and once more a little later. */
  hear(videoId) {
    if (videoId !== this.#videoId) return;
    this.#timers.forEach(clearTimeout);
    this.#timers = SETTLE_MS.map((wait) => setTimeout(() => this.refresh(), wait));
  }

  /** Draws what is known now; does nothing while the drawer is closed. */
  async refresh() {
    const videoId = this.#videoId;
    if (!videoId) return;
    try {
      const timeline = await timelineOf(videoId);
      if (videoId === this.#videoId) this.#draw(timeline);
    } catch (error) {
      if (videoId === this.#videoId) this.#say(`What happened could not be loaded. ${error.message}`, 'error');
    }
  }

  #draw(timeline) {
    const { entries, why, standing, createdAt, status } = timeline;
    this.#say(why ?? standing, why ? 'error' : status === 'ready' ? 'good' : 'info');
    one('.story-empty').hidden = entries.length > 0;
    const attempts = [...new Set(entries.map(({ attempt }) => attempt))].sort((a, b) => a - b);
    attempts.forEach((attempt) => this.#section(attempt, entries, createdAt));
    const shown = new Set(entries.map(({ id }) => id));
    for (const [id, moment] of this.#moments) if (!shown.has(id)) this.#drop(id, moment);
  }

  #section(attempt, entries, createdAt) {
    const list = this.#listOf(attempt);
    const own = entries.filter((entry) => entry.attempt === attempt);
    const [first, last] = [own[0], own.at(-1)];
    list.previousElementSibling.lastElementChild.textContent = formatSince(first.time, last.time);
    own.forEach((entry, index) => {
      const moment = this.#moments.get(entry.id) ?? new Moment(entry.id);
      this.#moments.set(entry.id, moment);
      moment.show(entry, `+${formatSince(createdAt, entry.time)}`, formatMoment(entry.time));
      if (list.children[index] !== moment.root) list.insertBefore(moment.root, list.children[index] ?? null);
    });
  }

  #listOf(attempt) {
    if (!this.#sections.has(attempt)) {
      const section = document.getElementById('story-attempt').content.firstElementChild.cloneNode(true);
      section.querySelector('h3').textContent = `Attempt ${attempt}`;
      section.setAttribute('aria-label', `Attempt ${attempt}`);
      one('.story-attempts').append(section);
      this.#sections.set(attempt, section);
    }
    return this.#sections.get(attempt).querySelector('ol');
  }

  // Screen readers hear of it only where it changed.
  #say(text, tone) {
    const line = one('.story-standing');
    if (line.textContent !== text) line.textContent = text;
    line.dataset.tone = tone;
  }

  #drop(id, moment) {
    moment.root.remove();
    this.#moments.delete(id);
  }

  #clear() {
    this.#videoId = null;
    this.#timers.forEach(clearTimeout);
    this.#sections.clear();
    this.#moments.clear();
    one('.story-attempts').replaceChildren();
    one('.story-empty').hidden = true;
    this.#say('', 'info');
  }
}
