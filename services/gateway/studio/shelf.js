/** The gallery's place on the page: cards in order, newest first, and its empty, loading and error states. */

export class Shelf {
  #cards = new Map();
  #list = document.getElementById('cards');
  #skeletons = document.getElementById('skeletons');
  #empty = document.getElementById('gallery-empty');
  #trouble = document.getElementById('gallery-trouble');
  #more = document.getElementById('more');
  #tally = document.getElementById('tally');
  #title = document.getElementById('gallery-title');
  #isLoading = false;

  /** `loadMore()` and `reload()` answer the two buttons; a failing `loadMore` is shown. */
  constructor(loadMore, reload) {
    this.#more.addEventListener('click', () => this.#whileLoadingMore(loadMore));
    this.#trouble.querySelector('button').addEventListener('click', reload);
  }

  card(videoId) {
    return this.#cards.get(videoId);
  }

  /** The card of the item, made with `create` and put in its place where there is none yet. */
  place(item, create) {
    const known = this.#cards.get(item.videoId);
    if (known) return known;
    const card = create();
    const older = [...this.#list.children].find(({ dataset }) => isOlder(this.card(dataset.videoId).item, item));
    this.#list.insertBefore(card.root, older ?? null);
    this.#cards.set(item.videoId, card);
    return card;
  }

  remove(videoId) {
    this.#cards.get(videoId)?.root.remove();
    this.#cards.delete(videoId);
  }

  focus() {
    this.#title.focus({ preventScroll: true });
  }

  showLoading(isLoading) {
    this.#isLoading = isLoading;
    this.#skeletons.hidden = !isLoading;
    this.#list.ariaBusy = String(isLoading);
  }

  showTrouble(message) {
    this.#trouble.querySelector('p').textContent = message;
    this.#trouble.hidden = !message;
  }

  tally(count, running, hasMore) {
    this.#empty.hidden = count > 0 || this.#isLoading || !this.#trouble.hidden;
    this.#more.hidden = !hasMore;
    this.#tally.textContent = running ? `${running} on the way` : '';
  }

  async #whileLoadingMore(loadMore) {
    this.#more.disabled = true;
    try {
      await loadMore();
      this.showTrouble('');
    } catch (error) {
      this.showTrouble(error.message);
    } finally {
      this.#more.disabled = false;
    }
  }
}

function isOlder(a, b) {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.videoId < b.videoId);
}
