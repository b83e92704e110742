/* A drawn poster for an item without a picture: made from its id, title, year and categories alone,
 * so the same item always looks the same. It is an SVG in a data: address, which the browser draws
 * once and keeps as a picture. */
import {MOTIFS, PALETTES, moodOf} from './motifs.js';
import {kindsOf, naming} from './taste.js';

const kept = new Map();
const KEPT_MOST = 600;

/* The address of the item's drawn poster. */
export function posterAddress(item) {
    let address = kept.get(item.item_id);
    if (!address) {
        address = 'data:image/svg+xml,' + encodeURIComponent(draw(item));
        if (kept.size >= KEPT_MOST) kept.delete(kept.keys().next().value);
        kept.set(item.item_id, address);
    }
    return address;
}

/* ---- Chance that repeats ---- */

function hash(text) {
    /* FNV-1a, then the finalizer of MurmurHash3, which spreads the last letters */
    let value = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    return (value ^ (value >>> 16)) >>> 0;
}

function chance(seed) {
    /* mulberry32 */
    let state = seed;
    const next = () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return {
        between: (low, high) => low + (high - low) * next(),
        below: n => Math.floor(next() * n),
        chance: p => next() < p,
        pick: list => list[Math.floor(next() * list.length)],
        shuffle(list) {
            const out = [...list];
            for (let i = out.length - 1; i > 0; i--) {
                const j = Math.floor(next() * (i + 1));
                [out[i], out[j]] = [out[j], out[i]];
            }
            return out;
        }
    };
}

/* ---- Letters ---- */

const FACES = [
    {
        family: "'Roboto Condensed','Arial Narrow','Liberation Sans Narrow',Impact,sans-serif",
        weight: 700,
        caps: true,
        spacing: 0,
        lead: 0.98
    },
    {
        family: "'Palatino Linotype',Palatino,'Book Antiqua',Georgia,'Liberation Serif',serif",
        weight: 700,
        caps: false,
        spacing: 0,
        lead: 1.04
    },
    {
        family: "Futura,'Century Gothic','Avenir Next','Segoe UI','Liberation Sans',sans-serif",
        weight: 700,
        caps: true,
        spacing: 0.06,
        lead: 1.1
    },
    {
        family: "Georgia,'Times New Roman','Liberation Serif',serif",
        weight: 400,
        caps: false,
        spacing: 0,
        lead: 1.04,
        style: 'italic'
    },
    {
        family: "'Helvetica Neue',Arial,'Liberation Sans',sans-serif",
        weight: 800,
        caps: false,
        spacing: -0.02,
        lead: 1
    }
];
const WIDE = 172;
let pen = null;

/* Width at size 100 of each word and of a blank, in this face. */
function measure(words, face) {
    pen = pen || document.createElement('canvas').getContext('2d');
    pen.font = `${face.style || 'normal'} ${face.weight} 100px ${face.family}`;
    const width = text => pen.measureText(text).width + 100 * face.spacing * text.length;
    return {widths: words.map(width), blank: width(' ')};
}

/* Breaks the title into lines that fit WIDE and `high`: the largest size for which there is a way. */
function setTitle(title, face, high, linesMost) {
    const words = (face.caps ? title.toUpperCase() : title).split(/\s+/);
    const {widths, blank} = measure(words, face);
    for (let size = 44; size > 11; size--) {
        const lines = [];
        let line = [],
            used = 0,
            fits = true;
        words.forEach((word, i) => {
            const width = (widths[i] * size) / 100,
                gap = line.length ? (blank * size) / 100 : 0;
            fits = fits && width <= WIDE;
            if (line.length && used + gap + width > WIDE) {
                lines.push(line.join(' '));
                line = [word];
                used = width;
            } else {
                line.push(word);
                used += gap + width;
            }
        });
        lines.push(line.join(' '));
        if (fits && lines.length <= linesMost && lines.length * size * face.lead <= high)
            return {lines, size};
    }
    const cut = title.length > 60 ? title.slice(0, 58) + '…' : title;
    return {lines: cut.match(/.{1,22}/gs).slice(0, 4), size: 13};
}

const escapes = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;'};
/* Control characters and lone surrogates are not XML. */
function xml(text) {
    const clean = text
        .replace(/[\u0000-\u001f\ufffe\uffff]/g, ' ')
        .replace(
            /[\ud800-\udbff](?![\udc00-\udfff])|(^|[^\ud800-\udbff])[\udc00-\udfff]/g,
            '$1\ufffd'
        );
    return clean.replace(/[&<>"']/g, c => escapes[c]);
}

function letters(lines, face, size, x, y, fill, anchor) {
    return lines
        .map(
            (line, i) =>
                `<text x="${x}" y="${(y + i * size * face.lead).toFixed(1)}" fill="${fill}" text-anchor="${anchor}"` +
                ` font-family="${face.family}" font-weight="${face.weight}" font-size="${size}"` +
                ` font-style="${face.style || 'normal'}" letter-spacing="${(face.spacing * size).toFixed(2)}">` +
                `${xml(line)}</text>`
        )
        .join('');
}

/* ---- The sheet: 200 × 300 ---- */

function draw(item) {
    const r = chance(hash(item.item_id + '\n' + (item.title || '')));
    const categories = kindsOf(item);
    const {title, year} = naming(item);
    const mood = moodOf(r.chance(0.65) ? categories : r.shuffle(categories));
    const colours = PALETTES[r.pick(mood.palettes)];
    const motif = MOTIFS[r.pick(r.chance(0.8) ? mood.motifs : Object.keys(MOTIFS))];
    const face = r.pick(FACES);
    const sheet = r.pick([sheetBelow, sheetBelow, sheetAbove, sheetFramed, sheetFull]);
    const small = [year, ...categories.slice(0, 2)].filter(Boolean).join('  ·  ').toUpperCase();
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 300" width="400" height="600">' +
        sheet({r, colours, motif, face, title, small}) +
        '</svg>'
    );
}

const fine = (text, x, y, fill, anchor) =>
    `<text x="${x}" y="${y}" fill="${fill}" text-anchor="${anchor}" font-family="'Helvetica Neue',Arial,'Liberation Sans',sans-serif" font-size="7.5" font-weight="600" letter-spacing="1">${xml(text.slice(0, 34))}</text>`;

/* Art that is cut off at its edges. tall: of the pane, on the sheet. */
function pane(x, y, tall, scale, art) {
    return (
        `<g transform="translate(${x} ${y.toFixed(1)}) scale(${scale})">` +
        `<svg width="200" height="${(tall / scale).toFixed(1)}">${art}</svg></g>`
    );
}

/* The art above, the title on a plain field below. */
function sheetBelow({r, colours, motif, face, title, small}) {
    const [ground, , , light] = colours;
    const set = setTitle(title, face, 84, 3);
    const field = Math.max(84, set.lines.length * set.size * face.lead + 44),
        top = 300 - field;
    const dark = r.chance(0.6),
        paper = dark ? ground : light,
        ink = dark ? light : ground;
    return (
        motif(r, colours, top) +
        `<rect y="${top}" width="200" height="${field}" fill="${paper}"/>` +
        letters(set.lines, face, set.size, 14, top + 14 + set.size * 0.82, ink, 'start') +
        fine(small, 14, 287, ink, 'start')
    );
}

/* The title on a plain field above the art. */
function sheetAbove({r, colours, motif, face, title, small}) {
    const [ground, , , light] = colours;
    const set = setTitle(title, face, 84, 3);
    const field = Math.max(76, set.lines.length * set.size * face.lead + 40);
    const dark = r.chance(0.5),
        paper = dark ? ground : light,
        ink = dark ? light : ground;
    return (
        `<rect width="200" height="300" fill="${paper}"/>` +
        fine(small, 14, 19, ink, 'start') +
        letters(set.lines, face, set.size, 14, 30 + set.size * 0.82, ink, 'start') +
        pane(0, field, 300 - field, 1, motif(r, colours, 300 - field))
    );
}

/* Art in a frame of paper, the title centred below. */
function sheetFramed({r, colours, motif, face, title, small}) {
    const [ground, , , light] = colours;
    const set = setTitle(title, face, 70, 3);
    const field = set.lines.length * set.size * face.lead + 40,
        tall = 300 - 14 - field;
    const scale = 172 / 200;
    return (
        `<rect width="200" height="300" fill="${light}"/>` +
        pane(14, 14, tall, scale, motif(r, colours, tall / scale)) +
        letters(
            set.lines,
            face,
            set.size,
            100,
            14 + tall + 12 + set.size * 0.82,
            ground,
            'middle'
        ) +
        fine(small, 100, 289, ground, 'middle')
    );
}

/* Art over the whole sheet, the title on its darkened foot. */
function sheetFull({r, colours, motif, face, title, small}) {
    const [ground, , , light] = colours;
    const set = setTitle(title, face, 96, 4);
    const high = set.lines.length * set.size * face.lead,
        top = 272 - high;
    const fade = Math.max(0, top - 70);
    return (
        motif(r, colours, 300) +
        `<linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${ground}" stop-opacity="0"/>` +
        `<stop offset=".42" stop-color="${ground}" stop-opacity=".93"/><stop offset="1" stop-color="${ground}"/></linearGradient>` +
        `<rect y="${fade.toFixed(0)}" width="200" height="${(300 - fade).toFixed(0)}" fill="url(#g)"/>` +
        letters(set.lines, face, set.size, 14, top + set.size * 0.82, light, 'start') +
        fine(small, 14, 287, light, 'start')
    );
}
