/* For you: the wall. Every like or dislike is sent, the wall is asked for again, and the cards walk
 * to their new places. */
import {connection, get, segment, Problem} from './api.js';
import {
    card,
    focusCard,
    itemAddress,
    picture,
    send,
    setCurrent,
    showVerdict,
    walkable
} from './card.js';
import {ago, announce, calm, h, icon, replace} from './dom.js';
import {emptyCatalog, filterField, trouble, waiting} from './parts.js';
import {changes, currentUser, latestEvents, lookUp, naming, remember, verdictOn} from './taste.js';

const PAGE = 24,
    LATELY = 14;
/* What was shown last, so that coming back from an item finds the wall as it was. */
let last = null;

export default function you(place) {
    const state = {
        answer: null,
        turn: 0,
        n: PAGE,
        filter: last ? last.filter : '',
        closed: false,
        opened: last && last.opened
    };
    const under = h('p', {class: 'under'});
    const wall = h('ul', {class: 'wall', 'aria-labelledby': 'title', 'aria-describedby': 'keys'});
    const field = filterField(state.filter, text => {
        state.filter = text;
        return load(state, ui);
    });
    const ui = {
        under,
        wall,
        field,
        message: h('div', {}),
        lately: h('ul', {class: 'lately-list'}),
        more: h(
            'button',
            {
                type: 'button',
                class: 'more',
                hidden: true,
                onclick: () => {
                    state.n += PAGE;
                    load(state, ui);
                }
            },
            'Show more'
        )
    };
    ui.latelyPart = h(
        'section',
        {class: 'lately', 'aria-labelledby': 'lately', hidden: true},
        h('h2', {id: 'lately'}, 'What you did lately'),
        ui.lately
    );
    replace(
        place,
        h(
            'div',
            {class: 'head'},
            h('div', {}, h('h1', {id: 'title', tabindex: '-1'}, 'For you'), under),
            h(
                'div',
                {class: 'head-tools'},
                field,
                h(
                    'button',
                    {type: 'button', class: 'quiet', onclick: () => load(state, ui)},
                    icon('again'),
                    h('span', {}, 'Ask again')
                )
            )
        ),
        h(
            'p',
            {class: 'keys', id: 'keys'},
            'Arrow keys walk the wall, ',
            h('kbd', {}, 'L'),
            ' likes, ',
            h('kbd', {}, 'D'),
            ' dislikes, ',
            h('kbd', {}, 'Enter'),
            ' opens.'
        ),
        ui.message,
        wall,
        h('div', {class: 'more-row'}, ui.more),
        ui.latelyPart
    );
    walkable(wall);
    wall.addEventListener('click', event => {
        const link = event.target.closest('.card-open');
        if (link) state.opened = link.closest('.card').dataset.id;
    });

    const onUser = () => {
        state.n = PAGE;
        last = null;
        state.answer = null;
        load(state, ui, {fresh: true});
        showLately(state, ui);
    };
    const onActed = () => {
        load(state, ui);
        showLately(state, ui);
    };
    const onBack = () => load(state, ui);
    changes.addEventListener('user', onUser);
    changes.addEventListener('acted', onActed);
    connection.addEventListener('back', onBack);

    const kept = last && last.user === currentUser() ? last : null;
    if (kept) resume(state, ui);
    if (!kept || kept.stale) load(state, ui, {fresh: !kept});
    showLately(state, ui);

    return () => {
        state.closed = true;
        changes.removeEventListener('user', onUser);
        changes.removeEventListener('acted', onActed);
        connection.removeEventListener('back', onBack);
        if (state.answer)
            last = {
                user: currentUser(),
                answer: state.answer,
                n: state.n,
                filter: state.filter,
                opened: state.opened,
                stale: ui.wall.hasAttribute('aria-busy')
            };
    };
}

/* Something done elsewhere makes the kept wall stale. */
changes.addEventListener('acted', () => {
    if (last) last.stale = true;
});

function resume(state, ui) {
    state.answer = last.answer;
    state.n = last.n;
    show(state, ui, last.answer, {still: true});
    const opened = [...ui.wall.children].find(each => each.dataset.id === state.opened);
    state.opened = null;
    if (opened) focusCard(opened);
}

/* Asks and shows; only the answer to the last question counts. */
async function load(state, ui, {fresh} = {}) {
    const turn = ++state.turn;
    if (fresh) replace(ui.wall, waiting(12));
    ui.wall.setAttribute('aria-busy', 'true');
    try {
        const answer = await get(`/v1/users/${segment(currentUser())}/recommendations`, {
            n: state.n,
            explain: 1,
            details: 1,
            filter: state.filter
        });
        if (turn !== state.turn || state.closed) return;
        remember(answer.items);
        const before = state.answer;
        state.answer = answer;
        ui.field.complain(null);
        replace(ui.message);
        show(state, ui, answer);
        if (before && !fresh) tell(answer);
    } catch (problem) {
        if (turn === state.turn && !state.closed) complain(state, ui, problem);
    } finally {
        if (turn === state.turn) ui.wall.removeAttribute('aria-busy');
    }
}

function complain(state, ui, problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 400 && state.filter) {
        ui.field.complain(problem.message);
        return;
    }
    if (!state.answer) replace(ui.wall);
    replace(
        ui.message,
        trouble(problem, () => load(state, ui, {fresh: !state.answer}))
    );
}

function tell(answer) {
    const first = answer.items[0];
    if (!first) return;
    const reason = (first.reasons || [])[0];
    announce(
        `The wall has changed. First is now ${naming(first).title}` +
            (reason ? `, because you liked ${naming(reason).title}.` : '.')
    );
}

function show(state, ui, answer, {still} = {}) {
    describe(ui, answer);
    if (!answer.items.length) {
        replace(ui.wall);
        ui.more.hidden = true;
        nothing(state, ui);
        return;
    }
    const onact = (item, type, button) => {
        const shown = button.closest('.card');
        shown.classList.add('pressed');
        send(item, type, button, state.answer && state.answer.recommendation_id).then(() =>
            shown.classList.remove('pressed')
        );
    };
    arrange(ui.wall, answer.items, item => card(item, {onact, reasons: true}), still || calm());
    ui.more.hidden = answer.items.length < state.n || state.n >= 240;
}

function describe(ui, answer) {
    const model = answer.model_version
        ? `model ${answer.model_version}`
        : 'no model yet: by likeness and the bandit';
    replace(
        ui.under,
        answer.personal
            ? ['Follows every click of ', h('b', {}, currentUser()), ` · ${model}`]
            : [
                  h('b', {}, currentUser()),
                  ' is new here. Like something and watch the wall change',
                  ` · ${model}`
              ]
    );
}

async function nothing(state, ui) {
    const {total} = await get('/v1/items', {limit: 1}).catch(() => ({total: 1}));
    if (state.closed) return;
    replace(
        ui.message,
        total === 0
            ? emptyCatalog()
            : h(
                  'div',
                  {class: 'notice'},
                  h(
                      'h2',
                      {},
                      state.filter ? 'Nothing passes this filter' : 'You have seen everything'
                  ),
                  h(
                      'p',
                      {},
                      state.filter
                          ? 'Loosen the filter above, or empty it. '
                          : 'Every item of the catalog is in your history. Add items, or be someone new. '
                  )
              )
    );
}

/* ---- Cards walk to their places ---- */

/* First, last, invert, play: where each card was, the new order, and a glide between the two. */
function arrange(wall, items, make, still) {
    const old = new Map(
        [...wall.querySelectorAll(':scope > .card:not(.leaving)')].map(each => [
            each.dataset.id,
            each
        ])
    );
    const were = new Map([...old].map(([id, each]) => [id, each.getBoundingClientRect()]));
    const focused = document.activeElement && document.activeElement.closest('.card');
    const focusedAt = focused && wall.contains(focused) ? [...old.values()].indexOf(focused) : -1;
    const stop = focusedAt >= 0 ? document.activeElement.dataset.type : null;
    const cards = items.map(item => renewed(old.get(item.item_id), make(item), stop));
    const kept = new Set(items.map(item => item.item_id));
    const ghosts = still ? [] : leavers(wall, old, were, kept);
    wall.replaceChildren(...cards, ...ghosts);
    if (focusedAt >= 0) refocus(cards, focused.dataset.id, focusedAt);
    setCurrent(
        wall,
        wall.contains(document.activeElement) ? document.activeElement.closest('.card') : null
    );
    if (!still && were.size) glide(cards, were);
}

/* A card made anew; an unchanged picture is taken over, so that it is not drawn again. */
function renewed(before, now) {
    if (!before) return now;
    const [old, fresh] = [before.querySelector('.poster img'), now.querySelector('.poster img')];
    if (old && fresh && old.src === fresh.src) fresh.replaceWith(old);
    return now;
}

/* What is no longer on the wall fades where it stood. */
function leavers(wall, old, were, kept) {
    const frame = wall.getBoundingClientRect();
    return [...old]
        .filter(([id]) => !kept.has(id))
        .map(([id, leaver]) => {
            const was = were.get(id);
            leaver.classList.add('leaving');
            leaver.setAttribute('aria-hidden', 'true');
            leaver.inert = true;
            leaver.style.left = `${was.left - frame.left}px`;
            leaver.style.top = `${was.top - frame.top}px`;
            leaver.style.width = `${was.width}px`;
            const gone = leaver.animate(
                [
                    {opacity: 1, transform: 'none'},
                    {opacity: 0, transform: 'scale(.86)'}
                ],
                {duration: 320, easing: 'ease-in', fill: 'forwards'}
            );
            gone.finished.then(
                () => leaver.remove(),
                () => leaver.remove()
            );
            return leaver;
        });
}

/* The focus stays with its card; when that left, with its place. */
function refocus(cards, id, place) {
    focusCard(
        cards.find(each => each.dataset.id === id) || cards[Math.min(place, cards.length - 1)]
    );
}

function glide(cards, were) {
    const near = window.innerHeight * 2;
    cards.forEach((each, i) => {
        const now = each.getBoundingClientRect(),
            was = were.get(each.dataset.id);
        if (now.top > near) return;
        const delay = Math.min(i * 12, 200);
        if (!was) {
            each.animate(
                [
                    {opacity: 0, transform: 'scale(.9)'},
                    {opacity: 1, transform: 'none'}
                ],
                {
                    duration: 420,
                    delay: 160 + delay,
                    easing: 'cubic-bezier(.2,.8,.3,1)',
                    fill: 'backwards'
                }
            );
        } else if (was.left !== now.left || was.top !== now.top) {
            each.animate(
                [
                    {transform: `translate(${was.left - now.left}px, ${was.top - now.top}px)`},
                    {transform: 'none'}
                ],
                {duration: 620, delay, easing: 'cubic-bezier(.3,1.15,.4,1)', fill: 'backwards'}
            );
        }
    });
}

/* ---- What the user did lately ---- */

async function showLately(state, ui) {
    const user = currentUser();
    let events;
    try {
        events = (await latestEvents(60))
            .filter((event, i, all) => all.findIndex(each => each.item_id === event.item_id) === i)
            .slice(0, LATELY);
        events = await Promise.all(
            events.map(async event => ({...event, item: await lookUp(event.item_id)}))
        );
    } catch {
        return; /* the wall itself says what is wrong */
    }
    if (state.closed || user !== currentUser()) return;
    ui.latelyPart.hidden = !events.length;
    const focused =
        ui.lately.contains(document.activeElement) &&
        document.activeElement.closest('li').dataset.id;
    replace(
        ui.lately,
        events.map(event => lateRow(event))
    );
    if (focused) {
        const row = [...ui.lately.children].find(each => each.dataset.id === focused);
        if (row) row.querySelector('button').focus();
    }
    for (const each of ui.wall.querySelectorAll('.card')) showVerdict(each, each.dataset.id);
}

const DID = {
    like: 'Liked',
    dislike: 'Disliked',
    view: 'Viewed',
    purchase: 'Bought',
    rating: 'Rated',
    add_to_cart: 'In the cart'
};

function lateRow({item, type, timestamp, value}) {
    const {title} = naming(item);
    const verdict = verdictOn(item.item_id) || type;
    const other = verdict === 'like' ? 'dislike' : 'like';
    return h(
        'li',
        {class: `late ${verdict}`, 'data-id': item.item_id},
        h(
            'a',
            {href: itemAddress(item.item_id), class: 'late-open'},
            picture(item, {class: 'late-poster', width: 52, height: 78}),
            h(
                'span',
                {class: 'late-text'},
                h(
                    'span',
                    {class: 'late-did'},
                    (DID[verdict] || verdict) + (type === 'rating' ? ` ${value}` : '')
                ),
                h('span', {class: 'late-title'}, title),
                h('span', {class: 'late-when'}, ago(timestamp))
            )
        ),
        h(
            'button',
            {
                type: 'button',
                class: 'turn',
                onclick: event => send(item, other, event.currentTarget)
            },
            icon(other),
            h(
                'span',
                {},
                other === 'like' ? 'Like ' : 'Dislike ',
                h('span', {class: 'unseen'}, `${title} `),
                verdict === 'like' || verdict === 'dislike' ? 'instead' : ''
            )
        )
    );
}
