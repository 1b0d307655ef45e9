/** The video element of a finished card. Signed links expire: a link that fails is asked for anew, once. */

export class Player {
  /** `refetch(videoId)` resolves to the gateway's current Video; `complain(text)` tells the person. */
  constructor(item, refetch, complain) {
    this.videoId = item.videoId;
    this.refetch = refetch;
    this.complain = complain;
    this.isFreshLink = false;
    this.element = document.createElement('video');
    this.element.controls = true;
    this.element.playsInline = true;
    this.element.setAttribute('aria-label', item.title || 'Untitled');
    this.element.addEventListener('error', () => this.#renew());
    this.element.addEventListener('playing', () => (this.isFreshLink = false));
    this.#load(item.video);
  }

  remove() {
    this.element.pause();
    this.element.remove();
  }

  #load({ downloadUrl, posterUrl }) {
    // With 'none' Chromium shows a spinner for ever, and a click on the picture does nothing.
    this.element.preload = 'metadata';
    if (posterUrl) this.element.poster = posterUrl;
    this.element.src = downloadUrl;
  }

  async #renew() {
    const failure = 'This video cannot be played right now. Download it, or reload the page.';
    if (this.isFreshLink) return this.complain(failure);
    this.isFreshLink = true;
    const { currentTime, paused } = this.element;
    try {
      this.#load(await this.refetch(this.videoId));
      this.element.currentTime = currentTime;
      if (!paused) await this.element.play();
      this.complain('');
    } catch {
      this.complain(failure);
    }
    return undefined;
  }
}
