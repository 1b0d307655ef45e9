/**
 * What is known about one video, and how news changes it. No DOM, no network.
 *
 * News comes from the gateway's answers and from the live stream, in any order. As in the services, it is ordered
 * by (attempt, rank) and never runs backwards.
 *
 * An item: {videoId, title, createdAt, attempt, stage, progress, detail, expected, error, reached, video}. `stage` is
 * a key of STAGES; `progress` (0..100) belongs to that stage; `reached` is how far along the line a failed one came;
 * `video` is the gateway's last answer about it.
 */

const STAGES = {
  queued: { rank: 0, words: 'Waiting to start', from: 0, to: 14 },
  rendering: { rank: 1, words: 'Rendering', from: 14, to: 80 },
  storing: { rank: 2, words: 'Storing', from: 80, to: 97 },
  failed: { rank: 3, words: 'Failed' },
  ready: { rank: 4, words: 'Ready', from: 100, to: 100 },
};

const STAGE_OF_NEWS = {
  queued: 'queued',
  rendering: 'rendering',
  download: 'storing',
  transfer: 'storing',
  complete: 'storing', // shown as ready once the gateway's answer carries the URL to play
  error: 'failed',
};

const STAGE_OF_VIDEO = {
  queued: 'queued',
  rendering: 'rendering',
  unknown: 'rendering', // the workflow does not answer, but may be at work
  completed: 'storing',
  transferring: 'storing',
  adopting: 'storing',
};

/** The gateway's Video (gallery or status) as news. */
export function newsFromVideo(video) {
  const stage = stageOfVideo(video);
  return {
    videoId: video.videoId,
    title: video.title,
    createdAt: video.createdAt,
    attempt: video.attempt,
    stage,
    progress: video.progress,
    // While storing, no message means that all is well again; while rendering, that the stream may know more.
    detail: stage === 'storing' ? (video.message ?? '') : video.message,
    expected: video.estimated_completion,
    error: video.error,
    video,
  };
}

/** A notification of the stream as news, or null when its type says nothing about the journey. */
export function newsFromStream(notification) {
  const stage = STAGE_OF_NEWS[notification.type];
  if (!stage || !notification.videoId) return null;
  const failed = stage === 'failed';
  return {
    videoId: notification.videoId,
    title: notification.title,
    attempt: notification.attempt,
    stage,
    progress: notification.type === 'complete' ? 100 : notification.progress,
    detail: failed ? '' : (notification.message ?? ''),
    expected: notification.estimated_completion,
    error: failed ? failure(notification) : undefined,
  };
}

// `message` is the sentence old clients know; `reason` says what happened.
function failure({ reason, message, code, retryable }) {
  return { message: reason ?? message, code, retryable };
}

/** The answer to "please make this" as the first news of a video. */
export function newsFromAcceptance(answer, title) {
  return {
    videoId: answer.videoId,
    title,
    createdAt: answer.timestamp,
    attempt: 1,
    stage: 'queued',
    expected: answer.estimated_completion,
  };
}

const FRESH = { detail: '', progress: undefined, expected: undefined, error: undefined, reached: 0 };

/** The item after the news; the very same item when the news is old. */
export function advance(item, news) {
  if (!item) return { attempt: 1, ...FRESH, ...withoutGaps(news) };
  const attempt = news.attempt ?? item.attempt;
  if (attempt < item.attempt) return item;
  if (attempt > item.attempt) {
    return { ...item, ...FRESH, ...withoutGaps(news) };
  }
  const step = STAGES[news.stage].rank - STAGES[item.stage].rank;
  if (step < 0) return item;
  const next = { ...item, ...withoutGaps(news) };
  if (step === 0) next.progress = furthest(item.progress, news.progress);
  else Object.assign(next, { progress: news.progress, detail: news.detail ?? '', reached: distance(item) });
  return next;
}

export function stageInWords({ stage, error }) {
  return stage === 'failed' && error?.code === 'CANCELLED' ? 'Cancelled' : STAGES[stage].words;
}

export function isRunning(item) {
  return item.stage !== 'ready' && item.stage !== 'failed';
}

/** How far along the whole line the item is, 0..100; a failed one stays where it stopped. */
export function distance(item) {
  if (item.stage === 'failed') return item.reached;
  const { from, to } = STAGES[item.stage];
  return from + ((to - from) * Math.min(100, Math.max(0, item.progress ?? 0))) / 100;
}

function stageOfVideo({ status, stage }) {
  if (status === 'ready' || status === 'failed') return status;
  return STAGE_OF_VIDEO[stage] ?? (status === 'processing' ? 'rendering' : 'queued');
}

function furthest(before, now) {
  if (before === undefined || now === undefined) return now ?? before;
  return Math.max(before, now);
}

function withoutGaps(news) {
  return Object.fromEntries(Object.entries(news).filter(([, value]) => value !== undefined && value !== null));
}
