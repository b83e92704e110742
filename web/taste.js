/* Who is looking, what they did, and the items met so far: the state that views share. */
import {get, post, segment} from './api.js';

/* Told here: 'user' (another one is looking), 'acted' ({detail: {item_id, type}}). */
export const changes = new EventTarget();

/* ---- Who ---- */

const RECENT_MOST = 8;
let user = read('palate.user') || newcomer();
let recent = (read('palate.recent') || '').split('\n').filter(Boolean);
keepUser();

export function currentUser() {
    return user;
}

export function recentUsers() {
    return recent;
}

export function newcomer() {
    return 'guest-' + randomHex(3);
}

export function switchUser(id) {
    if (id === user) return;
    user = id;
    verdicts.clear();
    keepUser();
    changes.dispatchEvent(new Event('user'));
}

function keepUser() {
    recent = [user, ...recent.filter(id => id !== user)].slice(0, RECENT_MOST);
    try {
        localStorage.setItem('palate.user', user);
        localStorage.setItem('palate.recent', recent.join('\n'));
    } catch {
        /* storage is blocked: they last for this visit */
    }
}

function read(name) {
    try {
        return localStorage.getItem(name);
    } catch {
        return null;
    }
}

/* Not crypto.randomUUID, which plain HTTP beyond localhost lacks. */
function randomHex(bytes) {
    return [...crypto.getRandomValues(new Uint8Array(bytes))]
        .map(byte => byte.toString(16).padStart(2, '0'))
        .join('');
}

/* ---- Items ---- */

const items = new Map();
const ITEMS_MOST = 5000;

export function remember(list) {
    for (const item of list) {
        if (items.size >= ITEMS_MOST) items.delete(items.keys().next().value);
        if (item.categories || !items.has(item.item_id)) items.set(item.item_id, item);
    }
    return list;
}

/* The item; one that the server knows nothing of has its id only. */
export async function lookUp(id) {
    const known = items.get(id);
    if (known && known.categories) return known;
    try {
        return remember([await get('/v1/items/' + segment(id))])[0];
    } catch (problem) {
        if (problem.status !== 404) throw problem;
        return {item_id: id, title: null, categories: []};
    }
}

/* {title, year, also} as people write them: "Matrix, The (1999)" is The Matrix of 1999, and
 * "City of Lost Children, The (Cité des enfants perdus, La) (1995)" is known by another name, too. */
export function naming(item) {
    let title = item.title || item.item_id;
    let year = item.attributes && item.attributes.year;
    let also = '';
    const dated = /^(.*\S)\s*\((\d{4})\)$/.exec(title);
    if (dated) {
        title = dated[1];
        year = year || dated[2];
        const named = /^(.*\S) \(([^()]*)\)$/.exec(title);
        if (named) [title, also] = [named[1], upright(named[2])];
    }
    return {title: upright(title), year: year ? String(year) : '', also};
}

function upright(title) {
    const article = /^(.*), (The|A|An|Der|Die|Das|Le|La|Les|L'|El|Il)$/.exec(title);
    if (!article) return title;
    return article[2] + (article[2].endsWith("'") ? '' : ' ') + article[1];
}

/* Categories for showing: not those that say that there is none, "(no genres listed)". */
export function kindsOf(item) {
    return (item.categories || []).filter(name => !name.startsWith('('));
}

/* ---- What the user did ---- */

const verdicts = new Map();

export function verdictOn(id) {
    return verdicts.get(id) || null;
}

/* The user's latest events, newest first; likes and dislikes among them are remembered. */
export async function latestEvents(limit) {
    const asked = user;
    const answer = await get(`/v1/users/${segment(user)}/events`, {limit}).catch(problem => {
        if (problem.status === 404) return {events: []};
        throw problem;
    });
    if (asked === user) {
        for (const event of [...answer.events].reverse()) {
            if (event.type === 'like' || event.type === 'dislike')
                verdicts.set(event.item_id, event.type);
        }
    }
    return answer.events;
}

/* Likes or dislikes. The event has an id, so that sending it again changes nothing. */
export async function act(item, type, recommendationId) {
    const id = item.item_id;
    const before = verdicts.get(id);
    verdicts.set(id, type);
    const event = {user_id: user, item_id: id, type, event_id: 'page-' + randomHex(12)};
    if (recommendationId) event.recommendation_id = recommendationId;
    try {
        await post('/v1/events', event).catch(problem => {
            if (problem.status !== 0 && problem.status < 500) throw problem;
            return post('/v1/events', event);
        });
    } catch (problem) {
        if (before) verdicts.set(id, before);
        else verdicts.delete(id);
        throw problem;
    }
    changes.dispatchEvent(new CustomEvent('acted', {detail: {item, type}}));
}

/* Names for where an item came from, and what they mean. */
const SOURCES = {
    als: ['ALS', 'by factors that your history and this have in common'],
    ease: ['EASE', 'by links between items'],
    knn: ['kNN', 'by items that the same people liked'],
    content: ['Content', 'by categories, words and tags alike'],
    bandit: ['Bandit', 'by the likes that it gets from everybody'],
    popular: ['Popular', 'by how many had it'],
    trending: ['Trending', 'by how many had it lately'],
    random: ['Random', 'by chance'],
    catalog: ['Catalog', 'to fill up the list']
};

export function sourceName(source) {
    return SOURCES[source] ? SOURCES[source][0] : source;
}

export function sourceGrounds(source) {
    return SOURCES[source] ? SOURCES[source][1] : `by ${source}`;
}
