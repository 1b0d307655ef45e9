/** Reads a form, and shows what the gateway said about its fields beside them. */

/** The trimmed values by name. Empty ones are left out, so that the gateway, the only judge, names them. */
export function readForm(form) {
  const values = {};
  for (const [name, value] of new FormData(form)) {
    const text = value.trim();
    if (text) values[name] = text;
  }
  return values;
}

/**
 * Shows an ApiError on the form: field messages beside the fields, with the focus on the first of them, and above
 * the button what belongs to no field.
 */
export function showError(form, error) {
  clearErrors(form);
  const wrong = [...form.querySelectorAll('[data-field]')].filter((field) => field.dataset.field in error.fields);
  for (const field of wrong) showFieldError(field, error.fields[field.dataset.field]);
  const placed = wrong.map((field) => field.dataset.field);
  const strays = Object.entries(error.fields).filter(([name]) => !placed.includes(name));
  const counted = wrong.length === 1 ? 'One field needs another look.' : `${wrong.length} fields need another look.`;
  const words = [wrong.length ? counted : error.message, ...strays.map((stray) => stray.join(': '))];
  showMessage(form, words.join(' '));
  if (wrong.length) visibleControl(wrong[0]).focus();
}

export function clearErrors(form) {
  for (const field of form.querySelectorAll('[data-field]')) clearFieldError(field);
  showMessage(form, '');
}

/** Takes a field's message away as soon as the person works on that field, and the form's own with the last of them. */
export function clearErrorsWhileTyping(form) {
  form.addEventListener('input', ({ target }) => {
    const field = target.closest('[data-field]');
    if (field) clearFieldError(field);
    if (!form.querySelector('[aria-invalid]')) showMessage(form, '');
  });
}

/** Runs `work` with the form's button out of action, so that one press sends once. */
export async function whileSubmitting(form, work) {
  const button = form.querySelector('[type=submit]');
  if (form.ariaBusy === 'true') return;
  form.ariaBusy = 'true';
  button.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } finally {
    form.ariaBusy = 'false';
    button.removeAttribute('aria-disabled');
  }
}

export function showMessage(form, text) {
  const message = form.querySelector('.form-message');
  message.textContent = text;
  message.hidden = !text;
}

function showFieldError(field, message) {
  const slot = field.querySelector('.error');
  slot.textContent = message;
  slot.hidden = false;
  for (const control of controls(field)) control.setAttribute('aria-invalid', 'true');
}

function clearFieldError(field) {
  const slot = field.querySelector('.error');
  slot.textContent = '';
  slot.hidden = true;
  for (const control of controls(field)) control.removeAttribute('aria-invalid');
}

function controls(field) {
  return [...field.querySelectorAll('input, textarea, select')];
}

function visibleControl(field) {
  return controls(field).find((control) => !control.hidden);
}
