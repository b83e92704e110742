/* Making elements, telling screen readers, and writing numbers and times for people. */

const SVG = 'http://www.w3.org/2000/svg';

/* h('button', {class: 'x', type: 'button', onclick: f}, 'text', child, …): an element. Names that
 * begin with "on" are listeners; null, undefined and false leave an attribute or child out. */
export function h(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? '' : String(value));
    }
    element.append(...children.flat(3).filter(c => c !== null && c !== undefined && c !== false));
    return element;
}

export function replace(parent, ...children) {
    parent.replaceChildren(
        ...children.flat(3).filter(c => c !== null && c !== undefined && c !== false)
    );
}

const ICONS = {
    like: 'M12 20.5 10.6 19.2C5.6 14.7 2.5 11.9 2.5 8.4 2.5 5.6 4.7 3.5 7.4 3.5c1.6 0 3.1.7 4.1 1.9l.5.6.5-.6c1-1.2 2.5-1.9 4.1-1.9 2.7 0 4.9 2.1 4.9 4.9 0 3.5-3.1 6.3-8.1 10.8z',
    dislike:
        'M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12 19 17.6 17.6 19 12 13.4 6.4 19 5 17.6 10.6 12 5 6.4z',
    sun: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10zM11 1h2v3h-2zM11 20h2v3h-2zM1 11h3v2H1zM20 11h3v2h-3zM4.2 5.6l1.4-1.4 2.1 2.1-1.4 1.4zM16.3 17.7l1.4-1.4 2.1 2.1-1.4 1.4zM4.2 18.4l2.1-2.1 1.4 1.4-2.1 2.1zM16.3 6.3l2.1-2.1 1.4 1.4-2.1 2.1z',
    moon: 'M20.5 14.5A8.5 8.5 0 0 1 9.5 3.5a8.5 8.5 0 1 0 11 11z',
    spark: 'M12 2l2.2 7.8L22 12l-7.8 2.2L12 22l-2.2-7.8L2 12l7.8-2.2z',
    again: 'M12 5V1.5L6.5 6.5 12 11.5V7.5a5 5 0 1 1-5 5H4.5A7.5 7.5 0 1 0 12 5z',
    person: 'M12 12a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zm0 2c-4.7 0-8.5 2.5-8.5 5.5V21h17v-1.5c0-3-3.8-5.5-8.5-5.5z',
    search: 'M10 3a7 7 0 1 0 4.2 12.6l5.1 5.1 1.4-1.4-5.1-5.1A7 7 0 0 0 10 3zm0 2a5 5 0 1 1 0 10 5 5 0 0 1 0-10z'
};

export function icon(name) {
    return svg(
        'svg',
        {viewBox: '0 0 24 24', width: 18, height: 18, 'aria-hidden': 'true', class: 'glyph'},
        svg('path', {d: ICONS[name], fill: 'currentColor'})
    );
}

let said = {text: '', at: 0};

/* Says it to screen readers; what was said a moment ago is said with it, since it may not have been
 * heard yet. */
export function announce(text) {
    const place = document.getElementById('announcer');
    const now = Date.now();
    const whole = now - said.at < 1000 ? `${said.text} ${text}` : text;
    const mine = (said = {text: whole, at: now});
    place.textContent = '';
    setTimeout(() => {
        if (mine === said) place.textContent = whole;
    }, 60);
}

export function calm() {
    return window.matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/* ---- Words for numbers ---- */

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});

export function count(n) {
    return n === null || n === undefined ? '–' : whole.format(n);
}

export function compact(n) {
    return Math.abs(n) < 10000 ? count(Math.round(n * 10) / 10) : short.format(n);
}

/* "1 event", "2 events". */
export function plural(n, one, many = one + 's') {
    return `${count(n)} ${n === 1 ? one : many}`;
}

export function decimal(x, digits = 4) {
    return x === null || x === undefined || Number.isNaN(x) ? '–' : x.toFixed(digits);
}

export function percent(share, digits = 1) {
    return share === null || share === undefined ? '–' : (100 * share).toFixed(digits) + ' %';
}

export function millis(ms) {
    if (ms === null || ms === undefined) return '–';
    if (ms < 1) return Math.round(ms * 1000) + ' µs';
    return ms < 1000 ? ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0) + ' ms' : duration(ms / 1000);
}

export function duration(s) {
    if (s === null || s === undefined) return '–';
    if (s < 1) return millis(1000 * s);
    if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + ' s';
    if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function bytes(n) {
    if (n === null || n === undefined) return '–';
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let unit = 0;
    for (; n >= 1000 && unit < units.length - 1; unit++) n /= 1000;
    return `${n.toFixed(n < 10 && unit ? 1 : 0)} ${units[unit]}`;
}

export function ago(ms) {
    const s = Math.max(0, (Date.now() - ms) / 1000);
    if (s < 10) return 'just now';
    if (s < 60) return `${Math.floor(s)} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    return s < 86400 ? `${Math.floor(s / 3600)} h ago` : day(ms);
}

export function day(ms) {
    return ms
        ? new Date(ms).toLocaleDateString('en', {year: 'numeric', month: 'short', day: 'numeric'})
        : '–';
}

export function moment(ms) {
    return ms ? new Date(ms).toLocaleString('en', {dateStyle: 'medium', timeStyle: 'medium'}) : '–';
}
