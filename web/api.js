/* Asking the server: answers as JSON, refusals as Problem, a key where it wants one, and knowing
 * when it is away. Addresses are relative, so the page also works below a path of a proxy. */

export class Problem extends Error {
    constructor(status, code, detail) {
        super(detail);
        this.status = status; /* 0: there was no answer */
        this.code = code;
    }
    /* There was no key, a wrong one, or one without the right to do this. */
    get wantsKey() {
        return this.status === 401 || (this.status === 403 && this.code === 'forbidden');
    }
    get away() {
        return this.status === 0;
    }
}

/* 'away' and 'back' are told here. */
export const connection = new EventTarget();
let lost = false;
let asking = null;
let askForKey = null;

/* f(wasRefused): a promise of the key that the visitor typed, or of null. */
export function setKeyAsker(f) {
    askForKey = f;
}

export function get(path, query, options) {
    return call('GET', path, {query, ...options});
}

export function post(path, body, options) {
    return call('POST', path, {body, ...options});
}

export function segment(id) {
    return encodeURIComponent(id);
}

/* The address that curl would take. */
export function address(path) {
    return new URL(path.replace(/^\//, ''), document.baseURI.replace(/#.*/, '')).href;
}

async function call(method, path, {query, body, signal} = {}) {
    const url = new URL(address(path));
    for (const [name, value] of Object.entries(query || {})) {
        if (value !== undefined && value !== null && value !== '')
            url.searchParams.append(name, value);
    }
    for (let tries = 0; ; tries++) {
        const key = stored('palate.key');
        const response = await send(url, {
            method,
            signal,
            cache: 'no-store',
            headers: {
                ...(body === undefined ? {} : {'Content-Type': 'application/json'}),
                ...(key ? {Authorization: 'Bearer ' + key} : {})
            },
            body: body === undefined ? undefined : JSON.stringify(body)
        });
        if (response.ok) return response.json();
        const problem = await problemOf(response);
        if (!problem.wantsKey || tries === 3 || !(await newKey(key))) throw problem;
    }
}

async function send(url, options) {
    let response;
    try {
        response = await fetch(url, options);
    } catch (error) {
        if (error.name === 'AbortError') throw error;
        leave();
        throw new Problem(0, 'away', 'The server does not answer.');
    }
    if (lost) {
        lost = false;
        connection.dispatchEvent(new Event('back'));
    }
    return response;
}

async function problemOf(response) {
    try {
        const body = await response.json();
        return new Problem(response.status, body.code || 'error', body.detail || body.title);
    } catch {
        return new Problem(
            response.status,
            'error',
            `The server answered ${response.status} ${response.statusText}.`
        );
    }
}

/* One question for all calls that are refused at once; true when there is another key to try. */
async function newKey(used) {
    if (stored('palate.key') !== used) return true;
    if (!askForKey) return false;
    asking =
        asking ||
        askForKey(Boolean(used)).finally(() => {
            asking = null;
        });
    const key = await asking;
    if (!key) return false;
    store('palate.key', key);
    return true;
}

/* The key is kept for this tab only. */
function stored(name) {
    try {
        return sessionStorage.getItem(name);
    } catch {
        return memory.get(name) || null;
    }
}

function store(name, value) {
    try {
        sessionStorage.setItem(name, value);
    } catch {
        memory.set(name, value);
    }
}
const memory = new Map();

/* Looks for the server again, at growing intervals, until it answers. */
function leave() {
    if (lost) return;
    lost = true;
    connection.dispatchEvent(new Event('away'));
    let wait = 1000;
    const look = async () => {
        if (!lost) return;
        try {
            await send(new URL(address('/health/live')), {cache: 'no-store'});
        } catch {
            wait = Math.min(wait * 1.5, 10000);
            setTimeout(look, wait);
        }
    };
    setTimeout(look, wait);
}
