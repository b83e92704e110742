/* The figures of the data and models views: what the data look like, how the models of a version
 * compare, runs and how they ended; with no version and with fifty. */
import {
    assert,
    checkAccess,
    drawn,
    emptyBase,
    focusedText,
    goTo,
    leave,
    looks,
    run,
    shoot,
    tabTo,
    versions,
    visit
} from './driver.mjs';

const {address, models} = versions;
const phone = {...looks.phone, viewport: {width: 390, height: 800}};

async function open(options = {}) {
    const page = await visit(options, address);
    await goTo(page, 'models');
    await page.waitForSelector('#figure-overview');
    await page.waitForSelector('[data-run]');
    return page;
}

const ask = (page, path) => page.evaluate(async to => (await fetch(to)).json(), path);

const ids = page =>
    page.$$eval('[aria-labelledby="comparison"] figure', all =>
        all.map(each => each.id.replace('figure-', ''))
    );

/* All that the server describes, drawn, the long tail, the Lorenz curve and the rest among it. */
async function dataIsShown() {
    const page = await visit();
    await goTo(page, 'data');
    await page.waitForSelector('figure canvas');
    const {figures} = await ask(page, 'v1/stats');
    const wanted = ['popularity', 'lorenz', 'cold', 'likes', 'activity', 'together'];
    assert.deepEqual(
        wanted.filter(name => !figures.some(({id}) => id === name)),
        []
    );
    assert.deepEqual(
        await page.$$eval('figure', all => all.map(each => each.id)),
        figures.map(({id}) => `figure-${id}`)
    );
    await page.waitForFunction(() =>
        [...document.querySelectorAll('canvas')].every(each => each.width > 300)
    );
    assert.ok((await drawn(page, 'canvas')).every(Boolean));
    const cells = await page.$$eval('#figure-cold tbody tr', all =>
        all.map(row => [row.children[3].textContent, row.children[4].textContent])
    );
    const {cold} = await ask(page, 'v1/stats');
    assert.deepEqual(
        cells,
        cold.items.map((n, i) => [`${n}`, `${cold.users[i]}`])
    );
    await leave(page);
}

/* The live version's figures: all that its report has, drawn, with the report's numbers. */
async function comparisonIsShown() {
    const page = await open();
    const report = await ask(page, 'v1/models/2/report');
    assert.deepEqual(
        await ids(page),
        report.figures.map(each => each.id)
    );
    for (const id of ['metric-4', 'against-coverage', 'against-novelty', 'groups', 'training'])
        assert.ok((await ids(page)).includes(id), id);
    assert.equal(
        (await ids(page)).some(id => id.startsWith('ranker-')),
        models.includes('trees')
    );
    assert.equal(await page.textContent('.summary'), report.summary);
    await page.waitForFunction(() =>
        [...document.querySelectorAll('.panels canvas')].every(each => each.width > 300)
    );
    const charts = await drawn(page, '[aria-labelledby="comparison"] canvas');
    assert.equal(charts.length, report.figures.length - 1);
    assert.ok(charts.every(Boolean), `all drawn: ${charts}`);
    const rows = await page.$$eval('#figure-metric-1 tbody tr', all =>
        all.map(row => [...row.children].map(cell => cell.textContent))
    );
    const {labels, series} = report.figures.find(each => each.id === 'metric-1');
    assert.deepEqual(
        rows,
        labels.map((label, i) => [
            label,
            ...[series[0].values, series[0].low, series[0].high].map(list => list[i].toFixed(4))
        ])
    );
    assert.equal(
        await page.textContent('#figure-metric-1 tbody b'),
        series[0].values[series[0].best].toFixed(4)
    );
    await leave(page);
}

/* By keyboard to a version that was not measured, and by the list to one whose labels are markup. */
async function versionsAreChosen() {
    const page = await open();
    assert.equal((await page.$$('.version')).length, 5, 'four and the live one');
    await tabTo(page, '.more-row .quiet');
    assert.equal(await focusedText(page), 'Show all 50 versions');
    await page.keyboard.press('Enter');
    assert.equal((await page.$$('.version')).length, 50);
    await page.focus('[aria-label="Figures of version 1"]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[aria-labelledby="comparison"] .notice pre');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'comparison');
    assert.match(await page.textContent('.notice h3'), /Version 1 was not measured/);
    assert.match(
        await page.textContent('[aria-labelledby="comparison"] pre'),
        /palate train --data DATA --model als --split time/
    );
    assert.deepEqual(await ids(page), []);
    await tabTo(page, '#compared');
    assert.equal(await page.$$eval('#compared option', all => all.length), 50);
    await page.keyboard.press('Home');
    await page.waitForSelector('#figure-metric-1 tbody th', {state: 'attached'});
    assert.equal(
        await page.textContent('#figure-metric-1 tbody th'),
        '<img src=x onerror=window.hacked=1>'
    );
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    await leave(page);
}

/* Every run with how it ended, what was measured and what was inside; a line by hand breaks nothing. */
async function runsAreTold() {
    const page = await open();
    const rows = () =>
        page.$$eval('#runs + div > div > .table tbody tr', all =>
            all.map(row => [...row.children].map(cell => cell.textContent))
        );
    const first = await rows();
    assert.equal(first.length, 50);
    assert.deepEqual(first[0].slice(2), ['finished', '9.0 s', 'ndcg@10 0.2590', 'als', '50 MB']);
    assert.equal((await drawn(page, '#figure-over-time canvas'))[0], true);
    await page.focus('#runs + div .quiet');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
        () => document.querySelectorAll('#runs + div > div > .table tbody tr').length > 50
    );
    const all = await rows();
    assert.equal(all.length, 64);
    const failed = all.find(row => row[2].startsWith('failed'));
    assert.match(failed[2], /sideways/);
    const [, {run: id, metrics}] = (await ask(page, 'v1/runs?n=1000')).runs
        .reverse()
        .filter(each => each.name === 'train synthetic');
    await page.focus(`[data-run="${id}"]`);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#run-name:focus');
    assert.match(await focusedText(page), /^train synthetic, /);
    assert.match(await page.textContent('#run-detail'), /time:80\/20/);
    const inner = await page.$$eval('#run-detail > section > .table tbody tr', list =>
        list.map(row => [...row.children].map(cell => cell.textContent))
    );
    assert.deepEqual(
        inner.map(row => row[0]),
        models.map(name => `${name}, version 2`)
    );
    assert.ok(inner.some(row => row[2] === metrics['ndcg@10'].toFixed(4)));
    const learned = await page.$$eval('#run-detail figure h4', list =>
        list.map(each => each.textContent)
    );
    assert.ok(learned.includes('als, version 2: change'), `${learned}`);
    assert.ok((await drawn(page, '#run-detail canvas')).every(Boolean));
    await page.focus(`[data-run="${id}"]`);
    await page.keyboard.press('Enter');
    assert.equal(await page.textContent('#run-detail'), '');
    await page.focus('[data-run="odd"]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#run-name:focus');
    await leave(page);
}

async function nothingYet() {
    const page = await visit({}, emptyBase);
    await goTo(page, 'models');
    await page.waitForFunction(() =>
        /nothing to compare/.test(document.querySelector('main').textContent)
    );
    await page.waitForFunction(() => /None yet/.test(document.querySelector('main').textContent));
    assert.ok(!(await page.isVisible('#compared')));
    await checkAccess(page, 'no models');
    await leave(page);
}

/* In all looks: nothing for axe-core to find, no sideways scrolling, pictures. */
async function comparisonLooks() {
    for (const [look, options] of Object.entries({...looks, phone})) {
        const page = await open(options);
        await page.focus('[data-run]');
        await page.keyboard.press('Enter');
        await page.waitForSelector('#run-name');
        await checkAccess(page, look);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.equal(over, 0, `${look} is wider than the window`);
        await shoot(page, `${look}-versions`, true);
        await page.$$eval('details', all => all.forEach(each => (each.open = true)));
        await checkAccess(page, `${look}, with tables`);
        await leave(page);
    }
}

await run([
    dataIsShown,
    comparisonIsShown,
    versionsAreChosen,
    runsAreTold,
    nothingYet,
    comparisonLooks
]);
