/* The file that palate report writes, opened as a person does: from the disk. */
import {pathToFileURL} from 'node:url';

import {
    assert,
    checkAccess,
    drawn,
    leave,
    looks,
    report,
    run,
    shoot,
    visitFile
} from './driver.mjs';

/* Charts with something on them, nothing asked for, nothing that a title wrote ran. */
async function reportIsDrawn() {
    for (const [name, look] of Object.entries(looks)) {
        const page = await visitFile(pathToFileURL(report).href, look);
        assert.match(await page.title(), /a report$/);
        const charts = await drawn(page, '.chart canvas');
        assert.ok(charts.length >= 12, `${charts.length} charts`);
        assert.ok(charts.every(Boolean), `all drawn: ${charts}`);
        assert.equal(await page.$$eval('img', all => all.length), 0);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= look.viewport.width, `${width} wide on ${name}`);
        await checkAccess(page, name);
        await page.$$eval('details', all => all.forEach(each => (each.open = true)));
        await checkAccess(page, `${name}, with tables`);
        await shoot(page, `report-${name}`, true);
        await leave(page);
    }
}

/* What is dark on the screen is light on paper, as wide as the paper, with its tables; and back. */
async function reportIsPrinted() {
    const page = await visitFile(pathToFileURL(report).href, looks.dark);
    const look = () =>
        page.evaluate(() => [
            getComputedStyle(document.documentElement).getPropertyValue('--ink').trim(),
            document.querySelectorAll('details:not([open])').length,
            document.querySelector('.chart canvas').clientWidth
        ]);
    const before = await look();
    await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
    const [ink, closed, width] = await look();
    assert.notEqual(ink, before[0]);
    assert.equal(closed, 0);
    assert.ok(width <= 640, `${width} wide`);
    /* tables stand beside their charts, so that a page has room for several */
    await page.emulateMedia({media: 'print'});
    const beside = await page.$$eval('.panel:has(.chart.drawn):not(.wide)', all =>
        all.map(each => [
            each.querySelector('.chart').getBoundingClientRect().right,
            each.querySelector('table').getBoundingClientRect().left
        ])
    );
    assert.ok(beside.length >= 10 && beside.every(([chart, table]) => chart <= table), beside);
    await page.emulateMedia({media: null});
    await page.evaluate(() => window.dispatchEvent(new Event('afterprint')));
    await page.waitForFunction(
        w => Math.abs(document.querySelector('.chart canvas').clientWidth - w) < 2,
        before[2]
    );
    assert.deepEqual((await look()).slice(0, 2), before.slice(0, 2));
    const pdf = await page.pdf({format: 'A4', printBackground: true});
    assert.ok(pdf.length > 50000, `${pdf.length} bytes`);
    await leave(page);
}

/* Without scripts it is a page of tables. */
async function reportWithoutScripts() {
    const page = await visitFile(pathToFileURL(report).href, {
        ...looks.light,
        javaScriptEnabled: false
    });
    assert.ok(await page.isVisible('#metric-1 table'));
    assert.ok(!(await page.isVisible('#metric-1 canvas')));
    await page.context().close();
}

await run([reportIsDrawn, reportIsPrinted, reportWithoutScripts]);
