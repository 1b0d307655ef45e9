/**
 * Every call to the gateway goes through here.
 *
 * `call` resolves to the answer's `data` and rejects with `ApiError`, whose message is a plain sentence that
 * says what to do next. The session is an HttpOnly cookie, so no token passes through this page.
 */
import { formatWait, secondsToWait } from './format.js';

const TIMEOUT_MS = 30_000;

/**
 * A refused or failed call. `status` is 0 when no answer came; `fields` maps field names to messages; `retryAfter`
 * is in how many seconds the gateway wants to be asked again, null where it does not say.
 */
export class ApiError extends Error {
  constructor(status, message, { code = '', fields = {}, serverMessage = '', retryAfter = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.serverMessage = serverMessage;
    this.retryAfter = retryAfter;
  }

  /** True when the request may have arrived although no clear answer came back. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500;
  }
}

let unauthorized = () => {};

let renewal = null;

/** Registers what happens when the session has ended and cannot be renewed. */
export function onUnauthorized(listener) {
  unauthorized = listener;
}

/**
 * Calls the gateway. An access token that ran out (a laptop that slept) is renewed and the call repeated, except
 * `atTheDoor`, where a 401 is an answer and not the end of a session.
 */
export async function call(method, path, { body, headers = {}, atTheDoor = false } = {}) {
  try {
    return await ask(method, path, body, headers);
  } catch (error) {
    if (error.status !== 401 || atTheDoor) throw error;
    await renewSession();
    return ask(method, path, body, headers);
  }
}

/** Trades the session's cookie for a fresh one; calls that meet share one trade, since it can be made only once. */
export function renewSession() {
  renewal ??= ask('POST', '/api/auth/refresh')
    .catch((error) => {
      if (error.status === 401) unauthorized();
      throw error;
    })
    .finally(() => (renewal = null));
  return renewal;
}

async function ask(method, path, body, headers) {
  const response = await send(method, path, body, headers);
  const answer = await parse(response);
  if (response.ok && answer?.success !== false) return answer?.data ?? {};
  throw refusal(response, answer);
}

async function send(method, path, body, headers) {
  const init = { method, headers: { Accept: 'application/json', ...headers }, credentials: 'same-origin' };
  init.signal = AbortSignal.timeout(TIMEOUT_MS);
  if (body !== undefined) {
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, init);
  } catch {
    throw new ApiError(0, 'Reelway cannot be reached. Check your connection, then try again.');
  }
}

async function parse(response) {
  try {
    return await response.json();
  } catch {
    return null; // an answer from something in between: its status still says what happened
  }
}

function refusal(response, answer) {
  const serverMessage = answer?.message ?? '';
  return new ApiError(response.status, plainMessage(response, serverMessage), {
    code: answer?.error?.code ?? '',
    fields: answer?.error?.fields ?? {},
    serverMessage,
    retryAfter: secondsToWait(response.headers.get('Retry-After')),
  });
}

function plainMessage(response, serverMessage) {
  const wait = formatWait(response.headers.get('Retry-After'));
  switch (response.status) {
    case 413:
      return 'This is too long to send. Shorten the script, then try again.';
    case 429:
      return `${sentence(serverMessage || 'That was too much at once')} Try again ${wait || 'in a little while'}.`;
    case 502:
    case 503:
    case 504:
      return `Reelway is not ready for this right now. Nothing is lost: try again ${wait || 'in a moment'}.`;
    default:
      return serverMessage || `Something went wrong (${response.status}). Try again in a moment.`;
  }
}

function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
