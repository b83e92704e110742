/* The frame around the views: which one is shown, who is looking, the key, light and dark. */
import {connection, setKeyAsker} from './api.js';
import {announce, h, icon, replace} from './dom.js';
import {changes, currentUser, newcomer, recentUsers, switchUser} from './taste.js';
import you from './you.js';

/* Loaded when they are first wanted. */
const VIEWS = {
    you: {title: 'For you', load: async () => you},
    browse: {title: 'Browse', load: async () => (await import('./browse.js')).default},
    item: {title: 'Item', load: async () => (await import('./item.js')).default},
    data: {title: 'Data', load: async () => (await import('./data.js')).default},
    models: {title: 'Models', load: async () => (await import('./models.js')).default},
    traffic: {title: 'Traffic', load: async () => (await import('./traffic.js')).default}
};

const place = document.getElementById('main');
let leave = null;
let turn = 0;

/* "#/item/a%2Fb?x=1" is the view "item" with the rest "a/b" and the query x=1. */
function whereTo() {
    const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
    const [name, ...rest] = path.split('/');
    let id = rest.join('/');
    try {
        id = decodeURIComponent(id);
    } catch {
        /* a stray %: as it stands */
    }
    return {name: VIEWS[name] ? name : 'you', id, query: new URLSearchParams(query || '')};
}

async function show(first) {
    const {name, id, query} = whereTo();
    const mine = ++turn;
    const view = VIEWS[name];
    let draw;
    try {
        draw = await view.load();
    } catch {
        replace(
            place,
            h(
                'div',
                {class: 'notice trouble', role: 'alert'},
                h('h1', {tabindex: '-1'}, 'The server is away'),
                h('p', {}, 'This page could not be loaded.'),
                h(
                    'button',
                    {type: 'button', class: 'primary', onclick: () => location.reload()},
                    'Try again'
                )
            )
        );
        return;
    }
    if (mine !== turn) return;
    if (leave) leave();
    for (const tab of document.querySelectorAll('.tabs a')) {
        if (tab.dataset.view === name) tab.setAttribute('aria-current', 'page');
        else tab.removeAttribute('aria-current');
    }
    setTitle(view.title);
    place.className = `view-${name}`;
    window.scrollTo(0, 0);
    leave = draw(place, {id, query, setTitle});
    if (!first && !place.contains(document.activeElement)) {
        const heading = place.querySelector('h1');
        if (heading) heading.focus({preventScroll: true});
    }
}

function setTitle(text) {
    document.title = `${text} · palate`;
}

window.addEventListener('hashchange', () => {
    if (location.hash === '#main') {
        /* the skip link */
        place.focus();
        history.replaceState(
            null,
            '',
            '#/' +
                (document.querySelector('.tabs [aria-current]') || {dataset: {view: 'you'}}).dataset
                    .view
        );
        return;
    }
    show(false);
});
document.querySelector('.skip').addEventListener('click', event => {
    event.preventDefault();
    place.focus();
});

/* ---- Who is looking ---- */

const who = document.getElementById('who');

function showUser() {
    const name = currentUser();
    replace(who, icon('person'), h('span', {class: 'who-name'}, name));
    who.setAttribute('aria-label', `You are ${name}: be someone else`);
}

who.addEventListener('click', () => {
    const input = h('input', {
        id: 'user-id',
        type: 'text',
        autofocus: true,
        list: 'users',
        required: true,
        maxlength: 256,
        autocomplete: 'off',
        autocapitalize: 'off',
        spellcheck: 'false',
        placeholder: 'any user id'
    });
    const be = id => {
        dialog.close();
        switchUser(id);
        announce(`You are now ${id}.`);
    };
    const dialog = ask(
        'Who is looking?',
        [
            h(
                'p',
                {class: 'muted'},
                'You are ',
                h('b', {}, currentUser()),
                '. Any id will do: the wall follows the history that it has.'
            ),
            h(
                'div',
                {class: 'field'},
                h('label', {for: 'user-id'}, 'User id'),
                input,
                h(
                    'datalist',
                    {id: 'users'},
                    recentUsers().map(id => h('option', {value: id}))
                )
            ),
            h(
                'p',
                {class: 'row'},
                h('button', {type: 'submit', class: 'primary'}, 'Be this one'),
                h(
                    'button',
                    {type: 'button', class: 'quiet', onclick: () => be(newcomer())},
                    icon('spark'),
                    'Someone new'
                )
            ),
            recentUsers().length > 1
                ? h(
                      'div',
                      {},
                      h('h3', {id: 'recent'}, 'Lately'),
                      h(
                          'ul',
                          {class: 'chips', 'aria-labelledby': 'recent'},
                          recentUsers()
                              .filter(id => id !== currentUser())
                              .map(id =>
                                  h(
                                      'li',
                                      {},
                                      h(
                                          'button',
                                          {type: 'button', class: 'chip', onclick: () => be(id)},
                                          id
                                      )
                                  )
                              )
                      )
                  )
                : null
        ],
        () => {
            const id = input.value.trim();
            if (id) be(id);
        }
    );
});
changes.addEventListener('user', showUser);

/* A dialog with a form; onsubmit does not close it. It leaves the page when it is closed. */
function ask(title, content, onsubmit, onclosed) {
    const dialog = h(
        'dialog',
        {
            'aria-labelledby': 'ask-title',
            onclose: () => {
                dialog.remove();
                if (onclosed) onclosed();
            },
            onclick: event => {
                if (event.target === dialog) dialog.close();
            }
        },
        h(
            'form',
            {
                onsubmit: event => {
                    event.preventDefault();
                    onsubmit();
                }
            },
            h(
                'div',
                {class: 'dialog-head'},
                h('h2', {id: 'ask-title'}, title),
                h(
                    'button',
                    {
                        type: 'button',
                        class: 'icon',
                        'aria-label': 'Close',
                        onclick: () => dialog.close()
                    },
                    icon('dislike')
                )
            ),
            content
        )
    );
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
}

/* ---- The key ---- */

setKeyAsker(
    wasRefused =>
        new Promise(done => {
            let key = null;
            const input = h('input', {
                id: 'key',
                autofocus: true,
                type: 'password',
                required: true,
                autocomplete: 'current-password',
                'aria-describedby': 'key-help'
            });
            const dialog = ask(
                'This server wants a key',
                [
                    h(
                        'p',
                        {id: 'key-help', class: wasRefused ? 'complaint' : 'muted'},
                        wasRefused
                            ? 'That key was refused, or lacks the right for this. Try another.'
                            : 'It is sent with every call and kept until this tab is closed.'
                    ),
                    h('div', {class: 'field'}, h('label', {for: 'key'}, 'Key'), input),
                    h(
                        'p',
                        {class: 'row'},
                        h('button', {type: 'submit', class: 'primary'}, 'Use it')
                    )
                ],
                () => {
                    key = input.value.trim();
                    dialog.close();
                },
                () => done(key)
            );
        })
);

/* ---- The server comes and goes ---- */

const banner = document.getElementById('banner');
connection.addEventListener('away', () => {
    banner.hidden = false;
    banner.textContent = 'The server does not answer. Trying again…';
});
connection.addEventListener('back', () => {
    banner.hidden = true;
    announce('The server is back.');
});

/* ---- Light and dark ---- */

const theme = document.getElementById('theme');

function showTheme() {
    const dark = document.documentElement.dataset.theme === 'dark';
    replace(theme, icon(dark ? 'sun' : 'moon'));
    theme.setAttribute('aria-label', dark ? 'Use light colours' : 'Use dark colours');
    theme.title = dark ? 'Light' : 'Dark';
}
theme.addEventListener('click', () => window.toggleTheme());
window.addEventListener('themechange', showTheme);

showTheme();
showUser();
show(true);
