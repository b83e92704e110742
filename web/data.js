/* Data: what the events look like, from one answer of /v1/stats. */
import {connection, get} from './api.js';
import {axis, chartFigure, dropCharts, seriesColour, tile, tiles} from './charts.js';
import {compact, count, day, h, moment, percent, replace} from './dom.js';
import {busy, emptyCatalog, trouble} from './parts.js';

export default function data(place) {
    const state = {closed: false};
    const body = h('div', {}, busy('Counting…'));
    const under = h('p', {class: 'under'});
    replace(
        place,
        h('div', {class: 'head'}, h('div', {}, h('h1', {tabindex: '-1'}, 'Data'), under)),
        body
    );
    const load = async () => {
        try {
            const stats = await get('/v1/stats');
            if (state.closed) return;
            dropCharts();
            replace(under, stats.as_of ? `As of ${moment(stats.as_of)}` : '');
            replace(body, stats.items || stats.events ? panels(stats) : emptyCatalog());
        } catch (problem) {
            if (!state.closed) replace(body, trouble(problem, load));
        }
    };
    connection.addEventListener('back', load);
    load();
    return () => {
        state.closed = true;
        connection.removeEventListener('back', load);
        dropCharts();
    };
}

function panels(stats) {
    const kinds = Object.entries(stats.types || {}).sort((a, b) => b[1] - a[1]);
    return [
        tiles('Sizes', [
            tile('Users', compact(stats.users)),
            tile('Items', compact(stats.items)),
            tile('Events', compact(stats.events)),
            tile('Filled', percent(stats.density, stats.density < 0.001 ? 3 : 2), 'of all pairs'),
            stats.first_at ? tile('From', day(stats.first_at)) : null,
            stats.last_at ? tile('To', day(stats.last_at)) : null
        ]),
        h(
            'div',
            {class: 'panels'},
            (stats.popularity || {}).counts && stats.popularity.counts.length
                ? longTail(stats.popularity)
                : null,
            (stats.activity || {}).counts && stats.activity.counts.length
                ? activity(stats.activity)
                : null,
            ((stats.times || {}).counts || []).length > 1 ? times(stats.times) : null,
            stats.cold ? cold(stats.cold) : null,
            stats.liking ? liking(stats.liking, stats.users) : null,
            kinds.length ? types(kinds) : null,
            (stats.values || []).length > 1 ? ratings(stats.values) : null,
            (stats.categories || []).length ? categories(stats.categories) : null,
            (stats.co_occurrence || {names: []}).names.length > 1
                ? heatMap(stats.co_occurrence)
                : null
        )
    ];
}

function bars({title, says, labels, values, name, across, wide, high, tone = 0, numbers}) {
    return chartFigure({
        title,
        says,
        wide,
        high,
        numbers,
        make: () => ({
            type: 'bar',
            data: {
                labels,
                datasets: [
                    {
                        label: name,
                        data: values,
                        backgroundColor: seriesColour(tone),
                        borderRadius: 3,
                        maxBarThickness: 46
                    }
                ]
            },
            options: {
                indexAxis: across ? 'y' : 'x',
                scales: across
                    ? {
                          x: axis(name, {beginAtZero: true}),
                          y: axis('', {ticks: {autoSkip: false}, grid: {display: false}})
                      }
                    : {x: axis('', {grid: {display: false}}), y: axis(name, {beginAtZero: true})}
            }
        })
    });
}

function longTail({ranks, counts, long_tail_share: share}) {
    const points = ranks
        .map((rank, i) => ({x: rank, y: counts[i]}))
        .filter(point => point.x > 0 && point.y > 0);
    return chartFigure({
        title: 'The long tail',
        says:
            `Events by item, from the most popular on; both scales are logarithmic.` +
            (share === undefined || share === null
                ? ''
                : ` Beyond the most popular fifth of the items lie ${percent(share)} of the events.`),
        numbers: {
            head: ['Rank', 'Events'],
            rows: points.map(point => [count(point.x), count(point.y)])
        },
        make: () => ({
            type: 'line',
            data: {
                datasets: [
                    {
                        label: 'events',
                        data: points,
                        borderColor: seriesColour(0),
                        backgroundColor: seriesColour(0) + '22',
                        fill: 'origin',
                        borderWidth: 2.5,
                        pointRadius: 0,
                        tension: 0.2
                    }
                ]
            },
            options: {
                parsing: false,
                scales: {
                    x: axis('item, by popularity', {
                        type: 'logarithmic',
                        ticks: {callback: powers}
                    }),
                    y: axis('events', {type: 'logarithmic', ticks: {callback: powers}})
                }
            }
        })
    });
}

/* Of a logarithmic scale only 1, 10, 100 … are written. */
function powers(value) {
    return Number.isInteger(Math.log10(value)) ? compact(value) : '';
}

function activity({edges, counts}) {
    const labels = counts.map((_, i) => {
        const low = edges[i],
            high = edges[i + 1] === undefined ? null : edges[i + 1] - 1;
        return high === null
            ? `${compact(low)}+`
            : high <= low
              ? compact(low)
              : `${compact(low)}–${compact(high)}`;
    });
    return bars({
        title: 'How active users are',
        says: 'Users by the number of their events.',
        labels,
        values: counts,
        name: 'users',
        tone: 1,
        numbers: {
            head: ['Events', 'Users'],
            rows: labels.map((label, i) => [label, count(counts[i])])
        }
    });
}

function times({step, from, counts}) {
    const labels = from.map(at => day(at));
    return bars({
        title: 'When it happened',
        says: `Events by ${step}.`,
        labels,
        values: counts,
        name: 'events',
        numbers: {
            head: ['From', 'Events'],
            rows: labels.map((label, i) => [label, count(counts[i])])
        }
    });
}

/* "2–4", from where classes begin. */
function classNames(edges) {
    return edges.map((low, i) => {
        const next = edges[i + 1];
        return next === undefined
            ? `${low} or more`
            : next - low > 1
              ? `${low}–${next - 1}`
              : String(low);
    });
}

function cold({edges, items, users}) {
    const labels = classNames(edges);
    const sum = list => list.reduce((total, n) => total + n, 0) || 1;
    const few = items.reduce((total, n, i) => total + (edges[i] < 5 ? n : 0), 0) / sum(items);
    return chartFigure({
        title: 'Cold start',
        says:
            'Items and users by how many events they have, in percent. ' +
            `${percent(few)} of the items have fewer than five.`,
        numbers: {
            head: ['Events', 'Items', 'Users'],
            rows: labels.map((label, i) => [label, count(items[i]), count(users[i])])
        },
        make: () => ({
            type: 'bar',
            data: {
                labels,
                datasets: [items, users].map((list, n) => ({
                    label: n ? 'users' : 'items',
                    data: list.map(each => (100 * each) / sum(list)),
                    backgroundColor: seriesColour(n),
                    borderRadius: 3,
                    maxBarThickness: 46
                }))
            },
            options: {
                scales: {
                    x: axis('events', {grid: {display: false}}),
                    y: axis('%', {beginAtZero: true})
                }
            }
        })
    });
}

function liking({at_least: bounds, users}, all) {
    const labels = bounds.map(bound => `${bound} or more`);
    return bars({
        title: 'Who said enough to go by content',
        says:
            'Users by how many different items they liked. A profile of categories wants about ' +
            `five: ${percent(all ? users[2] / all : 0)} have them.`,
        labels,
        values: users,
        name: 'users',
        tone: 4,
        numbers: {
            head: ['Liked items', 'Users'],
            rows: labels.map((label, i) => [label, count(users[i])])
        }
    });
}

function types(kinds) {
    return bars({
        title: 'What was done',
        says: `Events by type: mostly ${kinds[0][0]}.`,
        labels: kinds.map(kind => kind[0]),
        values: kinds.map(kind => kind[1]),
        name: 'events',
        across: true,
        tone: 2,
        numbers: {head: ['Type', 'Events'], rows: kinds.map(([name, n]) => [name, count(n)])}
    });
}

function ratings(values) {
    const list = [...values].sort((a, b) => a.value - b.value);
    return bars({
        title: 'Ratings',
        says: 'Events by their value.',
        labels: list.map(each => String(each.value)),
        values: list.map(each => each.count),
        name: 'events',
        tone: 3,
        numbers: {
            head: ['Value', 'Events'],
            rows: list.map(each => [String(each.value), count(each.count)])
        }
    });
}

function categories(all) {
    const list = all.slice(0, 18);
    return chartFigure({
        title: 'Categories',
        says: 'How much of the catalog and of the events each has, in percent.',
        high: true,
        numbers: {
            head: ['Category', 'Items', 'Events'],
            rows: all.map(each => [each.name, count(each.items), count(each.events)])
        },
        make: () => ({
            type: 'bar',
            data: {
                labels: list.map(each => each.name),
                datasets: ['items', 'events'].map((what, i) => {
                    const sum = all.reduce((total, each) => total + (each[what] || 0), 0) || 1;
                    return {
                        label: what,
                        data: list.map(each => (100 * (each[what] || 0)) / sum),
                        backgroundColor: seriesColour(i),
                        borderRadius: 2
                    };
                })
            },
            options: {
                indexAxis: 'y',
                scales: {
                    x: axis('% of all', {beginAtZero: true}),
                    y: axis('', {ticks: {autoSkip: false}, grid: {display: false}})
                }
            }
        })
    });
}

/* A table whose cells are coloured: which categories go together. */
function heatMap({names, counts}) {
    const most = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => i !== j)));
    const cell = (n, i, j) => {
        const box = h(
            'td',
            {
                title:
                    i === j
                        ? `${names[i]}: ${count(n)} items`
                        : `${names[i]} and ${names[j]}: ${plainItems(n)}`,
                class: i === j ? 'diagonal' : null
            },
            count(n)
        );
        const strength = i === j ? 0 : Math.sqrt(n / most);
        box.style.setProperty('--heat', `${Math.round(100 * strength)}%`);
        return box;
    };
    return h(
        'figure',
        {class: names.length > 13 ? 'panel wide' : 'panel'},
        h(
            'figcaption',
            {},
            h('h2', {}, 'Which categories go together'),
            h(
                'p',
                {class: 'muted'},
                'Items that have both. The diagonal counts items that have the category at all.'
            )
        ),
        h(
            'div',
            {
                class: 'table heat',
                tabindex: '0',
                role: 'region',
                'aria-label': 'Categories by categories'
            },
            h(
                'table',
                {},
                h('caption', {class: 'unseen'}, 'Items by pairs of categories'),
                h(
                    'thead',
                    {},
                    h(
                        'tr',
                        {},
                        h('td', {}),
                        names.map(name => h('th', {scope: 'col'}, h('span', {}, name)))
                    )
                ),
                h(
                    'tbody',
                    {},
                    counts.map((row, i) =>
                        h(
                            'tr',
                            {},
                            h('th', {scope: 'row'}, names[i]),
                            row.map((n, j) => cell(n, i, j))
                        )
                    )
                )
            )
        )
    );
}

function plainItems(n) {
    return `${count(n)} ${n === 1 ? 'item' : 'items'}`;
}
