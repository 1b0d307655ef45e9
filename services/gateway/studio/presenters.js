/**
 * Presenter fields. Each is a text input holding an avatar_id; where the catalog is known, a select in front of it
 * fills it in, and the input shows only for an id of one's own.
 */
import { call } from './api.js';

const OWN = '\u0000own';

/** Puts a select in front of every presenter input of the form; without a catalog the inputs stay as they are. */
export async function fillPresenters(form) {
  const avatars = await loadAvatars();
  const fields = [...form.querySelectorAll('.presenter')];
  for (const field of fields) {
    field.querySelector('select')?.remove();
    if (avatars.length) addSelect(field, avatars);
    else showInput(field, true);
  }
  const [first, ...others] = fields;
  first.querySelector('select')?.addEventListener('change', ({ target }) => follow(target.value, others));
}

async function loadAvatars() {
  try {
    return (await call('GET', '/api/video/avatars')).avatars ?? [];
  } catch {
    return []; // free text still works, and the next call will say what is wrong
  }
}

function addSelect(field, avatars) {
  const input = field.querySelector('input');
  const select = document.createElement('select');
  select.append(new Option('Choose a presenter', ''));
  for (const avatar of avatars) select.append(new Option(label(avatar), avatar.avatar_id));
  select.append(new Option('Another avatar id…', OWN));
  select.id = `${input.id}-choice`;
  select.setAttribute('aria-describedby', input.getAttribute('aria-describedby'));
  const known = avatars.some((avatar) => avatar.avatar_id === input.value);
  select.value = known || !input.value ? input.value : OWN;
  showInput(field, select.value === OWN);
  field.querySelector('label').htmlFor = select.id;
  input.setAttribute('aria-label', `${field.querySelector('label').textContent}: avatar id`);
  select.addEventListener('change', () => choose(field, select));
  input.before(select);
}

function choose(field, select) {
  const input = field.querySelector('input');
  const own = select.value === OWN;
  showInput(field, own);
  input.value = own ? '' : select.value;
  if (own) input.focus();
  input.dispatchEvent(new Event('input', { bubbles: true }));
}

// One presenter for the whole video is the usual case: those not chosen yet follow the first.
function follow(avatarId, fields) {
  if (!avatarId || avatarId === OWN) return;
  for (const field of fields) {
    const select = field.querySelector('select');
    if (!select || select.value) continue;
    select.value = avatarId;
    choose(field, select);
  }
}

function showInput(field, shown) {
  const input = field.querySelector('input');
  input.hidden = !shown;
}

function label({ name, gender, avatar_id: avatarId }) {
  return [name || avatarId, gender].filter(Boolean).join(', ');
}
