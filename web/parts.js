/* Parts that several views have: waiting, trouble, an empty catalog, the filter field. */
import {address} from './api.js';
import {h, icon} from './dom.js';

/* Grey cards where answers will be. */
export function waiting(cards) {
    return Array.from({length: cards}, () =>
        h(
            'li',
            {class: 'card waiting', 'aria-hidden': 'true'},
            h('span', {class: 'poster'}),
            h('span', {class: 'line'}),
            h('span', {class: 'line short'})
        )
    );
}

export function busy(text) {
    return h(
        'p',
        {class: 'busy', role: 'status'},
        h('span', {class: 'spinner', 'aria-hidden': 'true'}),
        text
    );
}

/* What went wrong, in the server's words, and another try. */
export function trouble(problem, again) {
    const words = problem.away
        ? ['The server is away', 'Is palate serve still running? The page tries again by itself.']
        : problem.wantsKey
          ? ['This needs a key', problem.message || 'Give one that has the right to do this.']
          : problem.status === 404
            ? ['Not here', problem.message]
            : ['That did not work', problem.message || 'The server gave no reason.'];
    return h(
        'div',
        {class: 'notice trouble', role: 'alert'},
        h('h2', {}, words[0]),
        h('p', {}, words[1]),
        again ? h('button', {type: 'button', class: 'primary', onclick: again}, 'Try again') : null
    );
}

/* How to put something in. */
export function emptyCatalog() {
    const line = `curl ${address('/v1/items')} -H 'Content-Type: application/json' -d '[
  {"item_id": "heat", "title": "Heat (1995)", "categories": ["Crime", "Drama"]},
  {"item_id": "clueless", "title": "Clueless (1995)", "categories": ["Comedy"]}]'`;
    const said = h('span', {role: 'status'});
    return h(
        'div',
        {class: 'notice empty'},
        h('h2', {}, 'The catalog is empty'),
        h(
            'p',
            {},
            'Add items and they can be recommended in the same second: no model is needed to begin.'
        ),
        h(
            'pre',
            {tabindex: '0', 'aria-label': 'A command that adds two items'},
            h('code', {}, line)
        ),
        h(
            'p',
            {},
            h(
                'button',
                {
                    type: 'button',
                    class: 'primary',
                    onclick: async () => {
                        try {
                            await navigator.clipboard.writeText(line);
                            said.textContent = ' Copied.';
                        } catch {
                            said.textContent = ' Select the lines above and copy them.';
                        }
                    }
                },
                'Copy the command'
            ),
            said
        ),
        h(
            'p',
            {class: 'muted'},
            'Or bring a whole data set: ',
            h('code', {}, 'palate import --help'),
            '. The calls are described in ',
            h('a', {href: address('/openapi.json')}, 'openapi.json'),
            '.'
        )
    );
}

let fields = 0;

/* A field for the filter language. onfilter(text) after Enter or a pause; complain(sentence) shows
 * the server's complaint under the field, complain(null) takes it away. */
export function filterField(value, onfilter) {
    const id = `filter-${++fields}`;
    let timer = 0,
        sent = value;
    const apply = text => {
        clearTimeout(timer);
        if (text !== sent) {
            sent = text;
            onfilter(text);
        }
    };
    const input = h('input', {
        id,
        type: 'text',
        value,
        spellcheck: 'false',
        autocomplete: 'off',
        autocapitalize: 'off',
        maxlength: 4096,
        placeholder: 'categories has "Comedy" and year >= 1990',
        'aria-describedby': `${id}-help`,
        oninput: () => {
            clearTimeout(timer);
            timer = setTimeout(() => apply(input.value.trim()), 700);
        }
    });
    const help = h('p', {id: `${id}-help`, class: 'field-help', role: 'status'});
    const form = h(
        'form',
        {
            class: 'field filter',
            role: 'search',
            'aria-label': 'Filter',
            onsubmit: event => {
                event.preventDefault();
                apply(input.value.trim());
            }
        },
        h('label', {for: id}, 'Filter'),
        input,
        help
    );
    form.complain = text => {
        help.textContent = text || '';
        input.setAttribute('aria-invalid', text ? 'true' : 'false');
    };
    form.set = text => {
        input.value = sent = text;
    };
    return form;
}

/* A field for words, asked for after a short pause in typing. */
export function searchField(label, value, placeholder, onsearch) {
    const id = `search-${++fields}`;
    let timer = 0,
        sent = value;
    const apply = () => {
        clearTimeout(timer);
        const text = input.value.trim();
        if (text !== sent) {
            sent = text;
            onsearch(text);
        }
    };
    const input = h('input', {
        id,
        type: 'search',
        value,
        placeholder,
        autocomplete: 'off',
        oninput: () => {
            clearTimeout(timer);
            timer = setTimeout(apply, 180);
        }
    });
    return h(
        'form',
        {
            class: 'field search',
            role: 'search',
            'aria-label': label,
            onsubmit: event => {
                event.preventDefault();
                apply();
            }
        },
        h('label', {for: id}, label),
        h('span', {class: 'with-icon'}, icon('search'), input)
    );
}

/* A table; cells are texts or elements. numbers: the columns (from 0) that are set to the right. */
export function table(caption, head, rows, numbers = []) {
    const side = i => (numbers.includes(i) ? 'number' : null);
    return h(
        'div',
        {class: 'table', tabindex: '0', role: 'region', 'aria-label': caption},
        h(
            'table',
            {},
            h('caption', {class: 'unseen'}, caption),
            h(
                'thead',
                {},
                h(
                    'tr',
                    {},
                    head.map((cell, i) => h('th', {scope: 'col', class: side(i)}, cell))
                )
            ),
            h(
                'tbody',
                {},
                rows.map(row =>
                    h(
                        'tr',
                        {},
                        row.map((cell, i) =>
                            i === 0
                                ? h('th', {scope: 'row', class: side(i)}, cell)
                                : h('td', {class: side(i)}, cell)
                        )
                    )
                )
            )
        )
    );
}
