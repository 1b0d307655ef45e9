/** The live stream: one EventSource that is kept open while someone is logged in. */

const STREAM = '/api/notifications/stream';
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Opens the stream and keeps it open.
 *
 * `onNews(notification)` gets each notification, `onGap()` is called whenever some may have been missed (the stream
 * was opened anew, or the server said `reset`), `onState('live' | 'reconnecting')` on every change of the indicator,
 * `renew()` trades the session for a fresh one, `check()` makes sure that there still is a session (an ended one
 * logs the page out by itself). Returns `{close, isLive}`.
 */
export function openLive({ onNews, onGap, onState, renew, check }) {
  let source = null;
  let timer = 0;
  let failures = 0;
  let lastId = '';
  let live = false;
  let closed = false;

  function connect() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(lastId ? `${STREAM}?lastEventId=${encodeURIComponent(lastId)}` : STREAM);
    source.addEventListener('open', opened);
    source.addEventListener('error', broken);
    on('video-download-update', (event) => onNews(JSON.parse(event.data)));
    on('reset', onGap);
    on('ready', () => {});
    on('auth-expiring', renewAndReconnect);
  }

  // A new EventSource knows nothing of the old one's place, so it is kept here and asked for.
  function on(name, listener) {
    source.addEventListener(name, (event) => {
      lastId = event.lastEventId || lastId;
      listener(event);
    });
  }

  function opened() {
    failures = 0;
    setLive(true);
    onGap();
  }

  // The browser reconnects by itself after a cut; after a refusal it gives up, and we do it.
  function broken() {
    setLive(false);
    if (source.readyState === EventSource.CLOSED) tryLater();
  }

  function tryLater() {
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    failures += 1;
    clearTimeout(timer);
    timer = setTimeout(tryNow, wait * (0.75 + Math.random() / 2));
  }

  async function tryNow() {
    if (closed || live) return;
    try {
      await check();
      if (!closed) connect();
    } catch {
      if (!closed) tryLater();
    }
  }

  async function renewAndReconnect() {
    try {
      await renew();
      if (!closed) connect();
    } catch {
      if (!closed) timer = setTimeout(renewAndReconnect, FIRST_WAIT_MS * 5); // the token lasts a little longer
    }
  }

  function setLive(now) {
    live = now;
    onState(now ? 'live' : 'reconnecting');
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    source.close();
    window.removeEventListener('online', tryNow);
    document.removeEventListener('visibilitychange', seen);
  }

  function seen() {
    if (document.visibilityState === 'visible' && source.readyState === EventSource.CLOSED) tryNow();
  }

  window.addEventListener('online', tryNow);
  document.addEventListener('visibilitychange', seen);
  connect();
  return { close, isLive: () => live };
}
