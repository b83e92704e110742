/* Browse: the catalog by words, categories and filter, a page at a time as one scrolls. Of a long
 * list only what is near the window is laid out and painted (views.css). */
import {connection, get, Problem} from './api.js';
import {card, focusCard, setCurrent, showVerdict, walkable} from './card.js';
import {announce, count, h, replace} from './dom.js';
import {busy, emptyCatalog, filterField, searchField, trouble, waiting} from './parts.js';
import {latestEvents, remember} from './taste.js';

const PAGE = 48,
    CHIPS = 24;
let categories = null;
/* What was shown last, for coming back from an item. */
let last = null;

export default function browse(place, {query}) {
    const state = {
        search: query.get('search') || '',
        filter: query.get('filter') || '',
        chosen: new Set(query.getAll('category')),
        next: null,
        items: [],
        turn: 0,
        closed: false,
        loading: false
    };
    const ui = {
        under: h('p', {class: 'under', role: 'status'}),
        message: h('div', {}),
        wall: h('ul', {class: 'wall long', 'aria-labelledby': 'title'}),
        chips: h('ul', {class: 'chips', 'aria-label': 'Categories'}),
        end: h('div', {class: 'more-row'})
    };
    const again = () => {
        keepAddress(state);
        return load(state, ui);
    };
    ui.field = filterField(state.filter, text => {
        state.filter = text;
        again();
    });
    replace(
        place,
        h(
            'div',
            {class: 'head'},
            h('div', {}, h('h1', {id: 'title', tabindex: '-1'}, 'Browse'), ui.under),
            h(
                'div',
                {class: 'head-tools'},
                searchField('Search', state.search, 'Words of a title', text => {
                    state.search = text;
                    again();
                }),
                ui.field
            )
        ),
        ui.chips,
        ui.message,
        ui.wall,
        ui.end
    );
    walkable(ui.wall);
    ui.wall.addEventListener('click', event => {
        if (event.target.closest('.card-open'))
            last = {
                ...state,
                opened: event.target.closest('.card').dataset.id,
                address: location.hash
            };
    });
    ui.more = h(
        'button',
        {type: 'button', class: 'more', onclick: () => more(state, ui)},
        'Show more'
    );
    const watch = new IntersectionObserver(
        seen => {
            if (seen.some(each => each.isIntersecting)) more(state, ui);
        },
        {rootMargin: '900px'}
    );
    watch.observe(ui.end);
    const onBack = () => {
        if (!state.items.length) load(state, ui);
    };
    connection.addEventListener('back', onBack);

    showChips(state, ui, again);
    if (last && last.address === location.hash && last.items.length) resume(state, ui);
    else load(state, ui);
    latestEvents(200).then(
        () => {
            for (const each of ui.wall.querySelectorAll('.card'))
                showVerdict(each, each.dataset.id);
        },
        () => {}
    );
    return () => {
        state.closed = true;
        watch.disconnect();
        connection.removeEventListener('back', onBack);
    };
}

function resume(state, ui) {
    const {items, next, opened, total} = last;
    Object.assign(state, {items: [], next, total});
    last = null;
    add(state, ui, items);
    finish(state, ui);
    focusCard([...ui.wall.children].find(each => each.dataset.id === opened));
}

/* The search is in the address: it can be bookmarked, and the way back leads to it. */
function keepAddress(state) {
    const query = new URLSearchParams();
    if (state.search) query.set('search', state.search);
    if (state.filter) query.set('filter', state.filter);
    for (const name of state.chosen) query.append('category', name);
    const text = query.toString();
    history.replaceState(null, '', '#/browse' + (text ? '?' + text : ''));
}

function wholeFilter(state) {
    const parts = [...state.chosen].map(name => `categories has ${JSON.stringify(name)}`);
    if (state.filter) parts.push(parts.length ? `(${state.filter})` : state.filter);
    return parts.join(' and ');
}

function asksForSome(state) {
    return Boolean(state.search || state.chosen.size || state.filter);
}

async function load(state, ui) {
    const turn = ++state.turn;
    state.next = null;
    state.loading = true;
    if (!ui.wall.children.length) replace(ui.wall, waiting(18));
    ui.wall.setAttribute('aria-busy', 'true');
    try {
        const answer = await get('/v1/items', {
            limit: PAGE,
            search: state.search,
            filter: wholeFilter(state)
        });
        if (turn !== state.turn || state.closed) return;
        ui.field.complain(answer.hint || null);
        replace(ui.wall);
        replace(
            ui.message,
            answer.items.length
                ? null
                : !asksForSome(state)
                  ? emptyCatalog()
                  : h(
                        'div',
                        {class: 'notice'},
                        h('h2', {}, 'Nothing found'),
                        h('p', {}, 'Try fewer words, fewer categories, or an emptier filter.')
                    )
        );
        Object.assign(state, {items: [], total: answer.total, next: answer.next});
        add(state, ui, answer.items);
        finish(state, ui);
        announce(
            answer.total ? `${count(answer.total)} found.` : 'Nothing found.'
        );
    } catch (problem) {
        if (turn === state.turn && !state.closed) complain(state, ui, problem);
    } finally {
        if (turn === state.turn) {
            state.loading = false;
            ui.wall.removeAttribute('aria-busy');
        }
    }
}

/* A filter that can't be read leaves what is shown as it is. */
function complain(state, ui, problem) {
    if (!(problem instanceof Problem)) throw problem;
    replace(ui.end);
    if (problem.status === 400 && state.filter) {
        ui.field.complain(problem.message);
        return;
    }
    state.items = [];
    replace(ui.wall);
    replace(
        ui.message,
        trouble(problem, () => load(state, ui))
    );
}

async function more(state, ui) {
    if (state.loading || !state.next || state.closed) return;
    const turn = state.turn;
    state.loading = true;
    replace(ui.end, busy('More…'));
    try {
        const answer = await get('/v1/items', {
            limit: PAGE,
            search: state.search,
            filter: wholeFilter(state),
            cursor: state.next
        });
        if (turn === state.turn && !state.closed) {
            state.next = answer.next;
            add(state, ui, answer.items);
        }
    } catch (problem) {
        if (turn === state.turn) replace(ui.message, trouble(problem));
    }
    if (turn === state.turn) {
        state.loading = false;
        finish(state, ui);
    }
}

function add(state, ui, items) {
    state.items.push(...remember(items));
    ui.wall.append(...items.map(item => card(item)));
    setCurrent(ui.wall, null);
}

function finish(state, ui) {
    const shown = state.items.length;
    replace(
        ui.end,
        state.next ? ui.more : shown > PAGE ? h('p', {class: 'muted'}, 'That is all.') : null
    );
    replace(
        ui.under,
        state.total === undefined
            ? ''
            : !asksForSome(state)
              ? `${count(state.total)} items`
              : state.total
                ? `${count(shown)} of ${count(state.total)} found`
                : 'none found'
    );
}

async function showChips(state, ui, again) {
    if (!categories || !categories.length) {
        try {
            categories = (await get('/v1/stats')).categories.map(each => each.name).slice(0, CHIPS);
        } catch {
            return; /* without chips; the list itself says what is wrong */
        }
    }
    for (const name of state.chosen) {
        if (!categories.includes(name)) categories = [name, ...categories];
    }
    replace(
        ui.chips,
        categories.map(name =>
            h(
                'li',
                {},
                h(
                    'button',
                    {
                        type: 'button',
                        class: 'chip',
                        'aria-pressed': String(state.chosen.has(name)),
                        onclick: event => {
                            const on = !state.chosen.delete(name);
                            if (on) state.chosen.add(name);
                            event.currentTarget.setAttribute('aria-pressed', String(on));
                            again();
                        }
                    },
                    name
                )
            )
        )
    );
}
