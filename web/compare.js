/* How the models of a version compare: the figures of palate report, from what training measured. */
import {get} from './api.js';
import {dropCharts, figure} from './charts.js';
import {day, h, replace} from './dom.js';
import {busy, trouble} from './parts.js';

const USUAL = 'ndcg@10,recall@10,coverage@10,novelty@10';

/* What may be missing from a comparison, the figure that would show it, and what measures it. */
const ALSO = [
    {id: 'against-coverage', what: 'accuracy against coverage', by: `--metrics ${USUAL}`},
    {id: 'against-novelty', what: 'accuracy against novelty', by: `--metrics ${USUAL}`},
    {id: 'groups', what: 'how good they are by activity of the users', by: '--split time:90/10'}
];

/* The section's content; show(versions) brings it up to date, choose(version) shows that one. */
export function comparison() {
    const state = {versions: [], chosen: 0, shown: ''};
    const body = h('div', {}, busy('Asking…'));
    const select = h('select', {id: 'compared', onchange: () => choose(Number(select.value))});
    const field = h(
        'div',
        {class: 'field compared', hidden: true},
        h('label', {for: 'compared'}, 'Version'),
        select
    );

    function show(versions) {
        state.versions = versions;
        if (!versions.some(each => each.version === state.chosen)) state.chosen = usual(versions);
        replace(select, versions.map(choice));
        select.value = String(state.chosen);
        field.hidden = versions.length < 2;
        load();
    }

    function choose(version) {
        state.chosen = version;
        select.value = String(version);
        load();
    }

    async function load() {
        const version = state.versions.find(each => each.version === state.chosen);
        if (!version) {
            state.shown = '';
            dropCharts(body);
            replace(body, h('p', {class: 'muted'}, 'There is nothing to compare yet.'));
            return;
        }
        let report;
        try {
            report = await get(`/v1/models/${version.version}/report`);
        } catch (problem) {
            state.shown = '';
            dropCharts(body);
            replace(body, trouble(problem, load));
            return;
        }
        /* Asked again when a training ends; what did not change stays, open tables and all. */
        const text = JSON.stringify(report);
        if (report.version !== state.chosen || text === state.shown) return;
        state.shown = text;
        dropCharts(body);
        replace(body, told(report, version));
    }

    return {element: h('div', {}, field, body), show, choose};
}

/* The live one where it was measured, else the newest that was. */
function usual(versions) {
    const measured = versions.filter(each => each.measured);
    const best = measured.find(each => each.live) || measured[0] || versions.find(v => v.live);
    return (best || versions[0] || {version: 0}).version;
}

function choice({version, live, measured, created_at: at}) {
    const words = [
        `${version}`,
        live ? 'live' : '',
        at ? day(at) : '',
        measured ? '' : 'not measured'
    ];
    return h('option', {value: version}, words.filter(Boolean).join(', '));
}

function told({measured, summary, facts, figures}, version) {
    const there = new Set(figures.map(each => each.id));
    const missing = version.models.length > 1 ? ALSO.filter(({id}) => !there.has(id)) : [];
    return [
        measured ? h('p', {class: 'summary'}, summary) : notMeasured(version),
        facts.length
            ? h(
                  'dl',
                  {class: 'facts'},
                  facts.map(({name, text}) => h('div', {}, h('dt', {}, name), h('dd', {}, text)))
              )
            : null,
        h(
            'div',
            {class: 'panels'},
            figures.map(each => figure(each, 3))
        ),
        measured && missing.length
            ? h(
                  'p',
                  {class: 'muted'},
                  `Not measured: ${missing.map(each => each.what).join('; ')}. It would be by `,
                  h('code', {}, `palate train ${[...new Set(missing.map(m => m.by))].join(' ')}`),
                  '.'
              )
            : null
    ];
}

function notMeasured({version, models}) {
    const names = models.map(each => each.model).join(',');
    return h(
        'div',
        {class: 'notice'},
        h('h3', {}, `Version ${version} was not measured`),
        h(
            'p',
            {},
            'Its models were trained on everything that was known; nothing was held out to judge ' +
                'them by. This measures, then trains on everything:'
        ),
        h(
            'pre',
            {tabindex: '0', 'aria-label': 'The command'},
            h(
                'code',
                {},
                `palate train --data DATA --model ${names || 'als'} --split time:90/10 \\\n` +
                    `    --metrics ${USUAL}`
            )
        )
    );
}
