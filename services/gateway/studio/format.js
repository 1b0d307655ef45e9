/** Turns wire values into what people read, in their own locale. Unknown values become ''. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: 'numeric',
  minute: '2-digit',
});
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const MOMENT = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});
const SIZE_UNITS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
const WORDS_PER_SECOND = 2.5;

/** ISO time → "14:05" today, "21 Nov, 14:05" otherwise. */
export function formatWhen(iso, now = new Date()) {
  const date = toDate(iso);
  if (!date) return '';
  return (date.toDateString() === now.toDateString() ? CLOCK : DAY_AND_CLOCK).format(date);
}

/** ISO time → the moment to the millisecond, as people compare it with logs. */
export function formatMoment(iso) {
  const date = toDate(iso);
  return date ? MOMENT.format(date) : '';
}

/** Two ISO times → how long the second came after the first: "0.4 s", "1:23 min", "1:02 h". */
export function formatSince(from, to) {
  const [start, end] = [toDate(from), toDate(to)];
  if (!start || !end) return '';
  const seconds = Math.max(0, (end - start) / 1000);
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${padded(seconds % 60)} min`;
  return `${Math.floor(minutes / 60)}:${padded(minutes % 60)} h`;
}

export function formatFull(iso) {
  const date = toDate(iso);
  return date ? FULL.format(date) : '';
}

/** Seconds → "mm:ss" as players show it: 42 → "00:42", 3671 → "1:01:11". */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '';
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = String(Math.floor((whole % 3600) / 60)).padStart(2, '0');
  const rest = String(whole % 60).padStart(2, '0');
  return hours ? `${hours}:${minutes}:${rest}` : `${minutes}:${rest}`;
}

/** Bytes → "1.2 MB". */
export function formatSize(bytes) {
  if (!Number.isFinite(bytes) || bytes < 0) return '';
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(undefined, {
    style: 'unit',
    unit: SIZE_UNITS[unit],
    maximumFractionDigits: digits,
  }).format(value);
}

/** A Retry-After header (seconds or an HTTP date) → "in 20 seconds". */
export function formatWait(retryAfter, now = Date.now()) {
  const seconds = secondsToWait(retryAfter, now);
  if (seconds === null) return '';
  const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  if (seconds < 90) return relative.format(Math.max(1, Math.ceil(seconds)), 'second');
  return relative.format(Math.ceil(seconds / 60), 'minute');
}

/** A Retry-After header (seconds or a date) → seconds from now, null where it says nothing. */
export function secondsToWait(retryAfter, now = Date.now()) {
  if (!retryAfter) return null;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** An expected end → "expected by 14:05", or that it is late. */
export function formatExpected(iso, now = new Date()) {
  const date = toDate(iso);
  if (!date) return '';
  if (date < now) return 'taking longer than expected';
  return `expected by ${formatWhen(iso, now)}`;
}

/** A script → how many seconds it takes to say it aloud. */
export function speakingSeconds(text) {
  return (text.match(/\S+/g) ?? []).length / WORDS_PER_SECOND;
}

function padded(number) {
  return String(Math.floor(number)).padStart(2, '0');
}

function toDate(iso) {
  const date = iso ? new Date(iso) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}
