/* Data: what the events look like, from one answer of /v1/stats, whose figures are those of a report. */
import {connection, get} from './api.js';
import {dropCharts, figure, tile, tiles} from './charts.js';
import {compact, day, h, moment, percent, replace} from './dom.js';
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
            stats.figures.map(each => figure(each))
        )
    ];
}
