/** Who is logged in: the log-in and account forms, and the end of a session. */
import { ApiError, call } from './api.js';
import { clearErrorsWhileTyping, readForm, showError, whileSubmitting } from './fields.js';

const login = document.getElementById('login');
const register = document.getElementById('register');
const tabs = new BroadcastChannel('reelway.session');

/** The account of the cookie, or null when nobody is logged in. Other failures are thrown. */
export async function currentUser() {
  try {
    return await call('GET', '/api/auth/me');
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** Rejects when the session has ended (which shows the door) or the gateway is away. */
export function checkSession() {
  return call('GET', '/api/auth/me');
}

export async function logOut() {
  try {
    await call('POST', '/api/auth/logout', { atTheDoor: true });
  } catch (error) {
    if (error.status !== 401) throw error; // a session that is already over needs no logging out
  }
  tabs.postMessage(null);
}

/** Calls `listener(userId)` when somebody logs in in another tab of this browser, with null when they log out there. */
export function onOtherTab(listener) {
  tabs.addEventListener('message', ({ data }) => listener(data));
}

/** Wires the two forms; `onSignedIn(user)` is called after either succeeds. */
export function wireDoor(onSignedIn) {
  wire(login, async (values) => {
    await call('POST', '/api/auth/login', { body: values, atTheDoor: true });
    await enter(onSignedIn);
  });
  wire(register, async (values) => {
    await call('POST', '/api/auth/register', { body: values, atTheDoor: true });
    const { email, password } = values;
    await call('POST', '/api/auth/login', { body: { email, password }, atTheDoor: true });
    await enter(onSignedIn);
  });
  document.getElementById('to-register').addEventListener('click', () => show(register));
  document.getElementById('to-login').addEventListener('click', () => show(login));
}

/** Puts the log-in form in front, with the focus where typing starts. */
export function showLogin() {
  show(login);
}

function wire(form, submit) {
  clearErrorsWhileTyping(form);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    whileSubmitting(form, async () => {
      try {
        await submit(readCredentials(form));
      } catch (error) {
        showError(form, error);
      }
    });
  });
}

// A password is taken as typed: its blanks at either end belong to it.
function readCredentials(form) {
  const values = readForm(form);
  const password = form.elements.password.value;
  return password ? { ...values, password } : values;
}

async function enter(onSignedIn) {
  const user = await call('GET', '/api/auth/me');
  login.reset();
  register.reset();
  tabs.postMessage(user.userId);
  onSignedIn(user);
}

function show(form) {
  login.hidden = form !== login;
  register.hidden = form !== register;
  window.scrollTo(0, 0);
  form.querySelector('input').focus({ preventScroll: true });
}
