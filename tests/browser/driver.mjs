/* What the tests of the page share: a browser that notes everything the page must not do, keys, and
 * counting. Everything a test does it does with the keyboard. */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

/* What run.py says: where the servers are, the keys of the one that wants some, and the tools. */
const {modules, base, report, versions, emptyBase, locked, chromium, shots} = JSON.parse(
    process.argv[2]
);
const require = createRequire(path.join(modules, 'package.json'));
const playwright = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export {assert, base, emptyBase, locked, report, versions};
const WAIT_MS = 30000;
const FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run'
];

export const looks = {
    light: {viewport: {width: 1360, height: 900}, colorScheme: 'light'},
    dark: {viewport: {width: 1360, height: 900}, colorScheme: 'dark'},
    phone: {viewport: {width: 360, height: 780}, colorScheme: 'light', deviceScaleFactor: 2}
};

const browser = await playwright.chromium.launch({executablePath: chromium, args: FLAGS});

/* A page of a visitor with empty storage, and its offences: console errors, broken policy, requests
 * to anywhere else. allowed: a pattern of console errors that the test provokes. */
export async function visit(options = {}, address = base, allowed = null) {
    const page = await watched(options, new URL(address).origin + '/', allowed);
    await page.goto(address + '/');
    return page;
}

/* The same of a file, which may ask for nothing but itself. */
export async function visitFile(url, options = {}) {
    const page = await watched(options, url, null);
    await page.goto(url);
    return page;
}

async function watched(options, own, allowed) {
    const context = await browser.newContext({...looks.light, ...options});
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.offences = [];
    page.on('console', message => {
        const text = `${message.text()} ${message.location().url || ''}`;
        if (['error', 'warning'].includes(message.type()) && !(allowed && allowed.test(text)))
            page.offences.push(`console: ${text}`);
    });
    page.on('pageerror', error => page.offences.push(`script: ${error.stack}`));
    page.on('request', request => {
        if (!request.url().startsWith(own) && !request.url().startsWith('data:'))
            page.offences.push(`asked elsewhere: ${request.url()}`);
    });
    return page;
}

/* Ends a visit; fails if the page offended. */
export async function leave(page) {
    assert.deepEqual(page.offences, []);
    await page.context().close();
}

/* ---- By keyboard ---- */

/* Presses Tab until what `matches` (a selector) has the focus. */
export async function tabTo(page, matches, most = 60) {
    for (let i = 0; i < most; i++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate(s => document.activeElement.matches(s), matches)) return;
    }
    assert.fail(`${most} times Tab did not lead to ${matches}`);
}

/* Goes to a view by the tabs on top, as from the beginning of the page. */
export async function goTo(page, view) {
    await page.evaluate(() => {
        document.activeElement.blur();
        getSelection().removeAllRanges();
        document.body.tabIndex = -1;
        document.body.focus();
        document.body.removeAttribute('tabindex');
    });
    await tabTo(page, `.tabs [data-view="${view}"]`);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`main.view-${view}`);
}

export const focusedText = page => page.evaluate(() => document.activeElement.textContent.trim());

/* The ids on the wall, in order. */
export async function wallIds(page) {
    return page.$$eval('.wall > .card:not(.leaving):not(.waiting)', cards =>
        cards.map(card => card.dataset.id)
    );
}

export async function waitForWall(page) {
    await page.waitForSelector('.wall:not([aria-busy]) > .card:not(.waiting)');
}

/* Waits for the answer to such a call. */
export function answerTo(page, method, pattern) {
    return page.waitForResponse(
        response => response.request().method() === method && pattern.test(response.url())
    );
}

/* ---- Judging ---- */

/* For each such canvas, whether there is something on it. */
export function drawn(page, selector) {
    return page.$$eval(selector, all =>
        all.map(canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return canvas.width > 200 && data.some((v, i) => i % 4 === 3 && v > 0);
        })
    );
}

/* Fails with what axe-core finds wrong on the page as it is. */
export async function checkAccess(page, what) {
    /* Not as a script of the page, which its policy would keep out: the debugger may evaluate. */
    await page.evaluate(axe);
    const found = await page.evaluate(async () => {
        await Promise.all(document.getAnimations().map(each => each.finished.catch(() => null)));
        const {violations} = await window.axe.run(document, {
            resultTypes: ['violations'],
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
        });
        return violations.map(
            each =>
                `${each.id}: ${each.help}: ${each.nodes
                    .slice(0, 3)
                    .map(
                        node =>
                            `${node.target.join(' ')} (${node.any.map(any => any.message).join('; ')})`
                    )
                    .join(', ')}`
        );
    });
    assert.deepEqual(found, [], what);
}

export async function shoot(page, name, whole) {
    await page.screenshot({path: path.join(shots, `${name}.png`), fullPage: Boolean(whole)});
}

/* Runs the tests in order and writes the summary that tools/run-tests counts. */
export async function run(tests) {
    let passed = 0;
    const failed = [];
    for (const test of tests) {
        const began = Date.now();
        try {
            await test();
            passed++;
            console.log(`[       OK ] ${test.name} (${Date.now() - began} ms)`);
        } catch (error) {
            failed.push(test.name);
            console.log(`[  ERROR   ] ${test.name}\n${error.stack}`);
            for (const [i, context] of browser.contexts().entries()) {
                for (const page of context.pages())
                    await shoot(page, `failed-${test.name}-${i}`).catch(() => null);
            }
        }
        for (const context of browser.contexts()) await context.close();
    }
    await browser.close();
    console.log(`[  PASSED  ] ${passed} test(s).`);
    if (failed.length) {
        console.log(`[  FAILED  ] ${failed.length} test(s): ${failed.join(', ')}`);
        process.exitCode = 1;
    }
}
