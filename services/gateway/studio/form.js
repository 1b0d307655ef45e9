/** The two ways to a new video: the generate form and the import by link. */
import { call } from './api.js';
import { clearErrors, clearErrorsWhileTyping, readForm, showError, showMessage, whileSubmitting } from './fields.js';
import { formatDuration, speakingSeconds } from './format.js';
import { fillIdeas } from './ideas.js';
import { fillPresenters } from './presenters.js';

const DRAFT = 'reelway.draft';
const SCRIPT = ['title', 'hook', 'body', 'conclusion'];
const LINK = ['videoUrl', 'title'];

const generate = document.getElementById('generate');
const imports = document.getElementById('import');
const reading = document.getElementById('reading');

/**
 * Wires both forms; `onAccepted(answer, title, isWaiting)` is called for each accepted request. `isWaiting` is false
 * when the person has gone on to the next one meanwhile.
 */
export function wireForms(onAccepted) {
  wire(generate, '/api/video/generate-video', onAccepted, startNextScript);
  wire(imports, '/api/video/download-video', onAccepted, (sent) => clearSent(imports, LINK, sent));
  generate.addEventListener('input', () => {
    saveDraft();
    showReadingTime();
  });
}

/** Prepares the forms for this user: the draft of this tab, presenters, ideas. */
export async function openForms(user) {
  restoreDraft(user);
  showReadingTime();
  await Promise.all([fillPresenters(generate), fillIdeas(generate)]);
}

/** Leaves nothing of the last user behind. */
export function clearForms() {
  sessionStorage.removeItem(DRAFT);
  generate.reset();
  imports.reset();
}

function wire(form, path, onAccepted, afterwards) {
  const keyFor = submissionKeys();
  clearErrorsWhileTyping(form);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    whileSubmitting(form, () => submit(form, path, keyFor, onAccepted, afterwards));
  });
}

async function submit(form, path, keyFor, onAccepted, afterwards) {
  const body = readForm(form);
  const key = keyFor(body);
  const focused = document.activeElement;
  showMessage(form, '');
  try {
    const answer = await call('POST', path, { body, headers: { 'Idempotency-Key': key.value } });
    key.settle();
    clearErrors(form);
    const isWaiting = document.activeElement === focused && isSame(readForm(form), body);
    afterwards(body);
    onAccepted(answer, body.title, isWaiting);
  } catch (error) {
    if (!error.isUncertain) key.settle();
    showError(form, error);
    if (error.isUncertain) showMessage(form, `${error.message} It will not be made twice.`);
  }
}

/**
 * Hands out one Idempotency-Key per submission: the same body gets the same key again until an answer is certain,
 * so a second press after a lost answer cannot start (and bill) a second video.
 */
function submissionKeys() {
  let open = null;
  return (body) => {
    const text = JSON.stringify(body);
    if (open?.text !== text) open = { text, value: uuid() };
    const { value } = open;
    return { value, settle: () => (open = null) };
  };
}

// crypto.randomUUID exists only on secure origins; Studio may be opened over plain http in a local network.
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// Credits and presenters mostly stay the same from one video to the next; the script does not.
function startNextScript(sent) {
  clearSent(generate, SCRIPT, sent);
  saveDraft();
  showReadingTime();
}

// An answer may take a while: what was typed since belongs to the next video.
function clearSent(form, names, sent) {
  const typed = readForm(form);
  for (const name of names) if (typed[name] === sent[name]) form.elements[name].value = '';
}

function isSame(values, others) {
  return JSON.stringify(values) === JSON.stringify(others);
}

function saveDraft() {
  sessionStorage.setItem(DRAFT, JSON.stringify(Object.fromEntries(new FormData(generate))));
}

function restoreDraft(user) {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? '{}');
  for (const [name, value] of Object.entries(draft)) {
    if (generate.elements[name]) generate.elements[name].value = value;
  }
  generate.elements.email.value ||= user.email;
}

function showReadingTime() {
  const script = SCRIPT.slice(1).map((name) => generate.elements[name].value).join(' ');
  const seconds = speakingSeconds(script);
  reading.textContent = seconds ? `About ${formatDuration(seconds)} when spoken` : '';
}
