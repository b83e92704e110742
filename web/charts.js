/* Charts by Chart.js, which comes along as assets/chart.js. Each has a sentence that says what it
 * shows and a table with its numbers: for screen readers, for copying, and for a page that was built
 * without the library. */
import {h} from './dom.js';
import {table} from './parts.js';

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

export function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/* The n-th colour of series. */
export function seriesColour(n) {
    return colour(`series-${(n % 6) + 1}`);
}

/* A figure with a chart; level: of its heading. make(): what Chart.js wants as {type, data, options}, asked again when the
 * colours change. says: what it shows. numbers: {head, rows} of the table. */
export function chartFigure({title, says, make, numbers, wide, high, level = 2}) {
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
        {class: `panel${wide ? ' wide' : ''}`},
        h('figcaption', {}, h(`h${level}`, {}, title), h('p', {class: 'muted'}, says)),
        box,
        numbers ? details : null
    );
    const one = {canvas, make, chart: null, gone: false};
    drawn.add(one);
    getLibrary().then(Chart => {
        if (one.gone) return;
        if (Chart) {
            draw(Chart, one);
        } else {
            box.remove();
            details.open = true;
        }
    });
    figure.chart = one;
    return figure;
}

function draw(Chart, one) {
    if (one.chart) one.chart.destroy();
    const {type, data, options = {}} = one.make();
    one.chart = new Chart(one.canvas, {
        type,
        data,
        options: {
            responsive: true,
            maintainAspectRatio: false,
            animation: false,
            interaction: {mode: 'index', intersect: false},
            ...options,
            plugins: {
                legend: {
                    display: data.datasets.length > 1,
                    labels: {color: colour('ink'), boxWidth: 12, boxHeight: 12}
                },
                ...options.plugins
            }
        }
    });
}

/* Puts new numbers into a figure's chart. */
export function redraw(figure, change) {
    const {chart} = figure.chart;
    if (chart) {
        change(chart);
        chart.update('none');
    }
}

/* An axis in the page's colours. */
export function axis(title, more) {
    return {
        grid: {color: colour('line'), drawBorder: false},
        border: {display: false},
        ticks: {
            color: colour('muted'),
            maxRotation: 0,
            autoSkipPadding: 12,
            ...(more && more.ticks)
        },
        title: {display: Boolean(title), text: title, color: colour('muted')},
        ...(more && Object.fromEntries(Object.entries(more).filter(([name]) => name !== 'ticks')))
    };
}

/* Frees the charts of a view that is left. */
export function dropCharts() {
    for (const one of drawn) {
        one.gone = true;
        if (one.chart) one.chart.destroy();
    }
    drawn.clear();
}

window.addEventListener('themechange', async () => {
    const Chart = await library;
    for (const one of Chart ? drawn : []) draw(Chart, one);
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
