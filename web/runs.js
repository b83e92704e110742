/* Runs: what was trained, tuned and evaluated with this folder of models, how it went and how it
 * ended, from the list that the folder keeps. */
import {get} from './api.js';
import {dropCharts, figure} from './charts.js';
import {ago, announce, bytes, count, day, decimal, duration, h, moment, replace} from './dom.js';
import {busy, table, trouble} from './parts.js';

const FEW = 50,
    MANY = 1000,
    CHARTS = 8,
    SIZES = ['users', 'items', 'interactions'];

/* What a model tells of itself while it learns. */
const STEPS = {
    change: 'How far each epoch moved the items’ vectors: less and less, as training settles.',
    held_out_ndcg:
        'NDCG@10 on lists that were held out from training, after each tree. What is kept ends at the highest.',
    held_out_loss:
        'The logistic loss on lists that were held out from training, after each tree. What is kept ends at the lowest.'
};

/* The section's content; show() brings it up to date. */
export function runList() {
    const state = {most: FEW, open: null, seen: ''};
    const ui = {
        time: h('div', {class: 'panels'}),
        list: h('div', {}, busy('Asking…')),
        detail: h('div', {id: 'run-detail'})
    };

    async function show() {
        let runs;
        try {
            runs = (await get('/v1/runs', {n: state.most})).runs;
        } catch (problem) {
            replace(ui.list, trouble(problem, show));
            return;
        }
        const text = JSON.stringify(runs);
        if (text === state.seen) return;
        state.seen = text;
        dropCharts(ui.time);
        replace(ui.time, overTime(runs));
        replace(ui.list, runs.length ? listed(runs) : nothing());
    }

    function listed(runs) {
        const older = h(
            'button',
            {
                type: 'button',
                class: 'quiet',
                onclick: async () => {
                    state.most = MANY;
                    await show();
                    announce('Older runs are shown.');
                    ui.list.querySelector('.table').focus();
                }
            },
            'Show older runs'
        );
        return [
            table(
                'All runs',
                ['Run', 'Began', 'Ended', 'Took', 'Measured', 'Best', 'Memory'],
                runs.map(run => row(run)),
                [3, 6]
            ),
            runs.length === state.most && state.most < MANY ? older : null
        ];
    }

    function row(run) {
        const {metrics} = run;
        const open = h(
            'button',
            {
                type: 'button',
                class: 'link',
                'aria-expanded': String(run.run === state.open),
                'aria-controls': 'run-detail',
                'data-run': run.run,
                onclick: () => toggle(run)
            },
            run.name || run.command || run.run || 'a run'
        );
        return [
            open,
            run.began_at === null
                ? '–'
                : h(
                      'time',
                      {
                          datetime: new Date(run.began_at).toISOString(),
                          title: moment(run.began_at)
                      },
                      ago(run.began_at)
                  ),
            ended(run),
            took(run),
            measured(run) || '–',
            run.tags['palate.best'] || '–',
            bytes(number(metrics.peak_rss_bytes))
        ];
    }

    async function toggle(run) {
        const closing = state.open === run.run;
        state.open = closing ? null : run.run;
        for (const each of ui.list.querySelectorAll('[data-run]'))
            each.setAttribute('aria-expanded', String(each.dataset.run === state.open));
        dropCharts(ui.detail);
        replace(ui.detail);
        if (closing) return;
        try {
            const inner = (await get('/v1/runs', {parent: run.run, n: MANY})).runs;
            if (state.open !== run.run) return;
            replace(ui.detail, detail(run, inner.reverse()));
            ui.detail.querySelector('h3').focus();
        } catch (problem) {
            replace(ui.detail, trouble(problem));
        }
    }

    return {element: h('div', {}, ui.list, ui.detail, ui.time), show};
}

function nothing() {
    return h(
        'p',
        {class: 'muted'},
        'None yet: what is trained, tuned and evaluated with this folder of models is written down here.'
    );
}

/* What a line by hand may hold instead is nothing. */
function number(x) {
    return Number.isFinite(x) ? x : null;
}

function took({began_at: began, ended_at: end}) {
    return began === null || end === null ? '–' : duration((end - began) / 1000);
}

/* With what became of a version that was trained. */
function ended({status, message, tags}) {
    const good = status === 'finished';
    const outcome = tags['palate.outcome'];
    const held = outcome === 'held back';
    return h(
        'span',
        {
            class: `outcome ${held ? 'held_back' : good ? 'published' : 'failed'}`,
            title: message || tags['palate.gate']
        },
        [status || '–', outcome].filter(Boolean).join(', '),
        message && !good ? h('small', {class: 'why-not'}, message) : null
    );
}

function measured({metrics, tags}) {
    const name = tags['palate.metric'];
    return name && Number.isFinite(metrics[name]) ? `${name} ${decimal(metrics[name])}` : null;
}

/* What one run has in common with those that it may be compared with. */
function terms({params, tags}) {
    return [params.data, params.split, params.part, tags['palate.metric']].join('\n');
}

/* The metric of all runs that were judged like the newest one, oldest first. */
function overTime(runs) {
    const judged = runs.filter(run => measured(run) && run.began_at !== null);
    const alike = judged.filter(run => terms(run) === terms(judged[0])).reverse();
    if (alike.length < 2) return null;
    const [{params, tags}] = alike;
    const name = tags['palate.metric'];
    return figure(
        lineOf({
            id: 'over-time',
            title: 'From run to run',
            says:
                `The best model’s ${name} in each run on ${params.data || 'the same data'} by the ` +
                `split ${params.split || 'of then'}. Data that grow make runs differ, too.`,
            head: 'Run',
            x: '',
            name,
            wide: true,
            labels: alike.map(run => `${day(run.began_at)}, ${run.command}`),
            values: alike.map(run => run.metrics[name])
        }),
        3
    );
}

/* One series over labels, as figure() takes it. */
function lineOf({name, values, x, wide = false, ...more}) {
    return {
        kind: 'line',
        wide,
        x,
        y: name,
        log_x: false,
        log_y: false,
        every: 1,
        series: [{name, values, digits: 4, best: -1, drawn: true}],
        ...more
    };
}

/* ---- One run ---- */

function detail(run, inner) {
    const facts = [
        ['Ended', [run.status, run.message].filter(Boolean).join(': ')],
        ['Gate', run.tags['palate.gate']],
        ...Object.entries(run.params).map(([name, text]) => [
            name,
            SIZES.includes(name) ? count(Number(text)) : text
        ]),
        ['Kept', run.artifacts.join(', ')]
    ].filter(([, text]) => text);
    const steps = [run, ...inner].flatMap(progress);
    return h(
        'section',
        {class: 'panel run', 'aria-labelledby': 'run-name'},
        h(
            'h3',
            {id: 'run-name', tabindex: '-1'},
            [run.name || 'A run', run.began_at === null ? '' : moment(run.began_at)]
                .filter(Boolean)
                .join(', ')
        ),
        h(
            'dl',
            {class: 'facts'},
            facts.map(([name, text]) => h('div', {}, h('dt', {}, name), h('dd', {}, text)))
        ),
        inner.length ? innerTable(run, inner) : null,
        steps.length
            ? h('div', {class: 'panels'}, steps.slice(0, CHARTS))
            : h('p', {class: 'muted'}, 'No model of this run told how learning went.'),
        steps.length > CHARTS
            ? h('p', {class: 'muted'}, `And ${count(steps.length - CHARTS)} more like these.`)
            : null
    );
}

/* Its models or trials. */
function innerTable(run, inner) {
    const measures = [
        ...new Set(
            inner.flatMap(each => Object.keys(each.metrics).filter(name => name.includes('@')))
        )
    ];
    return table(
        `Inside ${run.name || 'the run'}`,
        ['Part', 'Ended', ...measures, 'Training', 'Memory', 'Options'],
        inner.map(({name, status, message, metrics, params}) => [
            name || '–',
            h(
                'span',
                {class: `outcome ${status === 'finished' ? '' : 'failed'}`, title: message},
                status || '–'
            ),
            ...measures.map(each => decimal(number(metrics[each]))),
            duration(number(metrics.train_seconds)),
            bytes(number(metrics.peak_rss_bytes)),
            h(
                'span',
                {class: 'options'},
                Object.entries(params)
                    .filter(([option]) => option !== 'model')
                    .map(pair => pair.join(' '))
                    .join(', ') || '–'
            )
        ]),
        measures.map((_, i) => i + 2).concat(measures.length + 2, measures.length + 3)
    );
}

/* A chart for each thing that it told step by step; lists of [step, value]. */
function progress({run, name, steps}) {
    return Object.entries(steps)
        .filter(([, list]) => Array.isArray(list) && list.length > 1 && list.every(Array.isArray))
        .map(([what, list]) =>
            figure(
                lineOf({
                    id: `steps-${run}-${what}`,
                    title: `${name || 'It'}: ${what}`,
                    says: STEPS[what] || `${what}, step by step.`,
                    head: 'Step',
                    x: 'step',
                    name: what,
                    labels: list.map(([step]) => String(step)),
                    values: list.map(([, value]) => value)
                }),
                4
            )
        );
}
