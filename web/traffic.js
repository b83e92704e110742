/* Traffic: /v1/status every two seconds while one looks, with the last minutes as charts. */
import {connection, get} from './api.js';
import {axis, chartFigure, dropCharts, redraw, seriesColour, tile, tiles} from './charts.js';
import {
    announce,
    bytes,
    compact,
    count,
    duration,
    h,
    millis,
    moment,
    percent,
    plural,
    replace
} from './dom.js';
import {busy, table, trouble} from './parts.js';
import {sourceName} from './taste.js';

const EVERY_MS = 2000,
    KEPT = 90;
/* Samples outlive a change of view: {at, requests, events, p99}. */
const samples = [];

export default function traffic(place) {
    const state = {closed: false, timer: 0, failing: ''};
    const ui = {
        top: h('div', {}, busy('Asking…')),
        charts: h('div', {class: 'panels charts'}),
        tables: h('div', {class: 'panels'}),
        state: h('div', {'aria-live': 'polite'})
    };
    replace(
        place,
        h(
            'div',
            {class: 'head'},
            h(
                'div',
                {},
                h('h1', {tabindex: '-1'}, 'Traffic'),
                h('p', {class: 'under'}, 'Every two seconds, while you look.')
            )
        ),
        ui.state,
        ui.top,
        ui.charts,
        ui.tables
    );
    liveCharts(ui);
    const look = async () => {
        clearTimeout(state.timer);
        try {
            if (!document.hidden) {
                const status = await get('/v1/status');
                if (state.closed) return;
                sample(status);
                show(state, ui, status);
            }
        } catch (problem) {
            if (state.closed) return;
            replace(ui.state, trouble(problem, look));
            if (!problem.away && problem.status < 500) return;
        }
        /* The first rates need two looks: they come soon. */
        if (!state.closed)
            state.timer = setTimeout(look, samples.length < 4 ? EVERY_MS / 4 : EVERY_MS);
    };
    const onSeen = () => {
        if (!document.hidden) look();
    };
    document.addEventListener('visibilitychange', onSeen);
    connection.addEventListener('back', look);
    look();
    return () => {
        state.closed = true;
        clearTimeout(state.timer);
        document.removeEventListener('visibilitychange', onSeen);
        connection.removeEventListener('back', look);
        dropCharts();
    };
}

/* ---- Rates from sums ---- */

function sample(status) {
    const sum = list => list.reduce((total, each) => total + each, 0);
    const now = {
        at: Date.now(),
        uptime: status.uptime_s,
        requests: sum(status.routes.map(route => route.requests)),
        events: sum(Object.values(status.events_by_type || {})),
        p99: slowest(status.routes)
    };
    const before = samples.at(-1);
    if (before && now.uptime < before.uptime)
        /* it began anew: so do the sums */
        samples.length = 0;
    samples.push(now);
    if (samples.length > KEPT) samples.shift();
}

/* The p99 of the main call; of the busiest where there was none. */
function slowest(routes) {
    const main =
        routes.find(route => route.requests && /recommendations$/.test(route.route)) ||
        [...routes].sort((a, b) => b.requests - a.requests)[0];
    return main && main.requests ? main.p99_ms : null;
}

function rates(what) {
    return samples.slice(1).map((each, i) => {
        const s = (each.at - samples[i].at) / 1000;
        return s > 0 ? Math.max(0, (each[what] - samples[i][what]) / s) : 0;
    });
}

/* Tenths of seconds while the looks lie closer together than seconds. */
function times() {
    const now = Date.now();
    const places = samples.length && now - samples[0].at < 10000 ? 1 : 0;
    return samples.slice(1).map(each => `${Number(((each.at - now) / 1000).toFixed(places))} s`);
}

function liveCharts(ui) {
    const line = (title, says, unit, values, tone) =>
        chartFigure({
            title,
            says,
            make: () => ({
                type: 'line',
                data: {
                    labels: times(),
                    datasets: [
                        {
                            label: unit,
                            data: values(),
                            borderColor: seriesColour(tone),
                            backgroundColor: seriesColour(tone) + '22',
                            fill: 'origin',
                            borderWidth: 2,
                            pointRadius: 0,
                            tension: 0.3
                        }
                    ]
                },
                options: {
                    animation: false,
                    scales: {
                        x: axis('', {grid: {display: false}}),
                        y: axis(unit, {beginAtZero: true, ticks: {maxTicksLimit: 5}})
                    }
                }
            })
        });
    const p99 = () => samples.slice(1).map(each => each.p99);
    ui.live = [
        [
            line(
                'Requests',
                'Requests per second over the last minutes.',
                'requests/s',
                () => rates('requests'),
                0
            ),
            () => rates('requests')
        ],
        [
            line(
                'Events',
                'Events taken in per second over the last minutes.',
                'events/s',
                () => rates('events'),
                1
            ),
            () => rates('events')
        ],
        [
            line(
                'Slowest answers',
                '99 % of the recommendations took less than this.',
                'ms',
                p99,
                2
            ),
            p99
        ]
    ];
    replace(
        ui.charts,
        ui.live.map(([figure]) => figure)
    );
}

/* ---- What is shown ---- */

function show(state, ui, status) {
    const {model, catalog, journal, store, profiles} = status;
    const failing = (journal && journal.failing) || (store && store.failing) || '';
    if (failing !== state.failing || !state.shown) {
        state.failing = failing;
        state.shown = true;
        replace(
            ui.state,
            failing
                ? h(
                      'div',
                      {class: 'notice trouble'},
                      h(
                          'h2',
                          {},
                          journal.failing ? 'The journal can’t write' : 'The store is away'
                      ),
                      h('p', {}, failing),
                      journal.failing
                          ? null
                          : h(
                                'p',
                                {class: 'muted'},
                                'Events are still taken and answers go on: they wait in the journal.'
                            )
                  )
                : null
        );
        if (failing) announce(failing);
    }
    const hits = profiles ? profiles.hits + profiles.misses : 0;
    replace(
        ui.top,
        tiles('State', [
            tile('Up', duration(status.uptime_s), `palate ${status.version}`),
            tile(
                'Requests',
                compact(samples.at(-1).requests),
                `${compact(rates('requests').at(-1) || 0)} per second`
            ),
            tile(
                'Model',
                model && model.version ? `version ${model.version}` : 'none yet',
                model && model.loaded_at ? `since ${moment(model.loaded_at)}` : null
            ),
            tile('Catalog', compact(catalog.items), `${compact(catalog.available)} available`),
            tile(
                'Journal',
                `${compact(journal.pending)} waiting`,
                `${bytes(journal.bytes)} in ${plural(journal.segments, 'file')}`
            ),
            tile(
                'Profiles',
                compact(profiles.count),
                bytes(profiles.bytes) +
                    (hits ? `, ${percent(profiles.hits / hits, 0)} found` : '')
            ),
            tile('Memory', bytes(status.memory_bytes))
        ])
    );
    for (const [figure, values] of ui.live) {
        redraw(figure, chart => {
            chart.data.labels = times();
            chart.data.datasets[0].data = values();
        });
    }
    keepScroll(ui.tables, () =>
        replace(
            ui.tables,
            routes(status.routes),
            shares('Events by type', 'Type', 'Events', status.events_by_type),
            shares('Recommended by source', 'Source', 'Items', status.served_by_source, sourceName)
        )
    );
}

/* Tables are made anew each time: the focus and how far they were scrolled stay. */
function keepScroll(holder, change) {
    const boxes = () => [...holder.querySelectorAll('.table')];
    const before = boxes().map(box => [box.scrollLeft, box.scrollTop]);
    const focused = boxes().indexOf(document.activeElement);
    change();
    boxes().forEach((box, i) => {
        if (before[i]) [box.scrollLeft, box.scrollTop] = before[i];
    });
    if (focused >= 0 && boxes()[focused]) boxes()[focused].focus({preventScroll: true});
}

function routes(list) {
    const used = list.filter(route => route.requests).sort((a, b) => b.requests - a.requests);
    return h(
        'section',
        {class: 'panel wide', 'aria-labelledby': 'routes'},
        h('h2', {id: 'routes'}, 'By route'),
        used.length
            ? table(
                  'Requests by route',
                  ['Route', 'Requests', 'Errors', 'Half within', '99 % within', 'Mean'],
                  used.map(route => [
                      h('code', {}, h('b', {class: 'method'}, route.method), ' ', route.route),
                      count(route.requests),
                      route.errors ? h('b', {class: 'bad'}, count(route.errors)) : '0',
                      millis(route.p50_ms),
                      millis(route.p99_ms),
                      millis(route.mean_ms)
                  ]),
                  [1, 2, 3, 4, 5]
              )
            : h('p', {class: 'muted'}, 'Nothing was asked yet.')
    );
}

/* Names with numbers, as bars in a table. */
function shares(title, name, what, numbers, naming) {
    const list = Object.entries(numbers || {})
        .filter(([, n]) => n)
        .sort((a, b) => b[1] - a[1]);
    const most = list.length ? list[0][1] : 1;
    const bar = n => {
        const box = h('span', {class: 'bar', 'aria-hidden': 'true'});
        box.style.setProperty('--share', `${(100 * n) / most}%`);
        return box;
    };
    return h(
        'section',
        {class: 'panel'},
        h('h2', {}, title),
        list.length
            ? table(
                  title,
                  [name, what, 'Share'],
                  list.map(([key, n]) => [naming ? naming(key) : key, count(n), bar(n)]),
                  [1]
              )
            : h('p', {class: 'muted'}, 'None since the server began.')
    );
}
