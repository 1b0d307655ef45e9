/** The person's videos: loads them, keeps them in order, and applies news to them. */
import { call } from './api.js';
import { Card } from './card.js';
import { confirmed } from './dialog.js';
import { advance, isRunning, newsFromAcceptance, newsFromStream, newsFromVideo, stageInWords } from './journey.js';
import { Shelf } from './shelf.js';
import { Story, timelineOf } from './story.js';

const PAGE = 12;
const SETTLE_WAITS_MS = [200, 400, 800, 1500, 3000, 5000, 8000, 12000];

export class Gallery {
  /** `announce(text)` speaks to screen readers. */
  constructor(announce) {
    this.announce = announce;
    this.shelf = new Shelf(() => this.#loadMore(), () => this.load());
    this.story = new Story();
    this.items = new Map();
    this.gone = new Set();
    this.introduced = new Set();
    this.cursor = null;
    this.hasLoadedMore = false;
    this.isLoading = false;
    this.isStale = false;
    this.actions = {
      retry: (item) => this.#act(item, 'retry', 'Trying again'),
      cancel: (item) => this.#cancel(item),
      remove: (item) => this.#remove(item),
      refetch: (videoId) => status(videoId),
      story: (item) => this.story.open(item),
      explain: (item) => why(item.videoId),
    };
  }

  /** Loads or reloads the newest page and brings the page in line with it. Calls while loading make one more load. */
  async load() {
    this.isStale = true;
    this.story.refresh();
    if (this.isLoading) return;
    this.isLoading = true;
    this.shelf.showLoading(!this.items.size);
    try {
      while (this.isStale) {
        this.isStale = false;
        this.#reconcile(await page(null));
      }
      this.shelf.showTrouble('');
    } catch (error) {
      this.shelf.showTrouble(`Your videos could not be loaded. ${error.message}`);
    } finally {
      this.isLoading = false;
      this.shelf.showLoading(false);
      this.#tally();
    }
  }

  /** A notification of the live stream. */
  hear(notification) {
    const { type, videoId } = notification;
    this.story.hear(videoId);
    if (type === 'removed') return this.#forget(videoId);
    const news = newsFromStream(notification);
    if (!news || this.gone.has(videoId)) return undefined;
    if (!this.items.has(videoId)) return this.#introduce(videoId);
    const { stage } = this.items.get(videoId);
    const isNews = this.#learn(news);
    if (type === 'complete' && stage !== 'ready') this.#settle(videoId, 'ready');
    if (type === 'error' && isNews) this.#settle(videoId, 'failed', notification.code);
    return undefined;
  }

  /** A request was accepted: its card is there at once, and in front of the person if they wait for it. */
  accept(answer, title, isWaiting) {
    this.#learn(newsFromAcceptance(answer, title));
    if (isWaiting) this.shelf.card(answer.videoId).focus();
    else this.announce(`On its way: ${title}`);
  }

  hasRunning() {
    return [...this.items.values()].some(isRunning);
  }

  /** Brings time-dependent words ("expected by") up to date. */
  tick() {
    this.story.refresh();
    for (const item of this.items.values()) {
      if (isRunning(item)) this.shelf.card(item.videoId).show(item);
    }
  }

  async #loadMore() {
    const answer = await page(this.cursor);
    this.cursor = answer.nextCursor ?? null;
    this.hasLoadedMore = true;
    answer.videos.forEach((video) => this.#meet(video));
    this.#tally();
  }

  // What the newest page should hold and does not was deleted elsewhere, unless it was only just asked for.
  #reconcile({ videos, nextCursor }) {
    const listed = new Set(videos.map(({ videoId }) => videoId));
    const oldest = nextCursor ? videos.at(-1).createdAt : '';
    for (const item of [...this.items.values()]) {
      if (item.video && item.createdAt >= oldest && !listed.has(item.videoId)) this.#drop(item.videoId);
    }
    if (!nextCursor || !this.hasLoadedMore) this.cursor = nextCursor ?? null;
    videos.forEach((video) => this.#meet(video));
  }

  // The gallery's Video may leave out what only the status says (stage, attempt, error): then it is asked for.
  #meet(video) {
    if (this.gone.has(video.videoId)) return;
    this.#learn(newsFromVideo(video));
    if (video.status !== 'ready' && video.stage === undefined) this.#check(video.videoId);
  }

  // Asked for in another tab, or on a page that is not loaded yet.
  async #introduce(videoId) {
    if (this.introduced.has(videoId)) return;
    this.introduced.add(videoId);
    await this.#check(videoId);
    this.introduced.delete(videoId);
  }

  // True when the news was new.
  #learn(news) {
    if (this.gone.has(news.videoId)) return false;
    const before = this.items.get(news.videoId);
    const item = advance(before, news);
    if (item === before) return false;
    this.items.set(item.videoId, item);
    this.shelf.place(item, () => new Card(this.actions)).show(item);
    if (before && before.stage !== item.stage) this.announce(`${item.title}: ${stageInWords(item)}`);
    this.#tally();
    return true;
  }

  async #check(videoId) {
    try {
      const video = await status(videoId);
      this.#learn(newsFromVideo(video));
      return video;
    } catch (error) {
      if (error.status === 404) this.#forget(videoId);
      return null; // shown as it was; the next news or reload puts it right
    }
  }

  // The stream may be ahead of the gateway's own view: ask until it has caught up. What nobody answered for is shown
  // as failed until its real end is.
  async #settle(videoId, stage, code) {
    for (const wait of [0, ...SETTLE_WAITS_MS]) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const video = this.items.has(videoId) ? await this.#check(videoId) : { status: stage };
      if (video?.status === stage && (code === 'UNANSWERED' || video.error?.code !== 'UNANSWERED')) return;
    }
  }

  async #cancel(item) {
    const question = { title: 'Cancel this video?', yes: 'Cancel video', no: 'Keep going' };
    question.text = `“${item.title}” stops where it is. You can retry it later.`;
    if (await confirmed(question)) await this.#act(item, 'cancel', 'Cancelled');
  }

  async #act(item, verb, said) {
    const card = this.shelf.card(item.videoId);
    card.complain('');
    try {
      const video = await call('POST', `/api/video/${verb}/${encodeURIComponent(item.videoId)}`);
      this.#learn(newsFromVideo(video));
      this.announce(`${said}: ${item.title}`);
    } catch (error) {
      card.complain(error.message);
    }
  }

  async #remove(item) {
    const question = { title: 'Delete this video?', yes: 'Delete', no: 'Keep it' };
    question.text = `“${item.title}” and its file are removed for good.`;
    if (!(await confirmed(question))) return;
    try {
      await call('DELETE', `/api/video/delete/${encodeURIComponent(item.videoId)}`);
      this.#forget(item.videoId);
      this.announce(`Deleted: ${item.title}`);
      this.shelf.focus();
    } catch (error) {
      this.shelf.card(item.videoId)?.complain(error.message);
    }
  }

  // Late news of a deleted video must not bring its card back.
  #forget(videoId) {
    this.gone.add(videoId);
    this.story.close(videoId);
    this.#drop(videoId);
    this.#tally();
  }

  #drop(videoId) {
    this.items.delete(videoId);
    this.shelf.remove(videoId);
  }

  #tally() {
    this.shelf.tally(this.items.size, [...this.items.values()].filter(isRunning).length, Boolean(this.cursor));
  }
}

function page(cursor) {
  const query = new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
  return call('GET', `/api/video/gallery?${query}`);
}

function status(videoId) {
  return call('GET', `/api/video/status/${encodeURIComponent(videoId)}`);
}

// One sentence more than the card has; without it the card says what it knows.
async function why(videoId) {
  try {
    return (await timelineOf(videoId)).why;
  } catch {
    return '';
  }
}
