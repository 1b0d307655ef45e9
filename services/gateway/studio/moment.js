/** One entry of the timeline: who said what and when; its details open on demand. */

const template = document.getElementById('story-moment');

const SERVICES = { gateway: 'Gateway', generator: 'Generator', media: 'Media', notifier: 'Notifier' };

export class Moment {
  constructor(id) {
    this.root = template.content.firstElementChild.cloneNode(true);
    this.root.dataset.id = id;
  }

  /** `since` is the time since the video was asked for, `moment` the time of day in full. */
  show(entry, since, moment) {
    Object.assign(this.root.dataset, { service: entry.service, level: entry.level, code: entry.code });
    this.root.querySelector('use').setAttribute('href', `#service-${entry.service}`);
    this.#text('.moment-message', entry.message);
    this.#text('.moment-service', SERVICES[entry.service] ?? entry.service);
    const time = this.root.querySelector('time');
    time.dateTime = entry.time;
    time.title = moment;
    time.textContent = since;
    this.#showFacts(entry, moment);
  }

  #showFacts({ code, details, traceId }, moment) {
    const facts = { time: moment, code, ...details, ...(traceId && { trace: traceId }) };
    const known = JSON.stringify(facts);
    if (this.known === known) return;
    this.known = known;
    const rows = Object.entries(facts).map(([name, value]) => row(name, String(value)));
    this.root.querySelector('dl').replaceChildren(...rows);
  }

  #text(selector, text) {
    const element = this.root.querySelector(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}

function row(name, value) {
  const line = document.createElement('div');
  line.append(document.createElement('dt'), document.createElement('dd'));
  line.firstChild.textContent = inWords(name);
  line.lastChild.textContent = value;
  return line;
}

// "waitSeconds" → "wait seconds"
function inWords(name) {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
