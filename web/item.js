/* One item: everything known of it, what is like it, and like and dislike. */
import {connection, get, segment} from './api.js';
import {card, picture, send, showVerdict, verdictButtons, walkable, setCurrent} from './card.js';
import {day, h, replace} from './dom.js';
import {busy, trouble, waiting} from './parts.js';
import {latestEvents, naming, remember} from './taste.js';

export default function itemView(place, {id, setTitle}) {
    const state = {closed: false};
    const onBack = () => load(place, id, setTitle, state);
    connection.addEventListener('back', onBack);
    replace(place, h('h1', {class: 'unseen', tabindex: '-1'}, 'Item'), busy('Looking it up…'));
    load(place, id, setTitle, state);
    return () => {
        state.closed = true;
        connection.removeEventListener('back', onBack);
    };
}

async function load(place, id, setTitle, state) {
    let item;
    try {
        item = remember([await get('/v1/items/' + segment(id))])[0];
    } catch (problem) {
        if (!state.closed) {
            replace(
                place,
                h('h1', {tabindex: '-1'}, id),
                trouble(problem, () => load(place, id, setTitle, state)),
                h('p', {}, h('a', {href: '#/browse'}, 'Browse the catalog'))
            );
        }
        return;
    }
    if (state.closed) return;
    const {title, year, also} = naming(item);
    setTitle(title);
    const acts = h(
        'div',
        {class: 'item-acts'},
        verdictButtons(item, (what, type, button) => send(what, type, button), true)
    );
    const wall = h('ul', {class: 'wall row-wall', 'aria-labelledby': 'alike'}, waiting(6));
    const note = h('div', {});
    const hadFocus =
        place.contains(document.activeElement) || document.activeElement === document.body;
    replace(
        place,
        h(
            'p',
            {class: 'crumb'},
            h(
                'a',
                {
                    href: '#/browse',
                    onclick: event => {
                        if (history.length > 1) {
                            event.preventDefault();
                            history.back();
                        }
                    }
                },
                '← Back'
            )
        ),
        h(
            'article',
            {class: 'item', 'aria-labelledby': 'title'},
            h('div', {class: 'poster big'}, picture(item)),
            h(
                'div',
                {class: 'item-text'},
                h(
                    'h1',
                    {id: 'title', tabindex: '-1'},
                    title,
                    year ? h('span', {class: 'year'}, ` ${year}`) : null
                ),
                also ? h('p', {class: 'muted'}, `Also: ${also}`) : null,
                item.available
                    ? null
                    : h('p', {class: 'complaint'}, 'Not available: it is not recommended.'),
                item.categories.length
                    ? h(
                          'ul',
                          {class: 'chips', 'aria-label': 'Categories'},
                          item.categories.map(name =>
                              h(
                                  'li',
                                  {},
                                  h(
                                      'a',
                                      {
                                          class: 'chip',
                                          href: '#/browse?category=' + encodeURIComponent(name)
                                      },
                                      name
                                  )
                              )
                          )
                      )
                    : null,
                acts,
                facts(item)
            )
        ),
        h('section', {'aria-labelledby': 'alike'}, h('h2', {id: 'alike'}, 'Similar'), note, wall)
    );
    walkable(wall);
    if (hadFocus) place.querySelector('h1').focus({preventScroll: true});
    latestEvents(200).then(
        () => showVerdict(acts, id),
        () => {}
    );
    similar(id, wall, note, state);
}

async function similar(id, wall, note, state) {
    try {
        const {items} = await get(`/v1/items/${segment(id)}/similar`, {n: 12, details: 1});
        if (state.closed) return;
        remember(items);
        replace(
            wall,
            items.map(item => card(item))
        );
        setCurrent(wall, null);
        if (!items.length) replace(note, h('p', {class: 'muted'}, 'Nothing like it is known.'));
    } catch (problem) {
        if (state.closed) return;
        replace(wall);
        replace(
            note,
            problem.status === 404
                ? h(
                      'p',
                      {class: 'muted'},
                      'Nothing like it is known yet: it needs categories or a trained model.'
                  )
                : trouble(problem, () => similar(id, wall, note, state))
        );
    }
}

/* What else is known, as a list of terms. */
function facts(item) {
    const rows = Object.entries(item.attributes || {}).map(([name, value]) => [
        name.replace(/_/g, ' '),
        factText(value)
    ]);
    rows.push(['id', h('code', {}, item.item_id)], ['in the catalog since', day(item.created_at)]);
    return h(
        'dl',
        {class: 'facts'},
        rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))
    );
}

function factText(value) {
    if (Array.isArray(value) && value.every(each => typeof each !== 'object'))
        return value.join(', ');
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
