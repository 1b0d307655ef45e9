/** Puts the page together: the door when nobody is logged in, the studio when somebody is, a word while nobody knows. */
import { ApiError, onUnauthorized, renewSession } from './api.js';
import { clearForms, openForms, wireForms } from './form.js';
import { Gallery } from './gallery.js';
import { openLive } from './live.js';
import { checkSession, currentUser, logOut, onOtherTab, showLogin, wireDoor } from './session.js';

const TICK_MS = 10_000;
const ASK_AGAIN_SECONDS = 3;
const SLOW_MS = 2_000;
const LIVE_TICKS_PER_RELOAD = 6;
const SIGNAL_WORDS = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting' };

const byId = (id) => document.getElementById(id);
const gallery = new Gallery((text) => (byId('announcer').textContent = text));

let user = null;
let live = null;
let ticksToReload = 0;

wireDoor(enterStudio);
wireForms((answer, title, isWaiting) => gallery.accept(answer, title, isWaiting));
byId('logout').addEventListener('click', leave);
onUnauthorized(() => live && showDoor('Your session has ended. Log in to go on; what you wrote is still here.'));
onOtherTab((userId) => user && user.userId !== userId && startAfresh());
setInterval(tick, TICK_MS);
start();

// Who can't be told whether they are logged in must not be asked to log in: the page waits, and asks again.
async function start() {
  const slow = setTimeout(() => show('waiting', ''), SLOW_MS);
  try {
    const known = await currentUser();
    if (known) enterStudio(known);
    else showDoor('');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.isUncertain || error.status === 429) {
      show('waiting', '');
      setTimeout(start, (error.retryAfter || ASK_AGAIN_SECONDS) * 1000);
    } else {
      showDoor(error.message);
    }
  } finally {
    clearTimeout(slow);
  }
}

function enterStudio(who) {
  if (user && user.userId !== who.userId) return startAfresh();
  user = who;
  show('studio', '');
  byId('who').textContent = who.name || who.email;
  openForms(who);
  gallery.load();
  live?.close();
  showSignal('connecting');
  live = openLive({
    onNews: (notification) => gallery.hear(notification),
    onGap: catchUp,
    onState: showSignal,
    renew: renewSession,
    check: checkSession,
  });
  return undefined;
}

// The studio keeps its content behind the door: who logs in again goes on where they were.
function showDoor(notice) {
  live?.close();
  live = null;
  show('door', notice);
  showLogin();
}

async function leave() {
  try {
    await logOut();
    startAfresh();
  } catch (error) {
    showNotice(error.message);
  }
}

// Nothing of one person's studio may reach the next: a new page is the surest way, and until it is here none shows.
function startAfresh() {
  document.body.hidden = true;
  live?.close();
  clearForms();
  location.reload();
}

function show(view, notice) {
  byId('door').hidden = view !== 'door';
  byId('waiting').hidden = view !== 'waiting';
  byId('studio').hidden = view !== 'studio';
  byId('tools').hidden = view !== 'studio';
  showNotice(notice);
}

function showNotice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = !text;
}

function showSignal(state) {
  byId('signal').dataset.state = state;
  byId('signal').querySelector('span').textContent = SIGNAL_WORDS[state];
}

// The gateway's view may be a moment behind what the stream said while nobody listened: the next tick looks again.
function catchUp() {
  ticksToReload = 1;
  gallery.load();
}

// While something is on its way the page also asks by itself: rarely while the stream is live, often while it is not.
function tick() {
  if (!live || !gallery.hasRunning() || document.visibilityState !== 'visible') return;
  gallery.tick();
  ticksToReload -= 1;
  if (live.isLive() && ticksToReload > 0) return;
  ticksToReload = LIVE_TICKS_PER_RELOAD;
  gallery.load();
}
