/* Models: the versions there are, the learning loop with its runs, and simulations. */
import {connection, get, post} from './api.js';
import {axis, chartFigure, dropCharts, seriesColour} from './charts.js';
import {
    ago,
    announce,
    bytes,
    count,
    decimal,
    duration,
    h,
    moment,
    percent,
    plural,
    replace
} from './dom.js';
import {comparison} from './compare.js';
import {busy, table, trouble} from './parts.js';
import {runList} from './runs.js';

const BUSY_MS = 700,
    IDLE_MS = 5000,
    FEW = 4; /* versions shown before somebody asks for all */

export default function models(place) {
    const ui = {
        loop: h('div', {}, busy('Asking…')),
        versions: h('div', {}, busy('Asking…')),
        trained: h('div', {}),
        compared: comparison(),
        runs: runList(),
        simulations: h('div', {class: 'panels'}),
        message: h('div', {'aria-live': 'polite'})
    };
    const state = {closed: false, timer: 0, running: null, seen: null};
    replace(
        place,
        h(
            'div',
            {class: 'head'},
            h(
                'div',
                {},
                h('h1', {tabindex: '-1'}, 'Models'),
                h(
                    'p',
                    {class: 'under'},
                    'Trained beside the server, measured on what was held out, published only when not worse.'
                )
            )
        ),
        ui.message,
        h(
            'section',
            {class: 'panel', 'aria-labelledby': 'loop'},
            h('h2', {id: 'loop'}, 'Learning'),
            ui.loop,
            ui.trained
        ),
        h(
            'section',
            {'aria-labelledby': 'versions'},
            h('h2', {id: 'versions'}, 'Versions'),
            ui.versions
        ),
        h(
            'section',
            {'aria-labelledby': 'comparison'},
            h('h2', {id: 'comparison', tabindex: '-1'}, 'How models compare'),
            ui.compared.element
        ),
        h('section', {'aria-labelledby': 'runs'}, h('h2', {id: 'runs'}, 'Runs'), ui.runs.element),
        h(
            'section',
            {'aria-labelledby': 'simulations'},
            h('h2', {id: 'simulations'}, 'Simulations'),
            ui.simulations
        )
    );
    const again = () => {
        showVersions(state, ui);
        ui.runs.show();
        showSimulations(state, ui);
        clearTimeout(state.timer);
        follow(state, ui);
    };
    connection.addEventListener('back', again);
    again();
    return () => {
        state.closed = true;
        clearTimeout(state.timer);
        connection.removeEventListener('back', again);
        dropCharts();
    };
}

/* ---- The loop ---- */

async function follow(state, ui) {
    let train;
    try {
        train = document.hidden ? null : await get('/v1/train');
    } catch (problem) {
        if (!state.closed)
            replace(
                ui.loop,
                trouble(problem, () => follow(state, ui))
            );
        return;
    }
    if (state.closed) return;
    if (train) {
        showLoop(state, ui, train);
        const text = JSON.stringify(train.runs);
        if (text !== state.seen) {
            state.seen = text;
            showTrained(ui, train.runs);
        }
        const running = train.state === 'running';
        if (state.running && !running) ended(state, ui, train.runs[0]);
        state.running = running;
    }
    state.timer = setTimeout(() => follow(state, ui), state.running ? BUSY_MS : IDLE_MS);
}

function ended(state, ui, run) {
    announce(`Training has ended: ${verdict(run)}.`);
    showVersions(state, ui);
    ui.runs.show();
}

function showLoop(state, ui, train) {
    const run = train.runs[0],
        running = train.state === 'running' && run;
    const hadFocus = ui.loop.contains(document.activeElement);
    if (!ui.button) {
        ui.button = h(
            'button',
            {type: 'button', class: 'primary', onclick: () => start(state, ui)},
            'Train now'
        );
        ui.bar = h('progress', {max: 1, 'aria-labelledby': 'stage'});
        ui.stage = h('p', {id: 'stage', class: 'stage'});
        ui.last = h('p', {class: 'muted'});
    }
    if (!ui.loop.contains(ui.button))
        replace(
            ui.loop,
            h(
                'div',
                {class: 'loop'},
                ui.button,
                h('div', {class: 'loop-state'}, ui.stage, ui.bar, ui.last)
            )
        );
    ui.button.setAttribute('aria-disabled', running ? 'true' : 'false');
    ui.bar.hidden = !running;
    if (running) {
        if (run.share === null || run.share < 0) ui.bar.removeAttribute('value');
        else ui.bar.value = run.share;
        ui.stage.textContent =
            `Run ${run.run}: ${run.stage || 'starting'}${run.model ? ` ${run.model}` : ''}` +
            (run.share === null || run.share < 0 ? '' : ` · ${Math.round(100 * run.share)} %`);
        ui.last.textContent = `began ${ago(run.began_at)}${run.events ? ` · ${count(run.events)} events` : ''}`;
    } else {
        ui.stage.textContent = run
            ? `Run ${run.run}: ${verdict(run)}`
            : 'Nothing was trained since the server began.';
        ui.last.textContent = [
            run && run.ended_at ? `ended ${ago(run.ended_at)}` : '',
            train.next_at ? `the next begins ${moment(train.next_at)}` : 'none is planned'
        ]
            .filter(Boolean)
            .join(' · ');
    }
    if (hadFocus) ui.button.focus();
}

async function start(state, ui) {
    if (ui.button.getAttribute('aria-disabled') === 'true') return;
    ui.button.setAttribute('aria-disabled', 'true');
    try {
        const {run} = await post('/v1/train');
        announce(`Training run ${run} has begun.`);
        replace(ui.message);
        state.running = true;
    } catch (problem) {
        if (problem.code !== 'already_training') replace(ui.message, trouble(problem));
    }
    clearTimeout(state.timer);
    follow(state, ui);
}

const OUTCOMES = {
    running: 'running',
    published: 'published',
    held_back: 'held back',
    failed: 'failed',
    stopped: 'stopped'
};

function verdict(run) {
    const what = OUTCOMES[run.outcome] || run.outcome;
    const version = run.version ? ` as version ${run.version}` : '';
    const why = grounds(run.metric_name, run.metric, run.live_metric, run.message);
    return `${what}${version}${why ? `: ${why}` : ''}`;
}

/* What was measured, and the message; that alone where it says the same. */
function grounds(metric, value, live, message) {
    if (!metric || !Number.isFinite(value) || (message || '').includes(metric))
        return message || '';
    const against = Number.isFinite(live) ? ` against ${decimal(live)}` : '';
    return `${metric} ${decimal(value)}${against}${message ? `; ${message}` : ''}`;
}

/* What the loop did since the server began; the list of all runs has them too, for good. */
function showTrained(ui, runs) {
    if (!runs.length) {
        replace(ui.trained);
        return;
    }
    const open = Boolean(ui.trained.querySelector('details[open]'));
    replace(
        ui.trained,
        h(
            'details',
            {class: 'numbers', open},
            h('summary', {}, `${plural(runs.length, 'training')} since the server began`),
            trainedTable(runs)
        )
    );
}

function trainedTable(runs) {
    return table(
        'Trainings since the server began',
        [
            'Run',
            'Began',
            'By',
            'Outcome',
            'Version',
            'Metric',
            'Live then',
            'Events',
            'Took',
            'Memory'
        ],
        runs.map(run => [
            String(run.run),
            h(
                'time',
                {datetime: new Date(run.began_at).toISOString(), title: moment(run.began_at)},
                ago(run.began_at)
            ),
            run.cause,
            h(
                'span',
                {class: `outcome ${run.outcome}`, title: run.message || null},
                OUTCOMES[run.outcome] || run.outcome
            ),
            run.version ? String(run.version) : '–',
            run.metric === null ? '–' : `${run.metric_name} ${decimal(run.metric)}`,
            decimal(run.live_metric),
            count(run.events),
            run.ended_at ? duration((run.ended_at - run.began_at) / 1000) : '…',
            run.peak_bytes ? bytes(run.peak_bytes) : '–'
        ]),
        [5, 6, 7, 8, 9]
    );
}

/* ---- Versions ---- */

async function showVersions(state, ui) {
    let answer;
    try {
        answer = await get('/v1/models');
    } catch (problem) {
        if (!state.closed)
            replace(
                ui.versions,
                trouble(problem, () => showVersions(state, ui))
            );
        return;
    }
    if (state.closed) return;
    ui.compared.show(answer.versions);
    replace(
        ui.versions,
        answer.versions.length
            ? versionPanels(state, ui, answer.versions)
            : h(
                  'div',
                  {class: 'notice'},
                  h('h3', {}, 'No model yet'),
                  h(
                      'p',
                      {},
                      'The wall works without: by likeness of categories and by what gets liked. Press “Train now” once there are some events.'
                  )
              )
    );
}

/* The newest ones and the live one, and a way to the rest. */
function versionPanels(state, ui, versions) {
    const shown = versions.filter((each, i) => i < FEW || each.live || state.all);
    const more = h(
        'button',
        {
            type: 'button',
            class: 'quiet',
            onclick: () => {
                state.all = true;
                replace(ui.versions, versionPanels(state, ui, versions));
                const next = ui.versions.querySelectorAll('.version')[FEW];
                next.tabIndex = -1;
                next.focus();
            }
        },
        `Show all ${count(versions.length)} versions`
    );
    return [
        h(
            'div',
            {class: 'versions'},
            shown.map(version => versionPanel(state, ui, version))
        ),
        shown.length < versions.length ? h('div', {class: 'more-row'}, more) : null
    ];
}

function versionPanel(state, ui, version) {
    const metrics = [...new Set(version.models.flatMap(model => Object.keys(model.metrics || {})))];
    const button = version.live
        ? null
        : h(
              'button',
              {
                  type: 'button',
                  class: 'quiet activate',
                  'aria-label': `Activate version ${version.version}`,
                  onclick: () => activate(state, ui, version.version)
              },
              'Activate'
          );
    return h(
        'article',
        {
            class: `panel version${version.live ? ' live' : ''}`,
            'aria-label': `Version ${version.version}`
        },
        h(
            'header',
            {class: 'version-head'},
            h('h3', {}, `Version ${version.version}`),
            version.live
                ? h(
                      'span',
                      {class: 'live-mark'},
                      version.loaded === false ? 'live, not loaded' : 'live'
                  )
                : null,
            h('div', {class: 'version-acts'}, figuresButton(ui, version), button)
        ),
        h(
            'p',
            {class: 'muted'},
            [
                version.created_at ? moment(version.created_at) : '',
                version.data,
                version.interactions ? `${count(version.interactions)} interactions` : '',
                version.items ? `${count(version.items)} items` : '',
                version.split ? `split ${version.split}` : ''
            ]
                .filter(Boolean)
                .join(' · ')
        ),
        gateText(version.gate),
        version.models.length
            ? table(
                  `Models of version ${version.version}`,
                  ['Model', ...metrics, 'Took', 'Options'],
                  version.models.map(model => [
                      h('b', {}, model.model),
                      ...metrics.map(name => metricCell(version, model, name)),
                      duration(model.train_seconds),
                      h('span', {class: 'options'}, optionText(model.options))
                  ]),
                  [...metrics.map((_, i) => i + 1), metrics.length + 1]
              )
            : null
    );
}

function figuresButton(ui, version) {
    return h(
        'button',
        {
            type: 'button',
            class: 'quiet figures-of',
            'aria-label': `Figures of version ${version.version}`,
            onclick: () => {
                ui.compared.choose(version.version);
                document.getElementById('comparison').focus();
            }
        },
        'Figures'
    );
}

/* A number; the best of its column in bold. */
function metricCell(version, model, name) {
    const value = (model.metrics || {})[name];
    const best = Math.max(
        ...version.models.map(each => (each.metrics || {})[name]).filter(Number.isFinite)
    );
    return h(version.models.length > 1 && value === best ? 'b' : 'span', {}, decimal(value));
}

/* What the gate decided, and on what grounds. */
function gateText(gate) {
    if (!gate) return null;
    const good = gate.published !== false;
    const why = grounds(gate.metric, gate.value, gate.live_value, gate.message);
    return h(
        'p',
        {class: `gate ${good ? 'good' : 'bad'}`},
        h('b', {}, good ? 'Passed the gate' : 'Held back by the gate'),
        why ? `: ${why}` : ''
    );
}

function optionText(options) {
    const words = Object.entries(options || {}).map(([name, value]) => {
        const short = typeof value === 'number' ? Number(value.toPrecision(4)) : value;
        return `${name} ${typeof short === 'object' ? JSON.stringify(short) : short}`;
    });
    return words.join(', ') || '–';
}

async function activate(state, ui, version) {
    try {
        await post(`/v1/models/${version}/activate`);
        announce(`Version ${version} is live.`);
        replace(ui.message);
        await showVersions(state, ui);
        const heading = document.getElementById('versions');
        heading.tabIndex = -1;
        heading.focus();
    } catch (problem) {
        replace(ui.message, trouble(problem));
    }
}

/* ---- Simulations ---- */

const LOOKS = {palate: 0, oracle: 2, random: 3, popular: 1};

async function showSimulations(state, ui) {
    let list;
    try {
        list = (await get('/v1/simulations')).simulations;
    } catch (problem) {
        if (!state.closed)
            replace(
                ui.simulations,
                trouble(problem, () => showSimulations(state, ui))
            );
        return;
    }
    if (state.closed) return;
    dropCharts(ui.simulations);
    replace(
        ui.simulations,
        list.length
            ? list.slice(0, 6).map(simulation)
            : h(
                  'div',
                  {class: 'notice wide'},
                  h(
                      'p',
                      {},
                      'None was run against this server. A world with hidden tastes asks and clicks, and reports the share of likes: '
                  ),
                  h(
                      'pre',
                      {tabindex: '0', 'aria-label': 'The command'},
                      h('code', {}, `palate simulate --url ${location.origin}`)
                  )
              )
    );
}

function simulation(report) {
    const names = Object.keys(report.series);
    const last = names
        .map(name => `${name} ${percent(report.series[name].findLast(Number.isFinite), 0)}`)
        .join(', ');
    return chartFigure({
        title: `${report.world || 'A world'}, ${moment(report.at)}`,
        says:
            `Share of likes by round${report.users ? `, ${plural(report.users, 'user')}` : ''}` +
            `${report.items ? `, ${plural(report.items, 'item')}` : ''}; at the end ${last}.`,
        wide: true,
        level: 3,
        numbers: {
            head: ['Round', ...names],
            rows: report.rounds.map((round, i) => [
                String(round),
                ...names.map(name => percent(report.series[name][i]))
            ])
        },
        make: () => ({
            type: 'line',
            data: {
                labels: report.rounds,
                datasets: names.map((name, i) => ({
                    label: name,
                    data: report.series[name].map(share => (share === null ? null : 100 * share)),
                    borderColor: seriesColour(LOOKS[name] ?? i),
                    backgroundColor: seriesColour(LOOKS[name] ?? i),
                    borderWidth: name === 'palate' ? 3 : 2,
                    pointRadius: 0,
                    tension: 0.25,
                    borderDash: name === 'oracle' ? [6, 4] : []
                }))
            },
            options: {
                scales: {
                    x: axis('round', {grid: {display: false}}),
                    y: axis('% liked', {beginAtZero: true, suggestedMax: 100})
                }
            }
        })
    });
}
