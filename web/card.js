/* An item on a wall: its poster, its name, why it is there, and like and dislike. A wall is walked
 * with the arrow keys; Tab goes to the current card and its buttons and then on. */
import {announce, h, icon, percent} from './dom.js';
import {posterAddress} from './poster.js';
import {act, kindsOf, naming, sourceGrounds, sourceName, verdictOn} from './taste.js';

export function itemAddress(id) {
    return '#/item/' + encodeURIComponent(id);
}

/* The picture: the item's own, or the drawn one where it has none or it can't be had. */
export function picture(item, attributes) {
    const image = h('img', {
        alt: '',
        width: 200,
        height: 300,
        decoding: 'async',
        draggable: 'false',
        ...attributes
    });
    if (item.image_url && /^(https:|data:image\/|\/)/.test(item.image_url)) {
        image.loading = 'lazy';
        image.addEventListener(
            'error',
            () => {
                image.src = posterAddress(item);
            },
            {once: true}
        );
        image.src = item.image_url;
    } else {
        image.src = posterAddress(item);
    }
    return image;
}

/* [like, dislike] for an item. onact(item, type, button) is called on a press; without it the event
 * is sent and nothing else happens. */
export function verdictButtons(item, onact, labels) {
    const {title} = naming(item);
    const button = (type, word) =>
        h(
            'button',
            {
                type: 'button',
                class: `verdict ${type}`,
                'data-type': type,
                'aria-pressed': verdictOn(item.item_id) === type ? 'true' : 'false',
                'aria-label': `${word} ${title}`,
                title: word,
                onclick: event => (onact || send)(item, type, event.currentTarget)
            },
            icon(type),
            labels ? h('span', {}, word) : null
        );
    return [button('like', 'Like'), button('dislike', 'Dislike')];
}

export async function send(item, type, button, recommendationId) {
    const holder = button && button.parentElement;
    try {
        const sent = act(item, type, recommendationId);
        if (holder) showVerdict(holder, item.item_id);
        await sent;
        announce(`${type === 'like' ? 'Liked' : 'Disliked'} ${naming(item).title}.`);
        return true;
    } catch (problem) {
        if (holder) showVerdict(holder, item.item_id);
        announce(`That did not arrive: ${problem.message}`);
        return false;
    }
}

export function showVerdict(holder, id) {
    for (const button of holder.querySelectorAll('.verdict'))
        button.setAttribute(
            'aria-pressed',
            verdictOn(id) === button.dataset.type ? 'true' : 'false'
        );
}

/* "Because you liked Heat": the part of it that speaks most for the item. */
export function reasonOf(item) {
    const reason = (item.reasons || []).find(each => each.part > 0) || (item.reasons || [])[0];
    return reason ? ['because you liked ', naming(reason).title] : null;
}

function tried(propensity) {
    if (!propensity) return 'tried on you';
    return `tried on you, chance ${propensity < 0.001 ? 'under 0.1 %' : percent(propensity)}`;
}

/* A card of a wall. reasons: say why it is there, as recommendations do. */
export function card(item, {onact, reasons} = {}) {
    const {title, year} = naming(item);
    const known = kindsOf(item).slice(0, 2).join(', ');
    const why = reasons && reasonOf(item);
    return h(
        'li',
        {class: `card${item.explored ? ' explored' : ''}`, 'data-id': item.item_id},
        h(
            'a',
            {class: 'card-open', href: itemAddress(item.item_id), tabindex: '-1'},
            h('span', {class: 'poster'}, picture(item)),
            item.available === false ? h('span', {class: 'flag gone'}, 'Not available') : null,
            item.explored ? h('span', {class: 'flag'}, icon('spark'), 'A try') : null,
            h('span', {class: 'card-title'}, title),
            h('span', {class: 'card-meta'}, [year, known].filter(Boolean).join(' · ') || '\u00a0')
        ),
        reasons
            ? h(
                  'p',
                  {class: 'why'},
                  why
                      ? [why[0], h('b', {}, why[1])]
                      : item.explored
                        ? tried(item.propensity)
                        : sourceGrounds(item.source)
              )
            : null,
        h(
            'div',
            {class: 'card-acts'},
            ...tabless(verdictButtons(item, onact)),
            item.source
                ? h(
                      'span',
                      {class: 'source', title: `found ${sourceGrounds(item.source)}`},
                      sourceName(item.source)
                  )
                : null
        )
    );
}

function tabless(buttons) {
    buttons.forEach(button => button.setAttribute('tabindex', '-1'));
    return buttons;
}

/* ---- Walking ---- */

/* Makes a list of cards one stop of Tab, walked by arrows; L and D press the buttons. */
export function walkable(list) {
    list.addEventListener('keydown', event => onKey(list, event));
    list.addEventListener('focusin', event => {
        const at = event.target.closest('.card');
        if (at) setCurrent(list, at);
    });
}

/* The card that Tab enters; call after the list's cards changed. */
export function setCurrent(list, current) {
    const cards = [...list.querySelectorAll(':scope > .card:not(.leaving)')];
    if (!cards.includes(current)) current = cards.find(each => each.dataset.current) || cards[0];
    for (const each of cards) {
        if (each === current) each.dataset.current = 'yes';
        else delete each.dataset.current;
        for (const stop of each.querySelectorAll('a, button'))
            stop.tabIndex = each === current ? 0 : -1;
    }
}

export function focusCard(found) {
    const link = found && found.querySelector('.card-open');
    if (link) link.focus({preventScroll: false});
}

function onKey(list, event) {
    const at = event.target.closest('.card');
    if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === 'l' || key === 'd') {
        event.preventDefault();
        at.querySelector(key === 'l' ? '.like' : '.dislike').click();
        return;
    }
    const cards = [...list.querySelectorAll(':scope > .card:not(.leaving)')];
    const wide = columns(cards),
        from = cards.indexOf(at);
    const to = {
        arrowright: from + 1,
        arrowleft: from - 1,
        arrowdown: from + wide,
        arrowup: from - wide,
        home: 0,
        end: cards.length - 1
    }[key];
    if (to === undefined) return;
    event.preventDefault();
    if (cards[to]) {
        focusCard(cards[to]);
        cards[to].scrollIntoView({block: 'nearest'});
    }
}

/* How many cards stand in a row. */
function columns(cards) {
    const top = cards[0].offsetTop;
    const next = cards.findIndex(each => each.offsetTop > top);
    return next < 0 ? cards.length : next;
}
