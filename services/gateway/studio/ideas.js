/** Topics of the catalog, offered as chips that start a script. */
import { call } from './api.js';

const SHOWN_AT_FIRST = 5;

/** Fills the chips above the title; without topics they stay hidden. */
export async function fillIdeas(form) {
  const box = document.getElementById('ideas');
  const topics = await loadTopics();
  const chips = topics.map((topic) => chip(topic, form));
  box.replaceChildren(...chips);
  box.hidden = !chips.length;
  const rest = chips.slice(SHOWN_AT_FIRST);
  if (rest.length) box.append(moreButton(rest));
}

async function loadTopics() {
  try {
    return (await call('GET', '/api/video/topics')).topics ?? [];
  } catch {
    return []; // ideas are an extra; the form works without them
  }
}

function chip(topic, form) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'chip';
  button.textContent = topic.title;
  button.title = topic.category ?? '';
  button.addEventListener('click', () => prefill(form, topic));
  return button;
}

function moreButton(rest) {
  for (const button of rest) button.hidden = true;
  const more = document.createElement('button');
  more.type = 'button';
  more.className = 'link';
  more.textContent = 'More ideas';
  more.addEventListener('click', () => {
    for (const button of rest) button.hidden = false;
    more.remove();
    rest[0].focus();
  });
  return more;
}

function prefill(form, { title, keyPoints }) {
  setUnlessWritten(form.elements.title, title);
  setUnlessWritten(form.elements.body, sentences(keyPoints));
  form.elements.title.dispatchEvent(new Event('input', { bubbles: true }));
  form.elements.hook.focus();
}

// A person's own words are never overwritten, an earlier idea is.
function setUnlessWritten(control, text) {
  if (control.value.trim() && control.value !== control.dataset.idea) return;
  control.value = text;
  control.dataset.idea = text;
}

function sentences(keyPoints) {
  const points = Array.isArray(keyPoints) ? keyPoints : [keyPoints ?? ''];
  return points
    .map((point) => String(point).trim())
    .filter(Boolean)
    .map((point) => (/[.!?]$/.test(point) ? point : `${point}.`))
    .join('\n');
}
