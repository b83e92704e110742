/* The page in a browser, without a mouse: the wall and how it changes, looking around, training,
 * being someone else, and what happens when things go wrong. */
import {
    answerTo,
    assert,
    base,
    checkAccess,
    emptyBase,
    focusedText,
    goTo,
    leave,
    locked,
    looks,
    run,
    shoot,
    tabTo,
    visit,
    waitForWall,
    wallIds
} from './driver.mjs';

/* Likes or dislikes the focused card by its key; waits until the wall has answered. */
async function press(page, key) {
    const event = answerTo(page, 'POST', /\/v1\/events$/);
    const wall = answerTo(page, 'GET', /\/recommendations\?/);
    await page.keyboard.press(key);
    const sent = (await event).request().postDataJSON();
    assert.equal((await event).status(), 200);
    await (await wall).finished();
    await page.waitForSelector('.wall:not([aria-busy])');
    return sent;
}

async function likeAndWatch() {
    const page = await visit();
    await waitForWall(page);
    const before = await wallIds(page);
    assert.equal(before.length, new Set(before).size);
    assert.ok(before.length >= 20, `${before.length} cards`);
    await tabTo(page, '.card-open');
    assert.equal(
        await page.evaluate(() => document.activeElement.closest('.card').dataset.id),
        before[0]
    );
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const title = await page.$eval(`.card[data-id="${before[2]}"] .card-title`, e => e.textContent);
    /* Noted while it happens: the cards walk, they do not jump. */
    await page.evaluate(() => {
        window.walked = 0;
        const look = () => {
            window.walked = Math.max(window.walked, document.getAnimations().length);
            requestAnimationFrame(look);
        };
        look();
    });
    const sent = await press(page, 'l');
    assert.deepEqual([sent.item_id, sent.type], [before[2], 'like']);
    assert.ok(sent.recommendation_id, 'the event names the list that it answers');
    const after = await wallIds(page);
    assert.notDeepEqual(after, before);
    assert.ok(!after.includes(before[2]), 'what was liked has left the wall');
    assert.ok((await page.evaluate(() => window.walked)) > 3, 'cards were moved');
    const reasons = await page.$$eval('.card .why b', all => all.map(each => each.textContent));
    assert.ok(reasons.includes(title), `'because you liked ${title}' is among: ${reasons}`);
    await page.waitForFunction(() =>
        /First is now/.test(document.getElementById('announcer').textContent)
    );
    /* The focus stayed on the wall, at the place of the card that left. */
    assert.equal(
        await page.evaluate(() => document.activeElement.closest('.card').dataset.id),
        after[2]
    );
    await page.waitForSelector(`.late[data-id="${before[2]}"].like`);
    await leave(page);
}

async function dislikeAndTurn() {
    const page = await visit();
    await waitForWall(page);
    await tabTo(page, '.card-open');
    await page.keyboard.press('ArrowDown');
    const id = await page.evaluate(() => document.activeElement.closest('.card').dataset.id);
    const sent = await press(page, 'D');
    assert.deepEqual([sent.item_id, sent.type], [id, 'dislike']);
    assert.ok(!(await wallIds(page)).includes(id));
    await page.waitForSelector(`.late[data-id="${id}"].dislike`);
    await tabTo(page, '.late .turn', 80);
    const turned = await press(page, 'Enter');
    assert.deepEqual([turned.item_id, turned.type], [id, 'like']);
    await page.waitForSelector(`.late[data-id="${id}"].like`);
    await leave(page);
}

async function tasteIsFollowed() {
    const page = await visit();
    await waitForWall(page);
    const {categories} = await (await page.request.get(`${base}/v1/stats`)).json();
    const name = categories[0].name;
    const filter = encodeURIComponent(`categories has ${JSON.stringify(name)}`);
    const {items} = await (
        await page.request.get(`${base}/v1/items?limit=6&filter=${filter}`)
    ).json();
    const user = await page.evaluate(() => localStorage.getItem('palate.user'));
    const share = async () =>
        page.$$eval(
            '.wall .card-meta',
            (all, word) => all.slice(0, 12).filter(each => each.textContent.includes(word)).length,
            name
        );
    const before = await share();
    await page.request.post(`${base}/v1/events`, {
        data: items.slice(1).map(item => ({user_id: user, item_id: item.item_id, type: 'like'}))
    });
    await tabTo(page, '.head-tools .quiet');
    const answer = answerTo(page, 'GET', /\/recommendations\?/);
    await page.keyboard.press('Enter');
    await (await answer).finished();
    await page.waitForFunction(() =>
        document.querySelector('.under').textContent.includes('every click')
    );
    assert.ok(
        (await share()) >= Math.max(6, before),
        `${name}: ${before} before, ${await share()} after`
    );
    await leave(page);
}

async function skipLinkAndFrame() {
    const page = await visit();
    await waitForWall(page);
    await page.keyboard.press('Tab');
    assert.equal(await focusedText(page), 'Skip to the content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    for (const view of ['browse', 'data', 'models', 'traffic', 'you']) {
        await goTo(page, view);
        const heading = await page.waitForSelector('main h1');
        assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', view);
        assert.ok((await page.title()).startsWith(await heading.textContent()), view);
    }
    const dark = () => page.evaluate(() => document.documentElement.dataset.theme);
    assert.equal(await dark(), 'light');
    await tabTo(page, '#who', 12).catch(() => goTo(page, 'you'));
    await page.focus('#theme');
    await page.keyboard.press('Enter');
    assert.equal(await dark(), 'dark');
    await page.reload();
    assert.equal(await dark(), 'dark');
    await leave(page);
}

async function openAndSimilar() {
    const page = await visit();
    await waitForWall(page);
    await tabTo(page, '.card-open');
    await page.keyboard.press('ArrowRight');
    const shown = await page.$eval(':focus .card-title', each => each.textContent);
    const id = await page.evaluate(() => document.activeElement.closest('.card').dataset.id);
    const wall = await wallIds(page);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.item h1');
    assert.ok((await focusedText(page)).startsWith(shown));
    await waitForWall(page);
    const similar = await wallIds(page);
    assert.ok(similar.length > 3 && !similar.includes(id));
    await tabTo(page, '.wall .card-open');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
        want => location.hash.endsWith(encodeURIComponent(want)),
        similar[0]
    );
    await page.waitForFunction(() => document.activeElement.tagName === 'H1');
    await tabTo(page, '.item-acts .like');
    const sent = answerTo(page, 'POST', /\/v1\/events$/);
    await page.keyboard.press('Enter');
    assert.equal((await sent).request().postDataJSON().item_id, similar[0]);
    await page.waitForSelector('.item-acts .like[aria-pressed="true"]');
    await page.goBack();
    await page.waitForFunction(want => location.hash.endsWith(encodeURIComponent(want)), id);
    await page.goBack();
    /* A like elsewhere changes the wall, too. */
    await page.waitForSelector('main.view-you .card');
    await page.waitForFunction(before => {
        const cards = document.querySelectorAll('.wall > .card:not(.leaving):not(.waiting)');
        return [...cards].map(card => card.dataset.id).join() !== before.join();
    }, wall);
    await leave(page);
}

async function backToTheWall() {
    const page = await visit();
    await waitForWall(page);
    const wall = await wallIds(page);
    await tabTo(page, '.card-open');
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.item h1');
    await page.goBack();
    await page.waitForSelector('main.view-you');
    await waitForWall(page);
    assert.deepEqual(await wallIds(page), wall);
    assert.equal(
        await page.evaluate(() => document.activeElement.closest('.card').dataset.id),
        wall[3]
    );
    await leave(page);
}

async function searchAndBrowse() {
    const page = await visit();
    await waitForWall(page);
    await goTo(page, 'browse');
    await waitForWall(page);
    const all = await wallIds(page);
    assert.ok(all.length > 0 && all.length <= 96, `${all.length} cards at first`);
    const {
        items: [item]
    } = await (await page.request.get(`${base}/v1/items?limit=1`)).json();
    const word = item.title
        .replace(/\(.*/, '')
        .split(/[^\p{L}]+/u)
        .sort((a, b) => b.length - a.length)[0];
    await tabTo(page, '.search input');
    await page.keyboard.type(word);
    await page.waitForFunction(() => location.hash.includes('search='));
    await page.waitForSelector('.wall:not([aria-busy])');
    const found = await page.$$eval('.wall .card-title', each => each.map(e => e.textContent));
    assert.ok(found.length > 0 && found.length <= all.length);
    for (const title of found)
        assert.ok(title.toLowerCase().includes(word.toLowerCase()), `${title} has no ${word}`);
    const under = () => page.textContent('.view-browse .under');
    assert.match(await under(), /^\d+ of \d+ found$/);
    await page.keyboard.type('qxz');
    await page.waitForFunction(() => /^none/.test(document.querySelector('.under').textContent));
    assert.equal(await under(), 'none found');
    for (let i = 0; i < word.length + 3; i++) await page.keyboard.press('Backspace');
    await page.waitForFunction(() => !location.hash.includes('search='));
    await tabTo(page, '.chip');
    const name = await focusedText(page);
    const answer = answerTo(page, 'GET', /\/v1\/items\?.*filter=/);
    await page.keyboard.press('Space');
    const {items} = await (await answer).json();
    assert.ok(items.length && items.every(each => each.categories.includes(name)));
    assert.equal(await page.$eval(':focus', each => each.getAttribute('aria-pressed')), 'true');
    await leave(page);
}

async function scrollingGoesOn() {
    const page = await visit();
    await waitForWall(page);
    await goTo(page, 'browse');
    await waitForWall(page);
    const first = (await wallIds(page)).length;
    await tabTo(page, '.card-open', 80);
    await page.keyboard.press('End');
    await page.waitForFunction(n => document.querySelectorAll('.wall > .card').length > n, first);
    const ids = await wallIds(page);
    assert.equal(new Set(ids).size, ids.length);
    await leave(page);
}

async function filterComplains() {
    const page = await visit({}, base, /status of 400/);
    await waitForWall(page);
    const wall = await wallIds(page);
    await tabTo(page, '.filter input');
    await page.keyboard.type('year >>= 1990');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.filter input[aria-invalid="true"]');
    assert.match(await page.textContent('.filter .field-help'), /character/);
    assert.deepEqual(await wallIds(page), wall, 'the wall stays while the filter is wrong');
    await page.keyboard.press('Control+A');
    const {categories} = await (await page.request.get(`${base}/v1/stats`)).json();
    await page.keyboard.type(`categories has ${JSON.stringify(categories[1].name)}`);
    const answer = answerTo(page, 'GET', /\/recommendations\?/);
    await page.keyboard.press('Enter');
    const {items} = await (await answer).json();
    assert.ok(items.length && items.every(each => each.categories.includes(categories[1].name)));
    await page.waitForSelector('.filter input[aria-invalid="false"]');
    await leave(page);
}

async function someoneElse() {
    const page = await visit();
    await waitForWall(page);
    await tabTo(page, '.card-open');
    await press(page, 'l');
    await tabTo(page, '.skip, .brand', 400);
    await tabTo(page, '#who');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    assert.equal(
        await page.evaluate(() => document.activeElement.closest('dialog') !== null),
        true
    );
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', {state: 'detached'});
    assert.equal(await page.evaluate(() => document.activeElement.id), 'who');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#user-id:focus');
    const id = `ada "quoted" ✓ ${Date.now()}`;
    await page.keyboard.type(id);
    const answer = answerTo(page, 'GET', /\/recommendations\?/);
    await page.keyboard.press('Enter');
    assert.equal((await (await answer).json()).user_id, id);
    await page.waitForFunction(() =>
        /is new here/.test(document.querySelector('.under').textContent)
    );
    assert.equal(await page.textContent('.who-name'), id);
    await page.reload();
    await waitForWall(page);
    assert.equal(await page.textContent('.who-name'), id, 'remembered');
    await page.focus('#who');
    await page.keyboard.press('Enter');
    await tabTo(page, 'dialog .quiet');
    await page.keyboard.press('Enter');
    await page.waitForFunction(old => document.querySelector('.who-name').textContent !== old, id);
    await leave(page);
}

async function trainAndActivate() {
    const page = await visit();
    await waitForWall(page);
    await goTo(page, 'models');
    await page.waitForSelector('.loop .primary');
    const versions = await page.$$eval('.version', all => all.length);
    await tabTo(page, '.loop .primary');
    const begun = answerTo(page, 'POST', /\/v1\/train$/);
    await page.keyboard.press('Enter');
    assert.equal((await begun).status(), 202);
    const {run: number} = await (await begun).json();
    await page.waitForSelector('progress:not([hidden])');
    await page.waitForSelector('progress[hidden]', {state: 'attached', timeout: 120000});
    const stage = await page.textContent('.stage');
    assert.match(stage, new RegExp(`Run ${number}: published`));
    await page.waitForFunction(n => document.querySelectorAll('.version').length >= n, versions);
    const live = await page.textContent('.version.live h3');
    const old = await page.$('.version .activate');
    if (old) {
        const named = await old.getAttribute('aria-label');
        await tabTo(page, '.version .activate', 90);
        await page.keyboard.press('Enter');
        await page.waitForFunction(
            text => document.querySelector('.version.live h3').textContent !== text,
            live
        );
        assert.ok(
            named.endsWith(
                await page
                    .textContent('.version.live h3')
                    .then(text => text.replace('Version ', ''))
            )
        );
    }
    await shoot(page, 'light-models', true);
    await leave(page);
}

async function dataAndTraffic() {
    const page = await visit();
    await waitForWall(page);
    await goTo(page, 'data');
    await page.waitForSelector('.tiles');
    const {popularity, items_with_events: known} = await page.evaluate(async () =>
        (await fetch('v1/stats')).json()
    );
    const {ranks, counts} = popularity;
    assert.deepEqual([ranks[0], ranks.at(-1), ranks.length], [1, known, counts.length]);
    assert.ok(ranks.every((rank, i) => !i || (rank > ranks[i - 1] && counts[i] <= counts[i - 1])));
    assert.ok((await page.$$('.panel canvas[role="img"][aria-label]')).length >= 3);
    await page.waitForFunction(() =>
        [...document.querySelectorAll('canvas')].every(each => each.width > 100)
    );
    await tabTo(page, 'summary');
    await page.keyboard.press('Enter');
    assert.ok((await page.$$('details[open] tbody tr')).length >= 2);
    assert.ok((await page.$$('.heat tbody td')).length >= 4);
    await goTo(page, 'traffic');
    const first = await answerTo(page, 'GET', /\/v1\/status$/);
    await first.finished();
    await page.waitForSelector('.view-traffic tbody tr');
    await answerTo(page, 'GET', /\/v1\/status$/);
    const routes = await page.$$eval('[aria-labelledby="routes"] tbody th', all =>
        all.map(each => each.textContent)
    );
    assert.ok(
        routes.some(each => each.includes('/recommendations')),
        `${routes}`
    );
    await leave(page);
}

/* A page that was built without the chart library has its tables. */
async function tablesWithoutCharts() {
    const page = await visit({}, base, /assets\/chart\.js/);
    await page.route(/\/assets\/chart\.js/, route => route.fulfill({status: 404}));
    await waitForWall(page);
    await goTo(page, 'data');
    await page.waitForSelector('details[open] tbody td');
    assert.equal((await page.$$('canvas')).length, 0);
    await leave(page);
}

async function calmIsCalm() {
    const page = await visit({reducedMotion: 'reduce'});
    await waitForWall(page);
    await page.evaluate(() => {
        window.walked = 0;
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (...all) {
            window.walked++;
            return animate.apply(this, all);
        };
    });
    await tabTo(page, '.card-open');
    const before = await wallIds(page);
    await press(page, 'l');
    assert.notDeepEqual(await wallIds(page), before);
    assert.equal(await page.evaluate(() => window.walked), 0);
    await leave(page);
}

async function serverAway() {
    const page = await visit({}, base, /INTERNET_DISCONNECTED|Failed to load/);
    await waitForWall(page);
    await page.context().setOffline(true);
    await tabTo(page, '.card-open');
    await page.keyboard.press('l');
    await page.waitForSelector('#banner:not([hidden])');
    assert.match(await page.textContent('#banner'), /does not answer/);
    await page.context().setOffline(false);
    await page.waitForSelector('#banner', {state: 'hidden'});
    await waitForWall(page);
    await press(page, 'l');
    await leave(page);
}

async function asksForAKey() {
    const page = await visit({}, locked.address, /status of 40[13]/);
    const give = async (key, says) => {
        await page.waitForSelector('#key:focus');
        assert.match(await page.textContent('#key-help'), says);
        await page.keyboard.type(key);
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => !document.querySelector('#key')?.value);
    };
    await page.waitForSelector('dialog[open] #key');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', {state: 'detached'});
    await page.waitForSelector('.trouble');
    await tabTo(page, '.trouble .primary');
    await page.keyboard.press('Enter');
    await give('not-one-of-the-keys', /kept until this tab is closed/);
    await give(locked.reader, /refused/);
    await waitForWall(page);
    const before = await wallIds(page);
    await tabTo(page, '.card-open');
    const event = page.waitForResponse(
        response => response.url().endsWith('/v1/events') && response.status() === 200
    );
    await page.keyboard.press('l');
    await give(locked.writer, /lacks the right/);
    await event;
    await page.waitForSelector(`.late[data-id="${before[0]}"].like`);
    const kept = await page.evaluate(() => ({
        session: sessionStorage.getItem('palate.key'),
        local: JSON.stringify(localStorage)
    }));
    assert.equal(kept.session, locked.writer);
    assert.ok(!kept.local.includes(locked.writer) && !kept.local.includes(locked.reader));
    await leave(page);
}

async function emptyCatalog() {
    const page = await visit({}, emptyBase);
    await page.waitForSelector('.empty pre');
    const command = await page.textContent('.empty pre');
    assert.ok(command.includes(`${emptyBase}/v1/items`), command);
    await checkAccess(page, 'empty catalog');
    await shoot(page, 'light-empty');
    await goTo(page, 'browse');
    await page.waitForSelector('.empty pre');
    await goTo(page, 'data');
    await page.waitForSelector('.empty pre');
    await goTo(page, 'models');
    await page.waitForSelector('.loop .primary');
    await leave(page);
}

/* Titles, ids, categories and attributes that would be markup stay texts, wherever they are shown. */
async function markupIsText() {
    const title = `<img src=x onerror="window.hacked=1"> "q" 'a' & </script><script>hacked</script> 🎬`;
    const category = '<svg onload=window.hacked=1>';
    const ids = [0, 1, 2].map(i => `"><script>window.hacked=1</script>'🎬 a/b?c=%2F#${i}`);
    const page = await visit({}, emptyBase);
    const post = (path, data) => page.request.post(emptyBase + path, {data});
    await post(
        '/v1/items',
        ids.map(id => ({
            item_id: id,
            title,
            categories: [category],
            attributes: {note: title, '<b>': '<i>'}
        }))
    );
    await post('/v1/events', {user_id: '<u>"\'</u>', item_id: ids[0], type: 'view'});
    for (const view of ['you', 'browse']) {
        await page.reload();
        await goTo(page, view);
        await waitForWall(page);
        const titles = await page.$$eval('.wall .card-title', each => each.map(e => e.textContent));
        assert.deepEqual([...new Set(titles)], [title]);
        assert.deepEqual((await wallIds(page)).sort(), [...ids].sort());
    }
    await tabTo(page, '.wall .card-open', 80);
    const id = await page.evaluate(() => document.activeElement.closest('.card').dataset.id);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.item h1');
    assert.ok(ids.includes(id) && page.url().endsWith(encodeURIComponent(id)), page.url());
    assert.ok((await page.textContent('.item')).includes(title));
    assert.ok((await page.textContent('.item')).includes(category));
    await tabTo(page, '.item-acts .like');
    const sent = answerTo(page, 'POST', /\/v1\/events$/);
    await page.keyboard.press('Enter');
    assert.equal((await sent).request().postDataJSON().item_id, id);
    for (const view of ['data', 'models', 'traffic']) {
        await goTo(page, view);
        await page.waitForSelector(view === 'models' ? '.loop' : '.tiles');
    }
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    const made = await page.$$('[onerror], [onload], body script:not([src]), main b > i');
    assert.equal(made.length, 0);
    await leave(page);
}

/* Every view in three looks: nothing for axe-core to find, no sideways scrolling, a picture. */
async function looksAndAccess() {
    for (const [look, options] of Object.entries(looks)) {
        const page = await visit(options);
        await waitForWall(page);
        await tabTo(page, '.card-open');
        for (const key of ['l', 'l', 'd', 'l']) await press(page, key);
        const [id] = await wallIds(page);
        for (const view of [
            'you',
            'browse',
            `item/${encodeURIComponent(id)}`,
            'data',
            'models',
            'traffic'
        ]) {
            await page.evaluate(to => {
                location.hash = '#/' + to;
            }, view);
            const name = view.split('/')[0];
            await page.waitForSelector(
                `main.view-${name} ${
                    {
                        you: '.late',
                        browse: '.card:not(.waiting)',
                        item: '.card:not(.waiting)',
                        data: '.tiles',
                        models: '.loop',
                        traffic: '.tiles'
                    }[name]
                }`
            );
            await page.evaluate(() =>
                Promise.all([...document.images].map(image => image.decode().catch(() => null)))
            );
            await checkAccess(page, `${look} ${name}`);
            const over = await page.evaluate(
                () => document.documentElement.scrollWidth - innerWidth
            );
            assert.equal(over, 0, `${look} ${name} is wider than the window`);
            await shoot(page, `${look}-${name}`, !['you', 'browse'].includes(name));
        }
        await leave(page);
    }
}

await run([
    likeAndWatch,
    dislikeAndTurn,
    tasteIsFollowed,
    skipLinkAndFrame,
    openAndSimilar,
    backToTheWall,
    searchAndBrowse,
    scrollingGoesOn,
    filterComplains,
    someoneElse,
    trainAndActivate,
    dataAndTraffic,
    tablesWithoutCharts,
    calmIsCalm,
    serverAway,
    asksForAKey,
    emptyCatalog,
    markupIsText,
    looksAndAccess
]);
