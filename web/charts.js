/* Charts by Chart.js, which comes along as assets/chart.js. Each has a sentence that says what it
 * shows and a table with its numbers: for screen readers, for copying, and for a page that was built
 * without the library. What the server describes as a figure is drawn by figures.js, which draws
 * reports, too. */
import './figures.js';
import {count, h} from './dom.js';
import {table} from './parts.js';

const {figures} = window;
export const axis = figures.axis;
export const seriesColour = figures.tone;

let library = null;
const drawn = new Set();

/* Fetched when the first chart is drawn; null where it is not part of this build. */
function getLibrary() {
    library =
        library ||
        new Promise(done => {
            const script = h('script', {
                src: 'assets/chart.js',
                onload: () => done(window.Chart || null),
                onerror: () => done(null)
            });
            document.head.append(script);
        });
    return library;
}

/* A figure with a chart; level: of its heading. make(): what Chart.js wants as {type, data, options},
 * asked again when the colours change. says: what it shows. numbers: {head, rows} of the table. */
export function chartFigure({id, title, says, make, numbers, wide, high, level = 2}) {
    const canvas = h('canvas', {role: 'img', 'aria-label': `${title}. ${says}`});
    const box = h('div', {class: `chart-box${high ? ' high' : ''}`}, canvas);
    const details = h(
        'details',
        {class: 'numbers'},
        h('summary', {}, 'As a table'),
        numbers
            ? table(title, numbers.head, numbers.rows, numbers.head.map((_, i) => i).slice(1))
            : null
    );
    const figure = h(
        'figure',
        {id, class: `panel${wide ? ' wide' : ''}`},
        caption(title, says, level),
        box,
        numbers ? details : null
    );
    const one = {canvas, make, chart: null, gone: false};
    drawn.add(one);
    getLibrary().then(Chart => {
        if (one.gone) return;
        if (Chart) {
            draw(one);
        } else {
            box.remove();
            details.open = true;
        }
    });
    figure.chart = one;
    return figure;
}

function draw(one) {
    if (one.chart) one.chart.destroy();
    one.chart = figures.draw(one.canvas, one.make());
}

/* Puts new numbers into a figure's chart. */
export function redraw(figure, change) {
    const {chart} = figure.chart;
    if (chart) {
        change(chart);
        chart.update('none');
    }
}

function caption(title, says, level) {
    return h('figcaption', {}, h(`h${level}`, {}, title), h('p', {class: 'muted'}, says));
}

/* ---- Figures as the server describes them: Figure in openapi.json ---- */

/* One of them, in the page; level: of its heading. */
export function figure(told, level = 2) {
    if (told.kind === 'heat') return heatFigure(told, level);
    if (told.kind === 'table') return tableFigure(told, level);
    return chartFigure({
        id: `figure-${told.id}`,
        title: told.title,
        says: told.says,
        level,
        wide: told.wide,
        high: figures.high(told),
        numbers: numbersOf(told),
        make: () => figures.make(told)
    });
}

/* With the digits that the server asks for; fewer where the number is large. */
function written(value, digits) {
    if (value === null) return '–';
    if (digits < 0) return count(value);
    return value.toFixed(Math.abs(value) < 9.99995 || digits < 3 ? digits : 2);
}

function numbersOf({head, labels, every, series}) {
    const kept = labels.map((_, i) => i).filter(i => i % every === 0 || i === labels.length - 1);
    const cells = (one, i) => {
        const values = [one.values, one.low, one.high].filter(Boolean);
        return values.map((list, n) =>
            h(n === 0 && one.best === i ? 'b' : 'span', {}, written(list[i], one.digits))
        );
    };
    return {
        head: [head, ...series.flatMap(one => [one.name, ...(one.low ? ['from', 'to'] : [])])],
        rows: kept.map(i => [labels[i], ...series.flatMap(one => cells(one, i))])
    };
}

function tableFigure(told, level) {
    const {head, rows} = numbersOf(told);
    return h(
        'figure',
        {id: `figure-${told.id}`, class: `panel${told.wide ? ' wide' : ''}`},
        caption(told.title, told.says, level),
        table(told.title, head, rows, head.map((_, i) => i).slice(1))
    );
}

/* A table whose cells are shaded by the root of their share of the largest. */
function heatFigure({id, title, says, labels, series}, level) {
    const most = Math.max(1, ...series.flatMap((one, j) => one.values.filter((_, i) => i !== j)));
    const cell = (one, i, j) => {
        const n = one.values[i];
        const items = `${count(n)} ${n === 1 ? 'item' : 'items'}`;
        const box = h(
            'td',
            {
                title: `${labels[i]}${i === j ? '' : ` and ${one.name}`}: ${items}`,
                class: i === j ? 'diagonal' : null
            },
            count(n)
        );
        const share = i === j ? 0 : Math.sqrt(n / most);
        box.style.setProperty('--heat', `${Math.round(100 * share)}%`);
        return box;
    };
    const across = series.map(one => h('th', {scope: 'col'}, h('span', {}, one.name)));
    const rows = labels.map((label, i) =>
        h(
            'tr',
            {},
            h('th', {scope: 'row'}, label),
            series.map((one, j) => cell(one, i, j))
        )
    );
    return h(
        'figure',
        {id: `figure-${id}`, class: `panel${labels.length > 13 ? ' wide' : ''}`},
        caption(title, says, level),
        h(
            'div',
            {class: 'table heat', tabindex: '0', role: 'region', 'aria-label': title},
            h(
                'table',
                {},
                h('caption', {class: 'unseen'}, title),
                h('thead', {}, h('tr', {}, h('td', {}), across)),
                h('tbody', {}, rows)
            )
        )
    );
}

/* Frees the charts inside of an element; all of them when a view is left. */
export function dropCharts(inside = document) {
    for (const one of drawn) {
        if (!inside.contains(one.canvas)) continue;
        one.gone = true;
        if (one.chart) one.chart.destroy();
        drawn.delete(one);
    }
}

window.addEventListener('themechange', async () => {
    const Chart = await library;
    for (const one of Chart ? drawn : []) draw(one);
});

/* A number with its name, for the row on top of a page. */
export function tile(name, value, note) {
    return h(
        'div',
        {class: 'tile'},
        h('dt', {}, name),
        h('dd', {}, value, note ? h('small', {}, note) : null)
    );
}

export function tiles(label, list) {
    return h('dl', {class: 'tiles', 'aria-label': label}, list);
}
